"""`notifier silence` by its command: begun, listed, ended once, and what it held back comes at once."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from notifier.__main__ import app
from notifier.breaches.arming import NoticeState
from notifier.destinations import POSTS, SLA_READINGS
from notifier.feeds.decisions import keep_rules
from notifier.posting.prepared import Note, schedule_note
from notifier.tables import breach_notices
from tests.integration.notifier.app import RULES
from tests.support.engine import rows_of, store_on
from tests.support.for_each import for_each

Run = Callable[..., Result]
pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
LATER = datetime.now(UTC) + timedelta(hours=3)
ADD = ("add", "--rule", "alert", "--for", "90m", "--reason", "upgrade of the broker")


@pytest.fixture
def database(new_database: Callable[[str], str]) -> str:
    return new_database("notifier")


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("list")`: the command with its database, and nothing else of the environment."""
    monkeypatch.setenv("DATABASE_URL", database)
    return lambda *arguments: CliRunner().invoke(app, ["silence", *arguments], catch_exceptions=False)


async def hold_back(database: str, silence: str) -> None:
    """An alert and a breach notice that wait for the end of that silence."""
    ends = {"due_at": LATER, "armed_at": LATER, "breach_at": LATER, "changed_at": LATER}
    notice = {"target": "7:reply", "ticket_id": "7", "metric": "reply", "step": "1h", "round": 0}
    notice |= {"state": NoticeState.HELD, "rule": "premium", "rules_version": "1", "key": "7:reply:1h"}
    async with store_on(database) as store, store.transaction() as tx:
        await tx.execute(breach_notices.insert(), notice | ends)
        for held_by in (silence, "another"):
            key = f"C1:alert:held:{held_by}:20261104"
            schedule_note(tx, Note("alert", "alert"), channel="C1", key=key, due_at=LATER)


async def due(database: str) -> dict[str, bool]:
    """Every delivery of the database, and whether it is due now."""
    async with store_on(database) as store:
        rows = (await rows_of(store)).values()
        return {f"{row['destination']} {row['key']}": row["due_at"] <= store.clock.now() for row in rows}


def test_a_silence_is_ended_once_and_what_it_held_comes_now(run: Run, database: str) -> None:
    begun = json.loads(run(*ADD, "--json").stdout)[0]
    assert [json.loads(run("list", "--json").stdout)[0][name] for name in ("id", "about", "value")] == [
        begun["id"],
        "rule",
        "alert",
    ]
    asyncio.run(hold_back(database, begun["id"]))
    ended = run("end", begun["id"])
    assert (ended.exit_code, ended.stdout) == (
        0,
        "ended; 1 messages are posted now; breach notices of 1 tickets are decided anew\n",
    )
    assert asyncio.run(due(database)) == {
        f"{POSTS} C1:alert:held:{begun['id']}:20261104": True,
        f"{POSTS} C1:alert:held:another:20261104": False,
        f"{SLA_READINGS} 7:unsilenced:{begun['id']}": True,
    }
    assert json.loads(run("list", "--json").stdout) == []
    again = run("end", begun["id"])
    assert (again.exit_code, again.stdout) == (1, "")
    assert f"no silence '{begun['id']}' is in force: `notifier silence list`" in again.stderr


async def know_rules(database: str) -> None:
    """As a worker does at its start."""
    async with store_on(database) as store, store.transaction() as tx:
        await keep_rules(tx, RULES)


@pytest.mark.parametrize(
    ("name", "warns"), [("self-managed", False), ("integrity", False), ("self-manged", True)]
)
def test_a_misspelt_rule_is_told_beside_the_names_that_there_are(
    run: Run, database: str, name: str, warns: bool
) -> None:
    asyncio.run(know_rules(database))
    begun = run("add", "--rule", name, "--for", "1h", "--reason", "x", "--json")
    assert (begun.exit_code, json.loads(begun.stdout)[0]["value"]) == (0, name)
    words = f"nothing is called {name!r} in the rules that a worker used last"
    assert (words in begun.stderr, "gitlab-com" in begun.stderr) == (warns, warns)


def test_an_id_that_is_none_ends_nothing(run: Run, database: str) -> None:
    begun = json.loads(run(*ADD, "--json").stdout)[0]
    asyncio.run(hold_back(database, begun["id"]))
    for wrong in ("another", "%", "' OR 1=1 --", "0192\x1b[31m\x07"):
        refused = run("end", wrong)
        assert (refused.exit_code, refused.stdout) == (1, ""), wrong
        assert "`notifier silence list`" in refused.stderr
        assert refused.stderr.strip().isprintable()  # colours alone would go where no terminal is
    assert len(json.loads(run("list", "--json").stdout)) == 1
    assert not any(asyncio.run(due(database)).values())


@for_each(
    "arguments, says",
    [
        (("--for", "1h"), "name one of"),
        (("--rule", "a", "--ticket", "7", "--for", "1h"), "name one of"),
        (("--ticket", "seven", "--for", "1h"), "no id of Zendesk"),
        (("--organization", "7 8", "--for", "1h"), "no id of Zendesk"),
        (("--ticket", "\u0667", "--for", "1h"), "no id of Zendesk"),
        (("--ticket", "7", "--for", "1h", "--reason", " "), "say why"),
        (("--rule", "a", "--for", "soon"), "must be a number with a unit"),
        (("--rule", "a", "--for", "31d"), "at most 30d"),
        (("--rule", "a", "--for", "0s"), "more than 0s"),
    ],
)
def test_a_silence_of_nothing_or_for_ever_is_refused(run: Run, arguments: tuple[str, ...], says: str) -> None:
    refused = run("add", "--reason", "x", *arguments)
    assert refused.exit_code == 2
    assert says in refused.stderr
    assert json.loads(run("list", "--json").stdout) == []
