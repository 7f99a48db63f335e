"""The database is away while webhooks come: the disk takes them, and the database gets them later."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.webhooks import intake, repository
from ingest.webhooks.repository import WebhookFilter
from supportops.contracts import TicketEvent
from supportops.store import migrate
from tests.integration.ingest.app import Ingest, running
from tests.support import zendesk_bodies as z
from tests.support.databases import on_the_side
from tests.support.eventually import eventually
from tests.support.servers import Server


def body(number: int) -> bytes:
    return z.as_bytes(z.native("ticket.undeleted", detail={"id": str(number)}))


def tickets(events: list[Any]) -> list[int]:
    assert all(isinstance(event, TicketEvent) for event in events)
    return [int(event.ticket_id) for event in events]


def is_away(ingest: Ingest) -> bool:
    return ingest.intake.away


def left_in(spool: Path) -> list[Path]:
    return list(spool.glob("*.spool"))


async def drained(ingest: Ingest, count: int) -> None:
    async def all_there() -> bool:
        return len(await ingest.rows()) == count and not left_in(ingest.spool)

    await eventually(all_there, about=f"{count} webhooks in the database")


@pytest.mark.both_databases
async def test_away_and_back(ingest: Ingest) -> None:
    assert (await ingest.post(body(1))).status_code == 200
    ingest.moody.down = True
    for number in range(2, 12):
        assert (await ingest.post(body(number))).status_code == 200
    assert is_away(ingest)
    assert ingest.metrics.value("spool_bodies") == 10
    assert len(await ingest.rows()) == 1
    ingest.moody.down = False
    await drained(ingest, 11)
    assert tickets(await ingest.promised()) == list(range(1, 12)), "in the order they came"
    assert not is_away(ingest)
    assert ingest.metrics.value("spool_bodies") == 0
    assert (await ingest.post(body(12))).status_code == 200
    assert len(await ingest.rows()) == 12


async def test_received_at_is_the_moment_it_came(ingest: Ingest) -> None:
    ingest.moody.down = True
    await ingest.post(body(1))
    before = (await ingest.post(body(2))).status_code
    assert before == 200
    ingest.moody.down = False
    await drained(ingest, 2)
    first, second = await ingest.rows()
    assert first["received_at"] < second["received_at"]
    assert (first["ticket_id"], second["ticket_id"]) == ("1", "2")


async def test_a_database_that_hangs_is_away_too(ingest: Ingest) -> None:
    ingest.moody.hangs = True
    answers = await asyncio.gather(*(ingest.post(body(number)) for number in (1, 2, 3)))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert is_away(ingest)
    ingest.moody.hangs = False
    ingest.moody.down = True
    assert (await ingest.post(body(4))).status_code == 200
    ingest.moody.down = False


async def test_spooled_and_stored_is_still_one(ingest: Ingest) -> None:
    """A commit whose answer came too late: the webhook is in both, its key makes it one."""
    await ingest.post(body(1))
    twice = body(2)
    await ingest.post(twice)
    ingest.moody.down = True
    await ingest.post(twice)
    ingest.moody.down = False
    await drained(ingest, 2)
    assert tickets(await ingest.promised()) == [1, 2]


async def test_what_an_earlier_process_spooled_is_drained_at_start(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_database("ingest")
    async with running(url, tmp_path) as first:
        first.moody.down = True
        for number in (1, 2, 3):
            await first.post(body(number))
    assert left_in(tmp_path)
    async with running(url, tmp_path) as second:
        await drained(second, 3)
        assert tickets(await second.promised()) == [1, 2, 3]


async def test_database_and_disk_away_is_503_with_retry_after(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"not a folder")
    async with running(new_database("ingest"), tmp_path / "file" / "spool") as ingest:
        ingest.moody.down = True
        answer = await ingest.post(body(1))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "55")
        assert (await ingest.post(body(1), secret="wrong")).status_code == 401
        ingest.moody.down = False

        async def accepted() -> bool:
            return (await ingest.post(body(1))).status_code == 200

        await eventually(accepted)
        assert len(await ingest.rows()) == 1


async def test_an_outage_of_hours_makes_few_segments(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks whether the database is back leaves the segment in hand alone: it was two a second."""
    monkeypatch.setattr(intake, "PROBE_EVERY", timedelta(milliseconds=1))
    ingest.moody.down = True
    for number in range(1, 10):
        await ingest.post(body(number))
        enough = ingest.moody.asked + 4

        def looked(enough: int = enough) -> bool:
            return ingest.moody.asked >= enough

        await eventually(looked, about="somebody looks")
    assert len(left_in(ingest.spool)) == 1
    ingest.moody.down = False
    await drained(ingest, 9)


async def test_a_damaged_segment_is_drained_and_kept(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    url = new_database("ingest")
    async with running(url, tmp_path) as first:
        first.moody.down = True
        for number in (1, 2, 3):
            await first.post(body(number))
    (segment,) = left_in(tmp_path)
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) - 100])
    async with running(url, tmp_path) as second:
        await drained(second, 2)
        await eventually(lambda: second.metrics.value("spool_damage") == 1)
    assert segment.with_suffix(".damaged").read_bytes() == whole[: len(whole) - 100]


async def test_poison_is_parked_and_its_neighbours_pass(ingest: Ingest) -> None:
    evil = z.native("ticket.undeleted", detail={"id": "666"})
    ingest.moody.poison = f"{z.ACCOUNT}:event:{evil['id']}"
    bodies = [body(1), z.as_bytes(evil), body(2)]
    answers = await asyncio.gather(*(ingest.post(each) for each in bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(tickets(await ingest.promised())) == [1, 2]
    (parked,) = [row for row in await ingest.rows() if row["disposition"] == "parked"]
    assert (parked["body"], parked["reason"]) == (z.as_bytes(evil), "could not be stored: DataError")
    ingest.moody.poison = ""
    replayed = await repository.replay(ingest.store, ingest.account, WebhookFilter(disposition="parked"))
    assert (replayed.webhooks, replayed.events) == (1, 1)
    assert sorted(tickets(await ingest.promised())) == [1, 2, 666]


async def test_poison_in_the_spool_is_parked_too(ingest: Ingest) -> None:
    evil = z.native("ticket.undeleted", detail={"id": "666"})
    ingest.moody.poison = f"{z.ACCOUNT}:event:{evil['id']}"
    ingest.moody.down = True
    for each in (body(1), z.as_bytes(evil), body(2)):
        await ingest.post(each)
    ingest.moody.down = False
    await drained(ingest, 3)
    assert tickets(await ingest.promised()) == [1, 2]
    assert [row["disposition"] for row in await ingest.rows()] == ["published", "parked", "published"]


async def test_a_request_after_the_intake_has_stopped_serves_itself(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    """The server finishes its open requests while the intake has stopped already."""
    async with running(new_database("ingest"), tmp_path) as ingest:
        ingest.stopping.set()

        async def stopped() -> bool:
            return not ingest.intake.running

        await eventually(stopped)
        assert (await ingest.post(body(1))).status_code == 200
        assert len(await ingest.rows()) == 1


async def test_a_real_database_is_killed_and_started(
    own_server: Callable[[Any], Server], tmp_path: Path
) -> None:
    server = own_server("postgres")
    migrate_there(server.address)
    async with running(server.address, tmp_path) as ingest:
        assert (await ingest.post(body(1))).status_code == 200
        server.kill()
        for number in range(2, 40):
            assert (await ingest.post(body(number))).status_code == 200
        server.start()
        await drained(ingest, 39)
        assert sorted(tickets(await ingest.promised())) == list(range(1, 40))


def migrate_there(url: str) -> None:
    on_the_side(lambda: migrate.upgrade(url, "ingest"))
