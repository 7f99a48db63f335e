"""From a ticket to a record: what is sent, what is cleared, what is left out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.ticket_records.fit import Value
from sfdc_sync.ticket_records.mapping import mapped, without_lookups
from tests.support.for_each import for_each

VALUES: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text(), max_size=4)
)


KINDS = (
    "text",
    "long_text",
    "email",
    "number",
    "currency",
    "checkbox",
    "picklist",
    "multi_picklist",
    "date",
    "datetime",
    "reference",
)


def send(value: Value, **rule: object) -> object:
    """The field as it is sent for `value`; "-" when it is not sent at all."""
    rules = TicketRecordPolicy(fields={"F__c": FieldRule.model_validate({"source": "subject", **rule})})
    return mapped(rules, "7", {"subject": value}).record.get("F__c", "-")


@for_each(
    "value, rule, sent",
    [
        ("Printer on fire", {}, "Printer on fire"),
        ("abcdef", {"max_length": 3}, "abc"),
        ("😀😀😀", {"max_length": 2}, "😀"),  # Salesforce counts UTF-16 units
        ("x😀😀", {"max_length": 2}, "x"),
        ("x" * 250 + "🔥" * 10, {"max_length": 255}, "x" * 250 + "🔥🔥"),
        ("a@b.example", {"type": "email", "max_length": 11}, "a@b.example"),
        ("a@b.example.com", {"type": "email", "max_length": 11}, "-"),
        ("ab cd", {"max_length": 3}, "ab"),
        ("a\x00b\x1fc\ud800d\ne", {}, "abcd\ne"),
        (["mobile", "login"], {}, "mobile, login"),
        (True, {}, "true"),
        (7, {}, "7"),
        ("solved", {"values": {"solved": "Solved"}}, "Solved"),
        ("open", {"values": {"solved": "Solved"}}, "open"),
        (None, {}, "-"),
        (None, {"empty": "null"}, None),
        (None, {"empty": None}, None),
        (None, {"type": "checkbox", "empty": "null"}, False),  # a checkbox is never empty
        ("perhaps", {"type": "checkbox", "unfit": "null"}, False),
        ("", {"empty": "null"}, None),
        ("  \t", {"empty": "null"}, None),
        ([], {"empty": "null"}, None),
        ([], {"empty": "omit"}, "-"),
        ("42", {"type": "number"}, 42),
        ("-1.5", {"type": "number"}, -1.5),
        (True, {"type": "number"}, 1),
        ("1e999", {"type": "number"}, "-"),
        ("nan", {"type": "number"}, "-"),
        ("four", {"type": "number", "empty": "null"}, "-"),
        (False, {"type": "checkbox"}, False),
        ("TRUE", {"type": "checkbox"}, True),
        ("yes", {"type": "checkbox"}, "-"),
        ("2025-01-08T16:45:20Z", {"type": "datetime"}, "2025-01-08T16:45:20Z"),
        ("2025-01-08T16:45:20.987654321Z", {"type": "datetime"}, "2025-01-08T16:45:20Z"),
        ("2025-01-08T18:45:20+02:00", {"type": "datetime"}, "2025-01-08T16:45:20Z"),
        ("2025-01-08 16:45:20", {"type": "datetime"}, "2025-01-08T16:45:20Z"),
        ("0001-01-01T00:00:00+14:00", {"type": "datetime"}, "-"),
        ("yesterday", {"type": "datetime", "empty": "null"}, "-"),
        (5, {"type": "datetime"}, "-"),
        ("0015500001QdZPK", {"type": "reference"}, "0015500001QdZPKAA3"),
        ("001/../../User", {"type": "reference", "empty": "null"}, "-"),
        ("0015500001QdZPK", {"type": "reference", "key_prefix": "001"}, "0015500001QdZPKAA3"),
        ("0035500001QdZPK", {"type": "reference", "key_prefix": "001"}, "-"),  # a contact's id
        (None, {"type": "reference", "empty": "null"}, None),
        ("abcdef", {"max_length": 3, "unfit": "omit"}, "-"),
        ("abcdef", {"max_length": 3, "unfit": "null"}, None),
        ("abcdef", {"type": "long_text", "max_length": 3}, "abc"),
        ("four", {"type": "number", "unfit": "null"}, None),
        ("2.675", {"type": "currency", "decimals": 2}, 2.68),
        (-0.5, {"type": "number", "decimals": 0}, -1),
        ("1e300", {"type": "number", "decimals": 2}, "-"),
        ("inf", {"type": "number", "decimals": 2}, "-"),
        ("12", {"type": "currency", "decimals": 2}, 12.0),
        ("high", {"type": "picklist", "values": {"high": "High"}}, "High"),
        ("odd", {"type": "picklist", "values": {"high": "High"}, "otherwise": "Other"}, "Other"),
        ("odd", {"type": "picklist", "values": {"high": "High"}}, "odd"),
        (["one"], {"type": "picklist"}, "one"),
        (["one", "two"], {"type": "picklist"}, "-"),
        ("too long", {"type": "picklist", "max_length": 3}, "-"),
        (["a", "b", "a"], {"type": "multi_picklist"}, "a;b"),
        (["a", "x"], {"type": "multi_picklist", "values": {"a": "A"}, "otherwise": "Other"}, "A;Other"),
        (["a;b"], {"type": "multi_picklist"}, "-"),
        ("2025-01-08T23:45:20-02:00", {"type": "date"}, "2025-01-09"),
        ("2025-01-08", {"type": "date"}, "2025-01-08"),
        ("soon", {"type": "date"}, "-"),
    ],
)
def test_a_value_is_made_to_fit_its_field(value: Value, rule: dict[str, object], sent: object) -> None:
    assert send(value, **rule) == sent


LONG_ADDRESSES = [
    "maria.fernandez.de.la.vega.support.operations@customer-success.emea.example.com.au",
    "mariax.fernandez.de.la.vega.support.operations@customer-success-emea.example.com.au",
]


@for_each("address", LONG_ADDRESSES)
@for_each("kind", ["text", "email"])
def test_an_address_is_never_cut_into_another_one(address: str, kind: str) -> None:
    """Whatever type the rule says: cut at 80 characters the second one is somebody else's."""
    field = {"source": "requester_email", "type": kind, "max_length": 80, "empty": "null"}
    policy = TicketRecordPolicy(fields={"E__c": FieldRule.model_validate(field)})
    known: dict[str, Value] = {"requester_email": address}
    assert "E__c" not in mapped(policy, "7", known).record
    assert mapped(policy, "7", known).left_out == {
        "E__c": "the address is longer than 80 characters; an address is never cut"
    }
    odd = mapped(policy, "7", {"requester_email": "nobody"}).record
    assert odd.get("E__c", "left out") == ("nobody" if kind == "text" else "left out")


@for_each(
    "value, rule, said",
    [
        ("abcdef", {"max_length": 3}, "cut at 3 characters"),
        ("abc", {"max_length": 3}, None),
        ("2.675", {"type": "currency", "decimals": 2}, "rounded to 2 decimals"),
        ("2.50", {"type": "currency", "decimals": 2}, None),
        (
            "odd",
            {"type": "picklist", "values": {"a": "A"}, "otherwise": "O"},
            "a word without a translation became O",
        ),
        ("a", {"type": "picklist", "values": {"a": "A"}, "otherwise": "O"}, None),
    ],
)
def test_what_a_rule_changes_is_said(value: Value, rule: dict[str, object], said: str | None) -> None:
    field = FieldRule.model_validate({"source": "subject", **rule})
    found = mapped(TicketRecordPolicy(fields={"F__c": field}), "7", {"subject": value})
    assert found.adjusted.get("F__c") == said


@for_each(
    "rule, words",
    [
        ({"type": "number", "unfit": "cut"}, "cut is for text"),
        ({"otherwise": "Other"}, "needs values"),
        ({"source": "custom_field:x"}, "must be one of"),
        ({"source": "organization_field:a b"}, "must be one of"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FieldRule.model_validate({"source": "subject", **rule})


@for_each("source", ["custom_field:360001234", "organization_field:plan", "requester_field:vip"])
def test_custom_fields_are_sources(source: str) -> None:
    assert FieldRule(source=source).source == source


def test_what_is_unknown_is_never_sent() -> None:
    rules = TicketRecordPolicy(fields={"F__c": FieldRule(source="subject", empty="null")})
    assert mapped(rules, "7", {}).record == {
        "attributes": {"type": "Zendesk_Ticket__c"},
        "Zendesk_Ticket_ID__c": "7",
    }


def test_the_external_id_carries_the_prefix() -> None:
    rules = TicketRecordPolicy(external_id_prefix="acme:")
    assert mapped(rules, "7", {}).record["Zendesk_Ticket_ID__c"] == "acme:7"


def test_references_can_be_left_out() -> None:
    account = FieldRule(source="organization_salesforce_id", type="reference")
    rules = TicketRecordPolicy(fields={"Account__c": account, "S__c": FieldRule(source="subject")})
    record = mapped(rules, "7", {"organization_salesforce_id": "0015500001QdZPK", "subject": "s"}).record
    assert "Account__c" in record
    assert without_lookups(rules, record) == {k: v for k, v in record.items() if k != "Account__c"}


@given(VALUES, st.sampled_from(KINDS))
def test_any_value_gives_a_record_that_json_can_carry(value: Value, kind: str) -> None:
    cut = (
        {}
        if kind in ("number", "currency", "checkbox", "date", "datetime", "reference")
        else {"max_length": 10}
    )
    sent = send(value, type=kind, **cut)
    json.dumps(sent, allow_nan=False).encode()
    assert not isinstance(sent, str) or kind in ("date", "datetime") or len(sent) <= 18


@for_each("name", ["", "1a", "a b", "Account/../User", "x'--", "ä__c", "A" * 90])
def test_names_that_could_leave_their_place_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        TicketRecordPolicy(object=name)
    with pytest.raises(ValidationError):
        TicketRecordPolicy(fields={name: FieldRule(source="subject")})


def test_a_package_name_is_allowed() -> None:
    assert TicketRecordPolicy(object="Zendesk__Zendesk_Ticket__c").object == "Zendesk__Zendesk_Ticket__c"


def test_an_unknown_source_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ValidationError, match="must be one of: account_id, account_match"):
        FieldRule(source="subjekt")


def test_the_external_id_is_not_listed_among_the_fields() -> None:
    with pytest.raises(ValidationError, match="always sent"):
        TicketRecordPolicy(fields={"Zendesk_Ticket_ID__c": FieldRule(source="ticket_id")})
