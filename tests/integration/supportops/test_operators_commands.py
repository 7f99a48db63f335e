"""The operators' commands of every service: one set of names, counts before bulk actions, one line in outages."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.main import get_command
from typer.testing import CliRunner, Result

from csat.__main__ import app as csat
from ingest.__main__ import app as ingest
from notifier.__main__ import app as notifier
from sfdc_sync.__main__ import app as sfdc_sync
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.delivery.listing import DeliveryFilter, list_deliveries
from supportops.delivery.outages.breaker import Breaker
from supportops.delivery.outages.rows import lock, save
from supportops.delivery.signs import Sign
from supportops.observability.logging import reset
from supportops.operations.breaker_commands import destinations_check
from supportops.store import Store
from tests.integration.engine.test_operators_deliveries import POSTS, RECORDS, kill, schedule
from tests.support.databases import SqliteDatabases, on_the_side
from tests.support.engine import store_on

APPS = {"csat": csat, "ingest": ingest, "notifier": notifier, "sfdc_sync": sfdc_sync}
COMMANDS = {
    "doctor": (),
    "check-config": (),
    "settings": (),
    "explain": (),
    "migrate": (),
    "deliveries": ("list", "show", "retry", "cancel", "resume"),
    "dead-letters": ("list", "show", "replay", "drop"),
}
AWAY = "postgresql://nobody:a-long-password-of-nobody@127.0.0.1:1/nothing"
NOT_SET = (
    "KAFKA_BOOTSTRAP_SERVERS",
    "ZENDESK_BASE_URL",
    "CSAT_BASE_URL",
    "SLACK_TOKEN",
    "SALESFORCE_CLIENT_ID",
    "INGEST_ACCOUNT_ID",
)


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    yield
    reset()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return SqliteDatabases(tmp_path).new("notifier")


Command = Callable[..., Result]


@pytest.fixture
def command(url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`notifier ARGUMENTS` where nothing is set but the database."""
    for name in NOT_SET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", url)
    return lambda *arguments, answer=None: CliRunner().invoke(
        notifier, list(arguments), input=answer, catch_exceptions=False
    )


def on(url: str, work: Callable[[Store], object]) -> None:
    """Do something with the database at `url`, beside the command under test."""
    import asyncio

    async def main() -> None:
        async with store_on(url, SystemClock()) as store:
            await work(store)  # type: ignore[misc]

    on_the_side(lambda: asyncio.run(main()))


async def two_dead(store: Store) -> None:
    await schedule(store, POSTS, "C1:7:1", "C1:8:1")
    await schedule(store, RECORDS, "9")
    await kill(store, POSTS, "C1:7:1", "is_archived")
    await kill(store, POSTS, "C1:8:1", "not_in_channel")


@pytest.mark.parametrize("service", sorted(APPS))
def test_every_service_has_the_same_commands(service: str) -> None:
    shown = CliRunner().invoke(APPS[service], ["--help"]).stdout
    for name, below in COMMANDS.items():
        assert name in shown, name
        if below:
            text = CliRunner().invoke(APPS[service], [name, "--help"]).stdout
            assert [each for each in below if each not in text] == []
    assert "given-up" not in shown
    assert CliRunner().invoke(APPS[service], ["given-up", "--help"]).exit_code == 0


NOT_FOR_PROGRAMS = {"serve", "work", "run", "hash-password", "operators add", "operators remove"}
"""They go on running, or ask for a password."""


def every_command(group: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The name and the command of everything that is below a group and shown."""
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        if below:
            yield from every_command(command, f"{above}{name} ")
        elif not command.hidden:
            yield f"{above}{name}", command


@pytest.mark.parametrize("service", sorted(APPS))
def test_every_command_has_an_answer_for_programs(service: str) -> None:
    APPS[service].complete()
    commands = dict(every_command(get_command(APPS[service])))
    options = {
        name: {word for parameter in command.params for word in parameter.opts}
        for name, command in commands.items()
    }
    assert {name for name, words in options.items() if "--json" not in words} == NOT_FOR_PROGRAMS & set(
        options
    )
    bulk = [
        name
        for name, words in options.items()
        if "--all" in words or name.split()[-1] in ("replay", "publish-again")
    ]
    assert [name for name in bulk if "--dry-run" not in options[name]] == []
    assert {"dead-letters replay", "deliveries retry", "publish-again"} <= set(bulk)


@pytest.mark.parametrize("service", sorted(APPS))
@pytest.mark.parametrize("arguments", [("explain", "17"), ("deliveries", "list"), ("given-up",)])
def test_without_a_database_there_is_one_line_and_no_address(
    service: str, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NOT_SET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", AWAY)
    done = CliRunner().invoke(APPS[service], list(arguments), catch_exceptions=False)
    assert (done.exit_code, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "the database cannot be used" in line
    assert "DATABASE_URL" in line
    assert "a-long-password-of-nobody" not in line


def test_a_database_that_was_not_migrated_is_one_line_too(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    done = command("deliveries", "list")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "notifier: the database lacks tables or columns of this version: run `notifier migrate`"
    ]


def test_a_full_disk_is_not_the_databases_fault(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with open("/dev/full", "w", encoding="utf-8") as full, monkeypatch.context() as swapped:
        swapped.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            notifier(["deliveries", "list"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "notifier: the output cannot be written: No space left on device\n"


def test_the_list_hides_payloads_and_show_gives_them_on_demand(command: Command, url: str) -> None:
    on(url, two_dead)
    listed = json.loads(command("deliveries", "list", "--json").stdout)
    assert [row["key"] for row in listed] == ["C1:7:1", "C1:8:1", "9"]
    assert [
        row["key"]
        for row in json.loads(command("deliveries", "list", "--error", "archived", "--json").stdout)
    ]
    assert "a customer's" not in str(listed)
    (shown,) = json.loads(command("deliveries", "show", "9", "--json").stdout)
    assert shown["payload"] == "(may be personal data: --personal shows it)"
    (shown,) = json.loads(command("deliveries", "show", "9", "--personal", "--json").stdout)
    assert shown["payload"] == {"words": "a customer's"}
    assert command("deliveries", "show", "10").exit_code == 1


def test_a_bulk_action_counts_and_asks_first(command: Command, url: str) -> None:
    on(url, two_dead)
    asked = command("deliveries", "retry", "--all", answer="n\n")
    assert "2 deliveries to retry: 2 of slack.posts" in asked.stderr
    assert "nothing" not in asked.stdout
    assert json.loads(command("deliveries", "list", "--state", "dead", "--json").stdout)
    assert "2 deliveries" in command("deliveries", "retry", "--all", "--dry-run").stderr
    assert len(json.loads(command("deliveries", "list", "--state", "dead", "--json").stdout)) == 2
    one = command("deliveries", "retry", "--all", "--error", "archived", "--yes", "--json")
    assert json.loads(one.stdout) == [{"destination": POSTS, "key": "C1:7:1", "retry": True}]
    done = command("deliveries", "cancel", "--all", "--reason", "moved away", "--yes", "--json")
    assert {row["key"] for row in json.loads(done.stdout)} == {"C1:7:1", "9"}

    async def reasons(store: Store) -> None:
        found = await list_deliveries(store, DeliveryFilter(states=("cancelled",)), 10)
        assert {each.reason for each in found} == {"by an operator: moved away"}

    on(url, reasons)


def test_a_destination_that_waits_is_resumed_by_hand(command: Command, url: str) -> None:
    async def hold(store: Store) -> None:
        async with store.transaction() as tx:
            await lock(tx, POSTS)
            held = Breaker(
                POSTS,
                state="open",
                cause=Sign.BUG,
                reason="KeyError",
                since=tx.now,
                probe_at=tx.now,
                changed_at=tx.now,
            )
            await save(tx, held)

    async def found(_store: Store) -> None:
        (finding,) = await destinations_check(DatabaseSettings(url=SecretStr(url))).look()
        assert (finding.verdict, finding.check) == ("failed", f"destination {POSTS}")
        assert "KeyError" in finding.detail

    on(url, hold)
    on(url, found)
    done = command("deliveries", "resume", POSTS, "--json")
    assert done.exit_code == 0
    assert "KeyError" in json.loads(done.stdout)[0]["it was"]
    assert command("deliveries", "resume", POSTS).exit_code == 1


def test_mistakes_in_arguments_are_usage_errors(command: Command) -> None:
    assert command("deliveries", "retry").exit_code == 2
    assert command("deliveries", "retry", "1", "--all").exit_code == 2
    assert command("deliveries", "cancel", "1").exit_code == 2  # no reason
    assert command("deliveries", "cancel", "1", "--reason", " ").exit_code == 2
    assert command("deliveries", "list", "--state", "lost").exit_code == 2
    assert command("deliveries", "list", "--since", "yesterday").exit_code == 2
    assert command("deliveries", "list", "--since", "2h").exit_code == 0
    assert command("deliveries", "retry", "1").exit_code == 1
    assert command("deliveries", "cancel", "1", "--reason", "why").exit_code == 1


def test_the_old_names_work_as_they_did(command: Command, url: str) -> None:
    on(url, two_dead)
    shown = json.loads(command("given-up", "--json").stdout)
    assert {row["key"] for row in shown} == {"C1:7:1", "C1:8:1"}
    assert list(shown[0]) == ["destination", "key", "lane", "reason", "attempts", "at"]
    assert command("post-again", "nothing").exit_code == 1
    assert json.loads(command("post-again", "C1:7:1", "--json").stdout)[0]["key"] == "C1:7:1"
    assert command("try-again", "--all").exit_code == 0
    assert json.loads(command("given-up", "--json").stdout) == []
