"""A record against its ticket: what is the same, what counts, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sfdc_sync.integrity.comparison import Held, Sides, differences, same
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from supportops.ticket_version import version_of
from tests.support.for_each import for_each

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
POLICY = TicketRecordPolicy(
    fields={
        "Subject__c": FieldRule(source="subject"),
        "Account__c": FieldRule(source="account_id", type="reference"),
    }
)
HELD = Held(AT, version_of(AT, AT))
ROW = {
    "Subject__c": "Fire",
    "account__c": "0018a00001rBqb8AAC",
    "LastModifiedDate": "2026-11-02T09:00:01.000+0000",
}
SIDES = Sides("7", {"Subject__c": "Fire", "Account__c": "0018a00001rBqb8AAC"}, ROW, AT)


@for_each(
    "kind, expected, found, equal",
    [
        ("text", "a\r\nb ", "a\nb", True),
        ("text", "A", "a", False),
        ("text", None, "", True),
        ("text", None, "x", False),
        ("email", "Rita@x.example", "rita@x.example", True),
        ("datetime", "2026-11-02T09:00:00Z", "2026-11-02T09:00:00.000+0000", True),
        ("datetime", "2026-11-02T09:00:00Z", "2026-11-02T10:00:00.000+0100", True),
        ("datetime", "2026-11-02T09:00:00Z", "2026-11-02T09:00:01.000+0000", False),
        ("date", "2026-11-02", "2026-11-02", True),
        ("number", 4, 4.0, True),
        ("currency", 2.5, "2.50", True),
        ("number", 4, "four", False),
        ("checkbox", True, True, True),
        ("checkbox", False, None, False),
        ("checkbox", True, False, False),
        ("reference", "0018a00001rBqb8AAC", "0018a00001rBqb8", True),
        ("reference", "0018a00001rBqb8AAC", "0018A00001rBqb8", False),
        ("multi_picklist", "a;b", "b;a", True),
        ("multi_picklist", "a;b", "a", False),
    ],
)
def test_what_is_the_same(kind: str, expected: object, found: object, equal: bool) -> None:
    rule = FieldRule.model_validate({"source": "subject", "type": kind})
    assert same(rule, expected, found) is equal


def told(sides: Sides, held: Held = HELD) -> tuple[dict[str, str], int]:
    found, older = differences(POLICY, sides, held)
    return {each.field: each.why for each in found}, older


def other(**changes: Any) -> Sides:
    return replace(SIDES, expected={**SIDES.expected, **changes})


LATER = AT + timedelta(hours=1)
EDITED = {**ROW, "LastModifiedDate": "2026-11-02T11:30:00.000+0000"}


def test_nothing_differs() -> None:
    assert told(SIDES) == ({}, 0)


def test_a_value_that_was_never_written_counts() -> None:
    assert told(other(Subject__c="Smoke")) == ({"Subject__c": "was never written so"}, 0)


def test_a_value_that_changed_after_the_last_fact_is_only_older() -> None:
    assert told(replace(other(Subject__c="Smoke"), changed=LATER)) == ({}, 1)


def test_a_solve_that_nobody_wrote_counts_with_all_that_differs() -> None:
    """Its event was lost, or came while somebody else wrote the records; after it no later change is an excuse."""
    smoke = replace(other(Subject__c="Smoke"), changed=LATER)
    assert told(replace(smoke, solved=AT)) == ({}, 1), "that solve is the one that was written"
    why = "it changed in Zendesk, and nothing was written"
    assert told(replace(smoke, solved=LATER)) == ({"Subject__c": why}, 0)
    assert told(replace(smoke, solved=AT), Held()) == ({"Subject__c": "the record was not written by us"}, 0)


def test_an_account_that_changed_counts_whenever_it_did() -> None:
    found = told(replace(other(Account__c="001D000000IqhSLIAZ"), changed=LATER))
    assert found == ({"Account__c": "it changed in Zendesk, and nothing was written"}, 0)


def test_a_persons_edit_in_salesforce_is_named() -> None:
    found, older = told(replace(other(Subject__c="Smoke"), found=EDITED, changed=LATER))
    assert found == {"Subject__c": "changed in Salesforce at 2026-11-02 11:30 UTC, after we wrote it"}
    assert older == 0


def test_what_waits_or_was_given_up_on_is_named() -> None:
    held = replace(HELD, unfinished="7:solved was given up on")
    assert told(replace(other(Subject__c="Smoke"), changed=LATER), held) == (
        {"Subject__c": held.unfinished},
        0,
    )


def test_a_record_of_other_hands_is_named() -> None:
    """Nobody of us wrote it: a lasting value that differs counts, the rest may be as old as it likes."""
    found = told(other(Subject__c="Smoke", Account__c=None), Held())
    assert found == ({"Account__c": "the record was not written by us"}, 1)


def test_what_would_not_be_sent_is_not_compared() -> None:
    assert told(replace(SIDES, expected={"Account__c": "0018a00001rBqb8AAC"})) == ({}, 0)
