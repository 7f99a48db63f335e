"""An organization that writes everything: its rules, its fields in Salesforce, and a ticket with a value for each."""

from pathlib import Path
from typing import Any

from sfdc_sync.policy.sfdc import SfdcPolicy
from supportops.config.rules_file import load
from tests.integration.sfdc_sync.app import RULES
from tests.integration.sfdc_sync.sandbox import TICKETS, Outside

FILE = Path(__file__).with_name("rich_mapping.yaml")
ADA, SUPPORT = 8447388090494, 8447320466430
_TYPES = {
    "long_text": "textarea",
    "number": "double",
    "checkbox": "boolean",
    "multi_picklist": "multipicklist",
    "text": "string",
}
"""Of our rules, where Salesforce's own name is another."""
_WORDS = {
    "Status__c": ["New", "Open", "Solved", "Closed", "Deleted"],
    "Priority__c": ["P1", "P2", "P4"],
    "Kind__c": ["Outage", "Other"],
    "Plan__c": ["Ultimate", "Premium"],
    "Severity__c": ["S1"],
    "Products__c": ["CI", "Geo"],
}
"""Picklists that take nothing else."""
PARENTS = {
    "Organization_Account__c": "Account",
    "Account__c": "Account",
    "Contact__c": "Contact",
    "Partner__c": "Account",
    "Backup_Contact__c": "Contact",
}


def rich_rules(**changes: Any) -> SfdcPolicy:
    """The file's record with the patience of these tests; `changes` of `ticket_record`."""
    record = load(FILE, "sfdc_sync", SfdcPolicy).ticket_record
    return RULES.model_copy(update={"ticket_record": record.model_copy(update=changes)})


def prepare(outside: Outside, rules: SfdcPolicy) -> None:
    """The fields of the rules in Salesforce, as strict as their types."""
    fields = [
        {
            "name": name,
            "type": _TYPES.get(rule.type, rule.type),
            "length": rule.max_length or 0,
            "reference_to": PARENTS.get(name),
            "picklist": _WORDS.get(name, []),
            "restricted": name in _WORDS,
        }
        for name, rule in rules.ticket_record.fields.items()
    ]
    outside.define(TICKETS, fields)


def rich_ticket(outside: Outside) -> str:
    """Its id. Most values fit; three do not: a number in words, a sentence for a day, an account for a contact."""
    requester = outside.add_user(
        name="Una User",
        email="una@rich.example",
        user_fields={"tier": "gold"},
        organization_id=_rich(outside),
    )
    custom = {
        360000000001: "sev_1",
        360000000011: "a dozen",
        360000000012: ["geo", "ci"],
        360000000013: "1234.005",
        360000000014: "the other day",
        360000000015: True,
        360000000016: "0018a00001rBqb8",
        360000000017: "001D000000IqhSLIAZ",
    }
    ticket = outside.ticket(
        subject="Printer on fire 🔥🔥",
        description="It burns",
        priority="normal",
        type="problem",
        tags=["login", "mobile"],
        external_id="crm-7",
        requester_id=int(requester),
        assignee_id=ADA,
        group_id=SUPPORT,
        custom_fields=[{"id": key, "value": value} for key, value in custom.items()],
    )
    target = {"metric": "first_reply_time", "stage": "active", "breach_at": "2026-11-02T12:30:00Z"}
    outside.act(ticket, "sla", policy_metrics=[target])
    return ticket


def _rich(outside: Outside) -> int:
    """An organization of a linked account, whose id it holds in 15 characters."""
    (account,) = outside.insert("Account", {"Name": "Rich Ltd", "Type": "Customer"})
    outside.insert(
        "Contact", {"Name": "Una", "LastName": "User", "Email": "una@rich.example", "AccountId": account}
    )
    fields = {
        "salesforce_id": account[:15],
        "support_level": "ultimate",
        "aar": "99999.995",
        "seats_decimal": 250.5,
    }
    return int(outside.add_organization(name="Rich Ltd", organization_fields=fields))
