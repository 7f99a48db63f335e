"""`csat kpi` and `csat recount`, as an operator runs them."""

import csv
import io
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from csat import tables
from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.store import open_store
from tests.integration.csat.assertions import note, on, rows_of, tallied
from tests.integration.csat.test_csat_explain import ENVIRONMENT
from tests.support.commands import run_command

SOLVED = datetime(2026, 3, 10, 12, tzinfo=UTC)
FORMS = ("=HYPERLINK(1)", "GitLab.com", "")
RANGE = ("--since", "2026-03-01", "--until", "2026-05-01")


@pytest.fixture
async def database(new_database: Callable[[str], str], clock: ManualClock) -> str:
    """Six tickets of three forms, in March and April, half of them asked, two rated."""
    url = new_database("csat")
    async with open_store(DatabaseSettings(url=SecretStr(url)), clock=clock) as store:
        for number in range(6):
            moment = SOLVED + timedelta(days=10 * number)
            await note(store, str(number), solved_at=moment, form=FORMS[number % 3], decided=number < 5)
            if number < 3:
                await note(store, str(number), asked_at=moment)
        await note(store, "0", score="good", rated_at=SOLVED)
        await note(store, "1", score="bad", rated_at=SOLVED)
        await tallied(store, UTC)
    return url


def csat(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    rules = str(Path(__file__).parents[3] / "config" / "supportops.yaml")
    environment = ENVIRONMENT | {"DATABASE_URL": url, "CONFIG_FILE": rules}
    return run_command("csat", *arguments, environment=environment)


@on("sqlite")
async def test_as_a_table_and_as_json(database: str) -> None:
    table = csat(database, "kpi", *RANGE)
    assert table.returncode == 0, table.stderr
    names, values = (line.split("\t") for line in table.stdout.splitlines())
    assert dict(zip(names, values, strict=True))["kpi"] == "50.0% (9.5% to 90.5%)"
    found = json.loads(csat(database, "kpi", *RANGE, "--json", "--filter", "form=", "--by", "form").stdout)
    assert (found["totals"]["solved"], found["filters"]) == (2, {"form": ""})
    assert [part["value"] for part in found["breakdown"]] == [""]


@on("sqlite")
async def test_as_csv_that_adds_up_and_runs_nothing(database: str) -> None:
    by_form = csat(database, "kpi", *RANGE, "--by", "form", "--csv").stdout
    lines = list(csv.DictReader(io.StringIO(by_form, newline="")))
    assert sorted(line["form"] for line in lines) == ["'=HYPERLINK(1)", "(none)", "GitLab.com"]
    by_month = csat(database, "kpi", *RANGE, "--trend", "month", "--csv").stdout
    months = list(csv.DictReader(io.StringIO(by_month, newline="")))
    assert [line["month"] for line in months] == ["2026-03-01", "2026-04-01"]
    for table in (lines, months):
        assert sum(int(line["solved"]) for line in table) == 6
        assert sum(int(line["asked"]) for line in table) == 3


@on("sqlite")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--filter", "colour=red"), "one of form, plan, region, group, assignee, reason"),
        (("--filter", "form=a", "--filter", "form=b"), "one value only"),
        (("--since", "soon"), "must be a day such as"),
        (("--by", "form", "--trend", "week", "--csv"), "one table"),
    ],
)
async def test_what_is_refused(database: str, arguments: tuple[str, ...], words: str) -> None:
    refused = csat(database, "kpi", *arguments)
    assert refused.returncode == 2
    assert words in " ".join(refused.stderr.split())


async def test_recount(database: str, clock: ManualClock) -> None:
    async with open_store(DatabaseSettings(url=SecretStr(database)), clock=clock) as store:
        async with store.transaction() as tx:
            await tx.conn.execute(tables.tally.delete())
        done = csat(database, "recount")
        assert (done.returncode, done.stdout) == (0, "counted 6 tickets\n")
        assert await rows_of(store, tables.tally)
