"""`verify`: tickets of the stand-in against the records of the other, both read afresh."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from sfdc_sync.operations.verify import Comparison, Verification
from sfdc_sync.salesforce.client import Salesforce
from supportops.contracts import TicketCreated
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Zendesk
from supportops.vendors.zendesk.exports import ExportPage
from tests.integration.sfdc_sync.app import Service, settled
from tests.integration.sfdc_sync.events import told
from tests.integration.sfdc_sync.sandbox import TICKETS, Outside, command_environment
from tests.support.commands import run_command

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Exported:
    """The tickets named, without the minute that a real export leaves out and its pace."""

    def __init__(self, zendesk: Zendesk, *ids: str) -> None:
        self._zendesk, self._ids = zendesk, ids

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        found = await self._zendesk.tickets(self._ids)
        return ExportPage(tuple(found.values()), "end", last=True, reached=None)


async def verify(service: Service, salesforce: Salesforce, *ids: str, repair: bool = False) -> Comparison:
    exports = Exported(service.zendesk, *ids)
    found = Verification(service.store, exports, salesforce, service.facts, service.policy)
    return await found.run(LONG_AGO, repair=repair)


async def test_what_a_person_changed_is_found_with_both_values_and_mended(
    service: Service, salesforce: Salesforce, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Printer on fire")
    untouched = outside.ticket(subject="All is well")
    await service.hears(
        await told(service.zendesk, ticket, TicketCreated),
        await told(service.zendesk, untouched, TicketCreated),
    )
    async with service.delivering():
        await settled(service.store)
        assert (await verify(service, salesforce, ticket, untouched)).found == []
        record = outside.records()[ticket]["Id"]
        outside.edit(TICKETS, record, Subject__c="Fine", LastModifiedDate="2100-01-01T00:00:00.000+0000")
        result = await verify(service, salesforce, ticket, untouched, repair=True)
        await settled(service.store)
    found = result.found[0]
    assert (found.ticket_id, found.field, found.expected, found.found) == (
        ticket,
        "Subject__c",
        "Printer on fire",
        "Fine",
    )
    assert found.why.startswith("changed in Salesforce at 2100-01-01")
    assert len(result.found) == 1
    assert result.mended == [ticket]
    assert outside.records()[ticket]["Subject__c"] == "Printer on fire"
    writes = [write["record_id"] for write in outside.writes()]
    assert writes.count(outside.records()[untouched]["Id"]) == 1, "what does not differ is not written"


async def test_a_ticket_that_we_never_heard_of_has_its_record_after_the_repair(
    service: Service, salesforce: Salesforce, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Lost webhook")
    result = await verify(service, salesforce, ticket, repair=True)
    assert [(each.field, each.found, each.why) for each in result.found] == [
        ("", "none", "nothing was written")
    ]
    async with service.delivering():
        await settled(service.store)
    assert outside.records()[ticket]["Subject__c"] == "Lost webhook"
    assert (await verify(service, salesforce, ticket)).found == []


async def test_a_record_that_somebody_deleted_is_found(
    service: Service, salesforce: Salesforce, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Printer on fire")
    await service.hears(await told(service.zendesk, ticket, TicketCreated))
    async with service.delivering():
        await settled(service.store)
    outside.remove(TICKETS, outside.records()[ticket]["Id"])
    found = (await verify(service, salesforce, ticket)).found
    assert [each.why for each in found] == ["the record is not there any more"]


async def test_what_changed_after_the_last_fact_is_counted_and_no_difference(
    service: Service, salesforce: Salesforce, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Printer on fire")
    event = await told(service.zendesk, ticket, TicketCreated)
    await service.hears(event.model_copy(update={"version": version_of("2020-01-01T00:00:00Z")}))
    async with service.delivering():
        await settled(service.store)
    outside.act(ticket, "actions", subject="Smoke", status="pending")
    result = await verify(service, salesforce, ticket)
    assert result.found == []
    assert result.older >= 2


async def test_the_command_finds_mends_and_is_content(
    service: Service, outside: Outside, database: str, rules_file: Path
) -> None:
    """Exit code 2 while something differs, also when it is being mended; 0 when the worker has mended it."""
    environment = command_environment(outside, rules_file, database)
    outside.export_at_once()

    async def verify_by_command(*more: str) -> tuple[int, list[dict[str, str]]]:
        done = await asyncio.to_thread(
            run_command, "sfdc_sync", "verify", "--since", "1m", "--json", *more, environment=environment
        )
        return done.returncode, json.loads(done.stdout or "[]")

    ticket, lost = outside.ticket(subject="Printer on fire"), outside.ticket(subject="Lost webhook")
    await service.hears(await told(service.zendesk, ticket, TicketCreated))
    async with service.delivering():
        await settled(service.store)
        outside.edit(TICKETS, outside.records()[ticket]["Id"], Priority__c="urgent")
        code, found = await verify_by_command()
        assert (code, {(row["ticket_id"], row["field"]) for row in found}) == (
            2,
            {(ticket, "Priority__c"), (lost, "")},
        )
        assert await verify_by_command("--repair") == (2, [{**row, "repair": "queued"} for row in found])
        await settled(service.store)
    assert outside.records()[ticket]["Priority__c"] is None
    assert await verify_by_command() == (0, [])
