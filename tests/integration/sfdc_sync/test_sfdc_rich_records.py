"""Every source and every type of field, from a ticket of the one stand-in to a record of the other."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from sfdc_sync.operations.explain import explain_ticket
from sfdc_sync.operations.verify import Verification
from sfdc_sync.policy.fields import SOURCES, FieldType
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import FACTS
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.ticket_records.handlers import TicketHandlers
from supportops.contracts import (
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from tests.integration.sfdc_sync.app import Service, settled, states
from tests.integration.sfdc_sync.events import told
from tests.integration.sfdc_sync.rich_mapping import ADA, SUPPORT, prepare, rich_rules, rich_ticket
from tests.integration.sfdc_sync.sandbox import TICKETS, Outside

ACME_ACCOUNT, JOS_CONTACT = "0018a00001rBqb8AAC", "0035500001H9ka0AAB"

FIXED = {
    "Subject__c": "Printer on fire",
    "Description__c": "It burns",
    "Status__c": "Open",
    "Priority__c": "P4",
    "Kind__c": "Other",
    "Tags__c": "login;mobile",
    "External__c": "crm-7",
    "Channel__c": "api",
    "Public__c": True,
    "Solved_At__c": None,
    "Deleted__c": False,
    "Merged_Into__c": None,
    "Form_Name__c": "Self-Managed",
    "Brand_Name__c": "Example",
    "Group__c": str(SUPPORT),
    "Group_Name__c": "Support",
    "Assignee__c": str(ADA),
    "Assignee_Name__c": "Ada Agent",
    "Assignee_Email__c": "ada@support.example",
    "Requester_Name__c": "Una User",
    "Requester_Email__c": "una@rich.example",
    "Requester_Tier__c": "gold",
    "Organization_Name__c": "Rich Ltd",
    "Plan__c": "Ultimate",
    "ARR__c": 100000.0,
    "Seats__c": 251.0,
    "Account_Name__c": "Rich Ltd",
    "Account_Match__c": "salesforce_id",
    "Contact_Match__c": "email",
    "SLA_Stage__c": "active",
    "SLA_Metric__c": "first_reply_time",
    "SLA_Breach_At__c": "2026-11-02T12:30:00.000+0000",
    "Severity__c": "S1",
    "Affected__c": None,
    "Products__c": "Geo;CI",
    "Loss__c": 1234.01,
    "Since__c": None,
    "Escalated__c": True,
    "Partner__c": ACME_ACCOUNT,
    "Backup_Contact__c": None,
}
"""What every record of the rich ticket has."""


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> SfdcPolicy:
    """`@pytest.mark.parametrize("rules", [...], indirect=True)` says what differs from the file."""
    return rich_rules(**getattr(request, "param", {}))


@pytest.fixture
def ticket(outside: Outside, rules: SfdcPolicy) -> str:
    prepare(outside, rules)
    return rich_ticket(outside)


async def hears(service: Service, ticket_id: str, kind: type[TicketEvent], **more: Any) -> None:
    """An event that tells the ticket as it is now, and everything that follows from it done."""
    await service.hears(await told(service.zendesk, ticket_id, kind, **more))
    await settled(service.store)


def record_of(outside: Outside, ticket_id: str) -> dict[str, Any]:
    return outside.records()[f"acme:{ticket_id}"]


def test_the_file_has_every_source_and_every_type() -> None:
    record = rich_rules().ticket_record
    assert record.sources >= SOURCES
    assert {rule.type for rule in record.fields.values()} == set(get_args(FieldType))


async def test_every_field_of_a_new_ticket_is_right(service: Service, outside: Outside, ticket: str) -> None:
    fresh = (await service.zendesk.tickets([ticket]))[ticket]
    async with service.delivering():
        await hears(service, ticket, TicketCreated)
    record = record_of(outside, ticket)
    account = next(each for each in outside.all_records("Account") if each["Name"] == "Rich Ltd")["Id"]
    contact = next(each for each in outside.all_records("Contact") if each["LastName"] == "User")["Id"]
    expected = FIXED | {
        "Number__c": float(ticket),
        "Ticket_URL__c": f"{outside.base_url}/zendesk/agent/tickets/{ticket}",
        "Created_At__c": f"{fresh.created_at:%Y-%m-%dT%H:%M:%S}.000+0000",
        "Created_On__c": f"{fresh.created_at:%Y-%m-%d}",
        "Updated_At__c": f"{fresh.updated_at:%Y-%m-%dT%H:%M:%S}.000+0000",
        "Form__c": fresh.form_id,
        "Brand__c": fresh.brand_id,
        "Custom_Status__c": fresh.custom_status_id,
        "Requester__c": fresh.requester_id,
        "Submitter__c": fresh.submitter_id,
        "Organization__c": fresh.organization_id,
        "Organization_Account__c": account,
        "Account__c": account,
        "Contact__c": contact,
    }
    assert {name: record[name] for name in expected} == expected
    assert set(expected) == set(service.policy.ticket_record.fields), "no field is left out of this test"


async def test_what_was_cut_translated_or_left_out_is_explained(service: Service, ticket: str) -> None:
    async with service.delivering():
        await hears(service, ticket, TicketCreated)
    async with service.store.reading() as conn:
        story = await explain_ticket(conn, ticket, service.store.clock.now(), False)
    (written,) = [line.detail for line in story.lines if line.what == "record written"]
    assert written.split("; ")[1:] == [
        "Affected__c: not a number",
        "Since__c: not a moment",
        "Backup_Contact__c: the id of another kind of record: begins with 001, not 003",
        "Subject__c: cut at 17 characters",
        "Priority__c: a word without a translation became P4",
        "Kind__c: a word without a translation became Other",
        "ARR__c: rounded to 2 decimals",
        "Seats__c: rounded to 0 decimals",
        "Loss__c: rounded to 2 decimals",
    ]
    assert "dozen" not in str(story), "the words never hold the value"


JO, ACME = 8447388090602, 8447346622463


async def test_the_record_follows_its_ticket_through_its_life(
    service: Service, outside: Outside, ticket: str
) -> None:
    def now(*names: str) -> list[Any]:
        return [record_of(outside, ticket)[f"{name}__c"] for name in names]

    async with service.delivering():
        await hears(service, ticket, TicketCreated)
        outside.act(ticket, "actions", requester_id=JO)
        await hears(service, ticket, TicketUpdated, zendesk_type="requester_changed")
        assert now("Requester_Email", "Contact", "Contact_Match") == ["jo@acme.example", JOS_CONTACT, "email"]
        assert now("Account_Name") == ["Rich Ltd"], "the organization is still the old one"
        outside.act(ticket, "actions", organization_id=ACME)
        await hears(service, ticket, TicketUpdated, zendesk_type="organization_changed")
        assert now("Organization_Name", "Account", "Plan") == ["Acme Ltd", ACME_ACCOUNT, "Premium"]
        outside.act(ticket, "delete")
        await hears(service, ticket, TicketDeleted)
        assert now("Status", "Deleted", "Subject") == ["Deleted", True, "Printer on fire"]
        outside.act(ticket, "undelete")
        await hears(service, ticket, TicketUndeleted)
        assert now("Status", "Deleted") == ["Open", False]
        other = outside.ticket(subject="The other one")
        outside.act(ticket, "merge", into=other)
        await hears(service, ticket, TicketMerged, target_ticket_id=other)
        assert now("Status", "Merged_Into") == ["Closed", float(other)]
    assert len(outside.all_records(TICKETS)) == 1


@pytest.mark.parametrize("rules", [{"deleted": "keep"}, {"deleted": "delete"}], indirect=True)
async def test_a_deleted_tickets_record_stays_or_goes_by_rule(
    service: Service, outside: Outside, ticket: str
) -> None:
    async with service.delivering():
        await hears(service, ticket, TicketCreated)
        before = record_of(outside, ticket)
        outside.act(ticket, "delete")
        await hears(service, ticket, TicketDeleted)
        kept = service.policy.ticket_record.deleted == "keep"
        assert outside.all_records(TICKETS) == ([before] if kept else [])
        outside.act(ticket, "undelete")
        await hears(service, ticket, TicketUndeleted)
    after = record_of(outside, ticket)
    assert (after["Status__c"], after["Account_Name__c"]) == ("Open", "Rich Ltd")
    assert (after["Id"] == before["Id"]) == kept


async def test_each_fact_is_written_where_the_rules_name_it_and_nothing_else(
    service: Service, outside: Outside
) -> None:
    for fact in FACTS:
        handlers = TicketHandlers(rich_rules(write_on=(fact,)).ticket_record).table()
        ticket = outside.ticket(subject=f"Only {fact}")

        async def heard(
            kind: type[TicketEvent], ticket: str = ticket, table: Any = handlers, **more: Any
        ) -> None:
            event = await told(service.zendesk, ticket, kind, **more)
            async with service.store.transaction() as tx:
                await table.run([event], tx)

        await heard(TicketCreated)
        outside.act(ticket, "actions", requester_id=JO)
        await heard(TicketUpdated, zendesk_type="requester_changed")
        outside.act(ticket, "actions", organization_id=ACME)
        await heard(TicketUpdated, zendesk_type="organization_changed")
        outside.act(ticket, "solve")
        await heard(TicketSolved, solved_at=datetime.now(UTC))
        outside.act(ticket, "delete")
        await heard(TicketDeleted)
        outside.act(ticket, "undelete")
        await heard(TicketUndeleted)
        outside.act(ticket, "merge", into=outside.ticket(subject="The other one"))
        await heard(TicketMerged)
        keys = [key for key in await states(service.store) if key.startswith(f"{ticket}:")]
        told_by_tickets = [] if fact == "account" else [fact]  # merges of accounts are told by no ticket
        assert [key.split(":")[1] for key in keys] == told_by_tickets


async def test_a_ticket_that_we_never_heard_of_gets_the_whole_record_by_verify(
    service: Service, salesforce: Salesforce, outside: Outside, ticket: str
) -> None:
    outside.export_at_once()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    found = Verification(service.store, service.zendesk.exports, salesforce, service.facts, service.policy)
    async with service.delivering():
        assert [each.why for each in (await found.run(long_ago, repair=True)).found] == [
            "nothing was written"
        ]
        await settled(service.store)
        by_verify = record_of(outside, ticket)
        await hears(service, ticket, TicketCreated)
        assert len(outside.writes()) == 1, "the event tells nothing that the reading did not"
    assert by_verify["Description__c"] == "It burns"
