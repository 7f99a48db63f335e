"""The doctor's checks against describes that lack something."""

from typing import Any

import pytest

from sfdc_sync.operations.doctor import check_record
from sfdc_sync.policy import FieldRule, TicketRecordPolicy

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


@pytest.mark.parametrize(
    ("replacement", "check", "words"),
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
            "does not allow High",
        ),
        (column("Must__c", nillable=False), "field Must__c", "required"),
    ],
)
def test_each_shortcoming_is_named(replacement: dict[str, Any], check: str, words: str) -> None:
    fields = [f for f in described()["fields"] if f["name"].lower() != replacement["name"].lower()]
    assert words in verdicts(described(fields=[*fields, replacement]))[check]


def test_a_field_that_is_absent_may_be_hidden() -> None:
    fields = [f for f in described()["fields"] if f["name"] != "P__c"]
    assert "field-level security hides it" in verdicts(described(fields=fields))["field P__c"]
