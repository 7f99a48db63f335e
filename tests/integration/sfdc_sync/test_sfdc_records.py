"""From ticket events to Salesforce records, on a good day."""

import pytest

from sfdc_sync.operations.explain import explain_ticket
from supportops.contracts import TicketSnapshot
from tests.integration.sfdc_sync.app import Service, events_written, settled
from tests.integration.sfdc_sync.events import created, erased, solved, updated
from tests.integration.sfdc_sync.sandbox import GROABLET, GROABLET_ACCOUNT, RITA, Outside


async def test_a_created_ticket_has_its_record(service: Service, outside: Outside) -> None:
    await service.hears(created("35436"))
    async with service.delivering():
        await settled(service.store)
    record = outside.records()["35436"]
    expected = {
        "Subject__c": "Printer on fire",
        "Status__c": "new",
        "Priority__c": "high",
        "Tags__c": "mobile, login",
        "Requester_Id__c": RITA,
        "Requester_Email__c": "rita@groablet.example",
        "Organization_Id__c": GROABLET,
        "Organization_Name__c": "Groablet Enterprises",
        "Account__c": GROABLET_ACCOUNT,
        "Ticket_URL__c": f"{outside.base_url}/zendesk/agent/tickets/35436",
        "Solved_At__c": None,
    }
    assert {name: record[name] for name in expected} == expected
    assert record["Created_At__c"].startswith("2026-11-02T09:00:00")


@pytest.mark.both_databases
async def test_solving_updates_the_same_record_and_says_so(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(solved("7", 60))
        await settled(service.store)
    record = outside.records()["7"]
    assert record["Status__c"] == "solved"
    assert record["Solved_At__c"].startswith("2026-11-02T09:01:00")
    first, second = await events_written(service.store)
    assert (first["created"], second["created"]) == (True, False)
    assert first["record_id"] == second["record_id"] == record["Id"]
    assert second["version"] > first["version"]


async def test_two_facts_in_a_backlog_are_one_write_of_the_newest_state(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"), updated("7", 30, subject="Two printers"), solved("7", 60))
    async with service.delivering():
        outcomes = await settled(service.store)
    assert outcomes == {"7:created": "done done", "7:solved:2026-11-02T09:01:00Z": "done moot"}
    assert [write["kind"] for write in outside.writes()] == ["salesforce.record.created"]
    assert outside.records()["7"]["Status__c"] == "solved"


async def test_a_created_that_comes_after_solved_writes_nothing(service: Service, outside: Outside) -> None:
    await service.hears(solved("7", 60))
    async with service.delivering():
        await settled(service.store)
        before = outside.records()["7"]
        await service.hears(created("7", 0, subject="An old subject"))
        outcomes = await settled(service.store)
    assert outcomes["7:created"] == "done moot"
    assert outside.records()["7"] == before
    assert len(outside.writes()) == 1
    assert service.metrics.value("records_written", result="stale") == 1


async def test_the_same_events_again_schedule_nothing(service: Service, outside: Outside) -> None:
    events = (created("7"), solved("7", 60))
    await service.hears(*events)
    async with service.delivering():
        await settled(service.store)
        await service.hears(*events)
        await service.hears(*reversed(events))
        await settled(service.store)
    assert len(outside.writes()) == 1


async def test_solved_again_is_another_fact(service: Service, outside: Outside) -> None:
    await service.hears(solved("7", 60))
    async with service.delivering():
        await settled(service.store)
        await service.hears(updated("7", 90), solved("7", 120))
        await settled(service.store)
    assert outside.records()["7"]["Solved_At__c"].startswith("2026-11-02T09:02:00")
    assert len(outside.writes()) == 2


async def test_what_is_known_to_be_empty_is_cleared_and_what_is_unknown_is_left(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        later = solved("7", 60)
        partial = TicketSnapshot(status="solved", organization_id=None, priority=None)
        await service.hears(later.model_copy(update={"ticket": partial}))
        await settled(service.store)
    record = outside.records()["7"]
    assert (record["Organization_Name__c"], record["Organization_Id__c"]) == (None, None)
    assert record["Priority__c"] is None
    assert record["Account__c"] == GROABLET_ACCOUNT, "without an organization the contact's account counts"
    assert record["Subject__c"] == "Printer on fire"


async def test_a_thousand_tickets_in_a_backlog_cost_ten_calls_at_most(
    service: Service, outside: Outside
) -> None:
    ids = [str(n) for n in range(1000, 2000)]
    await service.hears(*(created(ticket_id) for ticket_id in ids))
    async with service.delivering():
        await settled(service.store)
    assert sorted(outside.records()) == ids
    assert outside.calls() <= 10
    assert len(await events_written(service.store)) == 1000


async def test_a_ticket_that_was_erased_is_not_written(service: Service, outside: Outside) -> None:
    await service.hears(created("7"), erased("7", 5), updated("7", 3), solved("7", 9))
    async with service.delivering():
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done moot"}
    assert outside.writes() == []


async def test_an_account_that_is_not_there_is_left_out(service: Service, outside: Outside) -> None:
    lost = outside.add_organization(
        name="Lost Ltd", organization_fields={"salesforce_id": "0018a00001rBqb9AAC"}
    )
    await service.hears(created("7", organization_id=lost), created("8"))
    async with service.delivering():
        await settled(service.store)
    assert outside.records()["7"]["Account__c"] is None
    assert outside.records()["7"]["Organization_Name__c"] == "Lost Ltd"
    assert outside.records()["8"]["Account__c"] == GROABLET_ACCOUNT


async def test_hostile_text_arrives_as_text(service: Service, outside: Outside) -> None:
    hostile = "'; DELETE FROM Account -- <script>\u202e\x00\\u0000 {{x}} \U0001f600"
    await service.hears(created("7", subject=hostile))
    async with service.delivering():
        await settled(service.store)
    assert outside.records()["7"]["Subject__c"] == hostile.replace("\x00", "")


async def test_tickets_of_one_account_are_neighbours_in_a_batch(service: Service, outside: Outside) -> None:
    """Inserting a child locks its parent (docs/vendors/salesforce.md#locks)."""
    organizations = {"1": GROABLET, "2": "8447346622463", "3": GROABLET, "4": "8447346622463", "5": None}
    await service.hears(*(created(key, organization_id=value) for key, value in organizations.items()))
    async with service.delivering():
        await settled(service.store)
    written = [write["external_ids"]["Zendesk_Ticket_ID__c"] for write in outside.writes()]
    assert written == ["2", "4", "1", "3", "5"], (
        "the fifth has no organization, but a contact of the first's account"
    )


async def test_people_and_organizations_that_are_gone_cost_nothing_but_their_names(
    service: Service, outside: Outside
) -> None:
    await service.hears(
        created("7", requester_id="999", organization_id="998"), created("8", requester_id="not-a-number")
    )
    async with service.delivering():
        await settled(service.store)
    gone, odd = outside.records()["7"], outside.records()["8"]
    assert (gone["Requester_Email__c"], gone["Organization_Name__c"]) == (None, None)
    assert (gone["Requester_Id__c"], odd["Requester_Id__c"]) == ("999", "not-a-number")


async def test_names_are_read_in_batches_and_remembered(service: Service) -> None:
    await service.hears(*(created(str(n)) for n in range(100, 400)))
    async with service.delivering():
        await settled(service.store)
    read = {
        call: service.metrics.value("vendor_calls", vendor="zendesk", call=call, outcome="ok")
        for call in CALLS
    }
    assert read == dict.fromkeys(CALLS, 1.0)


CALLS = ("users", "organizations")


async def test_a_tickets_history_is_told(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(updated("7", 30, subject="Two printers"))
    async with service.store.reading() as conn:
        now = service.store.clock.now()
        told = await explain_ticket(conn, "7", now, False)
        full = await explain_ticket(conn, "7", now, True)
        stranger = await explain_ticket(conn, "8", now, False)
    record = outside.records()["7"]["Id"]
    assert (told.known, stranger.known) == (True, False)
    assert told.standing["ticket"].startswith("open, revision 2 of ")
    assert told.standing["record"].startswith(f"{record}, revision 1 of ")
    assert "1 revisions behind" in told.standing["record"]
    assert told.standing["account"] == f"{GROABLET_ACCOUNT}, by the rule salesforce_id"
    assert told.standing["contact"] == "0035500001H9kZuAAJ, by the rule email"
    assert "record written" in [line.what for line in told.lines]
    assert "call salesforce.ticket_record" in [line.what for line in told.lines]
    assert "Two printers" not in str(told)
    assert "Two printers" in str(full.document)
