"""Salesforce's bad days: afterwards every ticket has its one record, in its newest state."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.ticket_records.repository import given_up, write_again
from supportops.delivery import Courier
from tests.integration.sfdc_sync.app import Service, events_written, settled, states
from tests.integration.sfdc_sync.events import created, solved, updated
from tests.integration.sfdc_sync.sandbox import Outside, command_environment
from tests.support.commands import run_command
from tests.support.eventually import eventually

TEN = [str(n) for n in range(10, 20)]


def paused(service: Service) -> float:
    """Attempts that ended in a pause of the destination."""
    return service.metrics.value("delivery_attempts", destination=TICKET_RECORD, outcome="paused")


async def ten_tickets(service: Service) -> None:
    await service.hears(*(created(ticket_id) for ticket_id in TEN))


async def test_a_session_that_expires_between_batches_is_replaced(service: Service, outside: Outside) -> None:
    await ten_tickets(service)
    async with service.delivering():
        await settled(service.store)
        outside.expire_sessions()
        await service.hears(*(solved(ticket_id, 60) for ticket_id in TEN))
        await settled(service.store)
    assert {record["Status__c"] for record in outside.records().values()} == {"solved"}
    assert sorted(outside.records()) == TEN


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "expire_session", "count": 1},
        {"kind": "expire_session", "path": "composite/sobjects", "count": 1},
        {"kind": "error", "status": 503, "count": 3},
        {"kind": "error", "status": 500, "code": "UNABLE_TO_LOCK_ROW", "count": 2},
        {"kind": "error", "status": 500, "code": "UNKNOWN_EXCEPTION", "count": 2},
        {"kind": "drop", "count": 2},
        {"kind": "drop_after_commit", "count": 2},
        {"kind": "hang", "delay": 3.0, "count": 1},
        {"kind": "rate_limit", "count": 1},
        {"kind": "error", "status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "count": 1},
        {
            "kind": "error",
            "status": 403,
            "code": "REQUEST_LIMIT_EXCEEDED",
            "path": "composite/sobjects",
            "count": 1,
        },
        {"kind": "error", "status": 400, "code": "INVALID_FIELD", "count": 1},
        {"kind": "error", "status": 401, "count": 2},
        {"kind": "error", "status": 503, "path": "oauth2/token", "count": 1},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_a_bad_day_delays_but_loses_and_doubles_nothing(
    service: Service, outside: Outside, fault: dict[str, Any]
) -> None:
    outside.arm(**fault)
    await ten_tickets(service)
    async with service.delivering():
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}
    assert sorted(outside.records()) == TEN
    assert len(await events_written(service.store)) == len(TEN)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 503, "count": 2},
        {"kind": "rate_limit", "retry_after": 1, "count": 1},
        {"kind": "drop", "count": 1},
        {"kind": "error", "status": 403, "count": 1},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_names_that_cannot_be_read_now_are_read_later(
    service: Service, outside: Outside, fault: dict[str, Any]
) -> None:
    """A record without its names would be wrong, and a refusal is about our rights, not about these tickets."""
    outside.arm(service="zendesk", path="show_many", **fault)
    await ten_tickets(service)
    async with service.delivering():
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}
    assert {r["Organization_Name__c"] for r in outside.records().values()} == {"Groablet Enterprises"}
    assert {r["Requester_Email__c"] for r in outside.records().values()} == {"rita@groablet.example"}


async def test_no_log_line_holds_a_session_or_a_secret(
    service: Service, outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    outside.arm("error", status=401, count=2)
    outside.arm("error", status=400, code="INVALID_FIELD", count=1)
    await ten_tickets(service)
    async with service.delivering():
        await settled(service.store)
    logged = "".join(capsys.readouterr())
    assert "delivery.attempted" in logged
    assert not re.search(r"00D[0-9A-Za-z]{12}|sandbox-secret|rita@|Printer on fire", logged)


async def test_rows_that_are_locked_are_tried_again_alone(service: Service, outside: Outside) -> None:
    outside.arm("record_error", code="UNABLE_TO_LOCK_ROW", count=3)
    await ten_tickets(service)
    async with service.delivering():
        await settled(service.store)
    writes = [write["external_ids"]["Zendesk_Ticket_ID__c"] for write in outside.writes()]
    assert sorted(writes) == TEN  # the seven that were written at once were not written again
    assert outside.calls() == 3, "a look-up for all, a call for all, and one for the three"


async def test_a_race_is_repeated_at_once(service: Service, outside: Outside) -> None:
    outside.arm("record_error", code="DUPLICATE_VALUE", count=2)
    await ten_tickets(service)
    async with service.delivering():
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}
    assert sorted(outside.records()) == TEN


async def test_a_race_that_lasts_is_waited_out(service: Service, outside: Outside) -> None:
    """Another writer's transaction may be open for about a second: more than the tries of one batch."""
    outside.arm("record_error", code="DUPLICATE_VALUE", count=9)
    await service.hears(created("7"))
    async with service.delivering():
        outcomes = await settled(service.store)
    assert outcomes == {"7:created": "done done"}
    assert len(outside.writes()) == 1


async def test_a_record_that_is_refused_for_good_is_dead_and_its_neighbours_are_written(
    service: Service, outside: Outside
) -> None:
    outside.arm("record_error", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", count=1)
    await ten_tickets(service)
    async with service.delivering():
        outcomes = await settled(service.store)
    assert sorted(outcomes.values()) == ["dead give_up"] + ["done done"] * 9
    assert len(outside.records()) == 9


async def test_an_operator_has_what_was_given_up_on_written_again(service: Service, outside: Outside) -> None:
    outside.arm("record_error", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", count=2)
    await ten_tickets(service)
    async with service.delivering():
        await settled(service.store)
        async with service.store.transaction() as tx:
            dead = await given_up(tx)
            assert await write_again(tx, [*dead, "404"]) == dead
        await settled(service.store)
        async with service.store.transaction() as tx:
            assert await given_up(tx) == []
    assert len(dead) == 2
    assert sorted(outside.records()) == TEN
    assert len(outside.writes()) == len(TEN)


async def test_deliveries_retry_writes_what_was_given_up_on_and_nothing_that_was_written_since(
    service: Service, outside: Outside, database: str, rules_file: Path
) -> None:
    outside.arm("record_error", code="FIELD_CUSTOM_VALIDATION_EXCEPTION", count=2)
    await service.hears(created("10"), created("11"))
    environment = command_environment(outside, rules_file, database)
    async with service.delivering():
        assert set((await settled(service.store)).values()) == {"dead give_up"}
        await service.hears(solved("11", 60))
        await settled(service.store)
        done = await asyncio.to_thread(
            run_command, "sfdc_sync", "deliveries", "retry", "--all", "--yes", environment=environment
        )
        assert done.returncode == 0, done.stderr
        outcomes = await settled(service.store)
    assert outcomes == {
        "10:created": "done done",
        "11:created": "done moot",
        "11:solved:2026-11-02T09:01:00Z": "done done",
    }
    assert [record["Status__c"] for record in outside.records().values()] == ["solved", "new"]
    assert len(outside.writes()) == 2


async def test_an_operator_may_repair_a_record_that_somebody_changed(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        for _ in range(2):
            async with service.store.transaction() as tx:
                await write_again(tx, ["7"])
            await settled(service.store)
    assert [write["kind"] for write in outside.writes()] == [
        "salesforce.record.created",
        "salesforce.record.updated",
        "salesforce.record.updated",
    ]


async def test_quota_stops_the_calls_until_there_is_some_again(service: Service, outside: Outside) -> None:
    outside.limit(daily=0)
    await ten_tickets(service)
    async with service.delivering():
        await eventually(lambda: paused(service) >= 10, within=10, about="the pause")
        asked = outside.calls()
        await service.hears(*(updated(ticket_id, 30) for ticket_id in TEN))
        assert outside.calls() - asked <= 1  # one look per pause, not one per row
        outside.limit(daily=100_000)
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}
    assert {record["Status__c"] for record in outside.records().values()} == {"open"}


async def test_our_share_of_the_quota_pauses_before_it_is_used_up(service: Service, outside: Outside) -> None:
    outside.limit(daily=3)
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(solved("7", 60))
        await settled(service.store)  # 2 of 3 used, a look-up and a write: one more is in our share
        asked = outside.calls()
        await service.hears(solved("7", 120))
        await eventually(lambda: paused(service) >= 1, within=10, about="the pause")
        assert outside.calls() == asked
        outside.limit(daily=100_000)
        await settled(service.store)
    assert outside.records()["7"]["Solved_At__c"].startswith("2026-11-02T09:02:00")


async def test_newer_facts_during_a_slow_call_are_written_after_it(
    service: Service, outside: Outside
) -> None:
    outside.arm("slow", delay=0.5, count=1)
    await service.hears(created("7"))
    async with service.delivering():

        async def in_flight() -> dict[str, str]:
            return {k: state for k, state in (await states(service.store)).items() if "leased" in state}

        flying: dict[str, str] = await eventually(in_flight, within=10, about="the slow call")
        assert list(flying) == ["7:created"]
        await service.hears(solved("7", 60))
        await settled(service.store)
    assert outside.records()["7"]["Status__c"] == "solved"
    assert next(write["kind"] for write in outside.writes()) == "salesforce.record.created"


async def test_a_write_whose_worker_died_is_repeated_and_stays_one_record(
    service: Service, outside: Outside
) -> None:
    """The record is written, the outcome is not: as after a SIGKILL between the two."""
    await service.hears(created("7"))
    outside.arm("drop_after_commit", count=1)
    async with service.delivering():
        await eventually(lambda: outside.writes(), within=10, about="the write")
    await service.hears(solved("7", 60))
    async with service.delivering():
        await settled(service.store)
    assert outside.records()["7"]["Status__c"] == "solved"
    assert len(outside.records()) == 1


async def test_two_couriers_share_the_work_without_doubling_it(service: Service, outside: Outside) -> None:
    ids = [str(n) for n in range(100, 700)]
    await service.hears(*(created(ticket_id) for ticket_id in ids))
    stopping = asyncio.Event()
    couriers = [Courier(service.store, [service.records], service.metrics) for _ in range(2)]
    running = [asyncio.create_task(courier.run(stopping)) for courier in couriers]
    await settled(service.store)
    stopping.set()
    async with asyncio.timeout(timedelta(seconds=10).total_seconds()):
        await asyncio.gather(*running)
    assert sorted(outside.records()) == ids
    assert len(outside.writes()) == len(ids)
