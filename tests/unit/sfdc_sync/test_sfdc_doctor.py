"""The doctor's checks against describes that lack something."""

from typing import Any

from sfdc_sync.operations.doctor import check_record
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from tests.support.for_each import for_each

RULES = TicketRecordPolicy(
    fields={
        "S__c": FieldRule(source="subject", max_length=255),
        "P__c": FieldRule(source="priority", max_length=40, values={"high": "High"}),
    }
)


def column(name: str, **changes: Any) -> dict[str, Any]:
    usual = {"type": "string", "length": 255, "createable": True, "updateable": True, "nillable": True}
    return {"name": name, **usual, "picklistValues": [], **changes}


def described(**changes: Any) -> dict[str, Any]:
    fields = [column("Zendesk_Ticket_ID__c", externalId=True, unique=True), column("s__c"), column("P__c")]
    usual = {"createable": True, "updateable": True, "queryable": True, "fields": fields}
    return usual | changes


def verdicts(description: dict[str, Any] | None) -> dict[str, str]:
    return {f.check: f.detail for f in check_record(RULES, description) if f.verdict != "ok"}


def test_a_good_object_has_no_findings() -> None:
    assert verdicts(described()) == {}


def test_an_object_that_is_hidden_is_one_finding() -> None:
    assert "may not see it" in verdicts(None)["object Zendesk_Ticket__c"]


def test_an_object_that_cannot_be_written_is_named() -> None:
    assert verdicts(described(createable=False)) == {"object Zendesk_Ticket__c": "not createable"}


@for_each(
    "replacement, check, words",
    [
        (column("Zendesk_Ticket_ID__c", unique=True), "external id Zendesk_Ticket_ID__c", "not marked"),
        (column("Zendesk_Ticket_ID__c", externalId=True), "external id Zendesk_Ticket_ID__c", "not unique"),
        (column("S__c", calculated=True), "field S__c", "formula"),
        (column("S__c", updateable=False), "field S__c", "field-level security"),
        (column("S__c", type="datetime"), "field S__c", "of type datetime"),
        (column("S__c", length=80), "field S__c", "set max_length to 80"),
        (
            column("P__c", restrictedPicklist=True, picklistValues=[{"value": "Low", "active": True}]),
            "field P__c",
            "does not allow low, normal, High, urgent: set values",
        ),
        (column("Must__c", nillable=False), "field Must__c", "required"),
    ],
)
def test_each_shortcoming_is_named(replacement: dict[str, Any], check: str, words: str) -> None:
    fields = [f for f in described()["fields"] if f["name"].lower() != replacement["name"].lower()]
    assert words in verdicts(described(fields=[*fields, replacement]))[check]


STATUS_WORDS = ["New", "Open", "Pending", "On-hold", "Solved", "Closed"]


def test_the_words_that_will_really_be_sent_are_checked() -> None:
    """A restricted picklist without a mapping: every record would be refused, whatever the rules list."""
    picklist = column(
        "Status__c",
        type="picklist",
        length=255,
        restrictedPicklist=True,
        picklistValues=[{"value": word, "active": True} for word in STATUS_WORDS],
    )
    as_shipped = TicketRecordPolicy(fields={"Status__c": FieldRule(source="status", max_length=40)})
    fields = [column("Zendesk_Ticket_ID__c", externalId=True, unique=True), picklist]
    found = {f.check: f for f in check_record(as_shipped, described(fields=fields))}["field Status__c"]
    assert found.verdict == "failed"
    assert found.detail == "does not allow new, open, pending, hold, solved, closed: set values"
    words = zip(("new", "open", "pending", "hold", "solved", "closed"), STATUS_WORDS, strict=True)
    mapped = TicketRecordPolicy(
        fields={"Status__c": FieldRule(source="status", values=dict(words), max_length=40)}
    )
    assert {f.verdict for f in check_record(mapped, described(fields=fields))} == {"ok"}


def test_a_restricted_picklist_for_free_text_is_warned_of() -> None:
    form = column(
        "F__c", type="picklist", restrictedPicklist=True, picklistValues=[{"value": "A", "active": True}]
    )
    policy = TicketRecordPolicy(fields={"F__c": FieldRule(source="form_id", max_length=40)})
    fields = [column("Zendesk_Ticket_ID__c", externalId=True, unique=True), form]
    found = {f.check: f for f in check_record(policy, described(fields=fields))}["field F__c"]
    assert (found.verdict, found.detail) == ("warning", "takes 1 words only, and form_id may be any text")


def test_a_field_that_is_absent_may_be_hidden() -> None:
    fields = [f for f in described()["fields"] if f["name"] != "P__c"]
    assert "field-level security hides it" in verdicts(described(fields=fields))["field P__c"]
