"""`ingest explain` and `ingest doctor`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.operations.doctor import checks, told_twice
from ingest.operations.explain import explain_ticket, road_of
from ingest.policy import DEFAULT_KINDS, IngestPolicy
from ingest.settings import Settings
from supportops.operations.checks import examine
from tests.integration.ingest.app import Ingest, running
from tests.support import zendesk_bodies as z
from tests.support.for_each import for_each


async def test_a_tickets_webhooks_are_told_with_road_and_fate(ingest: Ingest) -> None:
    body = z.native("ticket.status_changed", {"current": "SOLVED", "previous": "OPEN"})
    await ingest.send(body)
    await ingest.send(body)
    await ingest.send(z.native("ticket.status_changed", {"current": "SOLVED"}, account_id=777))
    async with ingest.store.reading() as conn:
        told = await explain_ticket(conn, "5158", datetime.now(UTC), False)
        full = await explain_ticket(conn, "5158", datetime.now(UTC), True)
        stranger = await explain_ticket(conn, "404", datetime.now(UTC), False)
    assert (told.known, stranger.known) == (True, False)
    assert told.standing["webhooks"].startswith("1 parked, 1 published; last ")
    assert told.standing["events"].startswith("1 wait for the broker since ")
    published, parked = sorted(told.lines, key=lambda line: line.what, reverse=True)
    assert published.what == "webhook published"
    assert "by native, came 1 times more" in published.detail
    assert parked.what == "webhook parked: another account"
    assert "body" not in told.document["webhooks"][0]
    assert "SOLVED" in str(full.document["webhooks"])


def test_the_road_is_in_the_key() -> None:
    assert [road_of(f"1:{kind}:x") for kind in ("event", "trigger", "body", "other")] == [
        "native",
        "trigger",
        "unreadable",
        "unknown",
    ]


@for_each(
    "kinds, twice",
    [
        ((), ""),
        (("ticket.created", "ticket.status_changed", "trigger:escalated"), ""),
        (("trigger:ticket-solved", "trigger:created"), ""),
        (("ticket.created", "trigger:ticket-solved"), ""),
        (("ticket.status_changed", "trigger:ticket-solved", "trigger:created"), "ticket-solved"),
        (("ticket.csat_received", "trigger:csat-received", "trigger:feierabend"), "csat-received"),
        (("ticket.created", "trigger:neu"), "neu"),
    ],
)
def test_what_comes_on_two_roads(kinds: tuple[str, ...], twice: str) -> None:
    found = told_twice(kinds, {**DEFAULT_KINDS, "neu": "created"})
    assert (found.verdict == "warning", found.detail.partition("too: ")[2]) == (bool(twice), twice)


async def test_the_doctor_sees_disk_and_parked_bodies(
    new_database: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database("ingest")
    for name, value in {
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "INGEST_ACCOUNT_ID": "22129848",
        "INGEST_WEBHOOK_SECRETS": "a-secret-of-these-tests",
        "INGEST_SPOOL_DIR": str(tmp_path / "spool"),
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()

    async def verdicts() -> dict[str, str]:
        async with checks(settings, IngestPolicy()) as own:
            return {found.check: found.verdict for found in await examine(own)}

    every = ("spool", "spooled webhooks", "spool damage", "parked webhooks", "roads")
    assert await verdicts() == dict.fromkeys(every, "ok")
    async with running(url, tmp_path / "spool") as ingest:
        await ingest.post(b"garbage")
    assert (await verdicts())["parked webhooks"] == "warning"
