"""Whatever a ticket holds: the record is one that Salesforce takes, and what of it is not as in Zendesk is said."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import ClassVar, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.salesforce.schema import Field
from sandbox.salesforce.values import kept
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from sfdc_sync.ticket_records.fit import Value
from sfdc_sync.ticket_records.mapping import Mapped, mapped
from supportops.vendors.zendesk import References, Ticket, Zendesk
from tests.support.for_each import for_each

WORDS = {"gold": "Gold", "silver": "Silver"}
COLUMNS: dict[str, tuple[dict[str, object], Field]] = {
    "text": ({"max_length": 40}, Field("F__c", length=40)),
    "long_text": ({"max_length": 300}, Field("F__c", "textarea", length=300)),
    "email": ({}, Field("F__c", "email")),
    "number": ({}, Field("F__c", "double")),
    "currency": ({"decimals": 2}, Field("F__c", "currency")),
    "checkbox": ({}, Field("F__c", "boolean")),
    "picklist": ({"values": WORDS, "otherwise": "Other"}, Field("F__c", "picklist", picklist=["Gold"])),
    "multi_picklist": ({"max_length": 4_099}, Field("F__c", "multipicklist")),
    "date": ({}, Field("F__c", "date")),
    "datetime": ({}, Field("F__c", "datetime")),
    "reference": ({"key_prefix": "001"}, Field("F__c", "reference", 18)),
}
HOSTILE: list[Value] = [
    *("9999-12-31", "9999-12-31T23:59:59Z", "1699-12-31T23:59:59Z", "4001-01-01", "0001-01-01", "1700-01-01"),
    *("2026-03-29T02:30:00", "2026-03-29T02:30:00+01:00", "2026-10-25T02:30:00+02:00", "2026-02-30", "20260329"),
    *("NaN", "-inf", "1e400", "1e18", "999999999999999999", "-0", "-0.0", "1,5", "1_000", "0x10"),
    *("999999999999999.995", "0.1234567890123456789", "5e-324", ".5", "5.", "+7", "--7", "1e", "١٢"),
    *("a;b", ";", " ; ", "gold", "GOLD", "😀" * 21, "x" * 39 + "😀", "x" * 40 + "😀", "\ud83d", "é" * 41),
    *("<img src=x onerror=alert(1)>", "=HYPERLINK(1)", "\x00", "\u2028", "true", "TRUE", "1", "0", "yes", "on"),
    *("0015500001QdZPK", "0015500001QdZPKAA3", "0015500001qdzpkaa3", "0015500001QdZPKAAA", "0035500001H9kZu"),
    *("a" * 68 + "@example.com", "a" * 69 + "@example.com", "nobody", "XXXXXXXXXXXX4242", "360001234567"),
    *(None, True, False, 0, -1, 10**17, 10**18, 10**400, 2.5, float("nan"), float("-inf"), -0.0, 1e300, []),
    *(["gold"], ["gold", "silver"], ["a;b"], [""], [f"option_{at}" for at in range(500)], ["😀"] * 3),
]  # fmt: skip
ANY = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(),
    st.integers(),
    st.floats(),
    st.lists(st.text(max_size=8), max_size=4),
    st.datetimes().map(str),
    st.from_regex(r"[-+]?[0-9]{1,20}(\.[0-9]{0,20})?(e-?[0-9]{1,3})?", fullmatch=True),
)


def record_of(value: Value, kind: str, **more: object) -> Mapped:
    options = COLUMNS[kind][0]
    rule = FieldRule.model_validate({"source": "subject", "type": kind, **options, **more})
    return mapped(TicketRecordPolicy(fields={"F__c": rule}), "7", {"subject": value})


def accepted(value: Value, kind: str, empty: str) -> None:
    """The stand-in takes what is sent; what is not sent, or sent otherwise, is said."""
    found = record_of(value, kind, empty=empty)
    if "F__c" in found.record:
        sent = found.record["F__c"]
        kept(COLUMNS[kind][1], sent)
        if (
            kind in ("text", "long_text")
            and isinstance(value, str)
            and len(str(sent or "")) < len(value.strip())
        ):
            assert "F__c" in found.adjusted or any(not each.isprintable() for each in value)
    elif value not in (None, "", []) and str(value).strip():
        assert empty == "omit" or "F__c" in found.left_out
    for said in (*found.left_out.values(), *found.adjusted.values()):
        assert len(str(value)) < 5 or str(value) not in said, "never the value itself"


@for_each("kind", COLUMNS)
def test_hostile_values_give_a_record_that_salesforce_takes(kind: str) -> None:
    for value in HOSTILE:
        for empty in ("omit", "null"):
            accepted(value, kind, empty)


@given(ANY, st.sampled_from(sorted(COLUMNS)), st.sampled_from(["omit", "null"]))
def test_so_does_any_value(value: Value, kind: str, empty: str) -> None:
    accepted(value, kind, empty)


NUMBERS: list[tuple[Value, dict[str, object], object, str]] = [
    ("999999999999999999", {}, 999999999999999999, ""),
    ("12345678901234567", {}, 12345678901234567, ""),
    ("0.1234567890123456789", {}, 0.12345678901234568, "digits after the 15th are left out"),
    ("999999999999999.995", {"decimals": 2}, 10**15, "rounded to 2 decimals"),
    ("99999999999999999.9", {"decimals": 1}, 1e17, "digits after the 15th are left out"),
    ("9999999999999999.995", {"decimals": 2}, "-", "not a number of at most 18 digits"),
    ("1e18", {}, "-", "not a number of at most 18 digits"),
    (1e300, {}, "-", "not a number of at most 18 digits"),
    ("1_000", {}, "-", "not a number"),
    ("١٢", {}, "-", "not a number"),
    ("1,5", {}, "-", "not a number"),
    (float("nan"), {}, "-", "not a number"),
    ("-0", {}, 0, ""),
    (-0.0, {}, 0, ""),
]


@for_each("value, rule, sent, said", NUMBERS)
def test_a_number_is_the_number_or_left_out(
    value: Value, rule: dict[str, object], sent: object, said: str
) -> None:
    found = record_of(value, "number", **rule)
    assert found.record.get("F__c", "-") == sent
    assert str(found.record.get("F__c")) != "-0.0"
    assert {**found.left_out, **found.adjusted}.get("F__c", "") == said


@for_each(
    "value, kind, sent",
    [
        ("9999-12-31", "date", "-"),
        ("1700-01-01", "date", "1700-01-01"),
        ("4000-12-31T00:00:00Z", "datetime", "4000-12-31T00:00:00Z"),
        ("4000-12-31T00:00:01Z", "datetime", "-"),
        ("2026-03-29T02:30:00", "datetime", "2026-03-29T02:30:00Z"),  # no hour is missing in UTC
        ("2026-10-25T02:30:00+02:00", "datetime", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "datetime", "2026-10-25T01:30:00Z"),
        ("a" * 68 + "@example.com", "email", "a" * 68 + "@example.com"),
        ("nobody", "email", "-"),
        ("two@example.com, three@example.com", "email", "-"),
        ("a" * 69 + "@example.com", "email", "-"),  # one more than the type holds, whatever the rule says
    ],
)
def test_what_salesforce_knows_no_date_or_address_of_is_left_out(value: str, kind: str, sent: object) -> None:
    assert record_of(value, kind).record.get("F__c", "-") == sent


class OneTicket:
    """A Zendesk whose one ticket holds custom fields of every type that it has, and odd ones."""

    HELD: ClassVar[dict[str, object]] = {
        "1": ["mobile", None, {"odd": 1}, "login", True, 7],  # multiselect
        "2": "XXXXXXXXXXXX4242",  # partialcreditcard
        "3": "ABC-1_000",  # regexp
        "4": "7234567",  # lookup
        "5": 12.5,  # decimal
        "6": 12,  # integer
        "7": "2026-03-29",  # date
        "8": "severity_high",  # tagger: the option's tag, whatever its name is today
        "9": True,  # checkbox
        "10": {"odd": 1},
    }

    async def tickets(self, ids: Collection[str]) -> dict[str, Ticket]:
        fields = [{"id": int(key), "value": value} for key, value in self.HELD.items()]
        row = {"id": 7, "status": "open", "updated_at": "2026-03-01T00:00:00Z", "custom_fields": fields}
        return dict.fromkeys(ids, Ticket.model_validate(row))


async def test_custom_fields_are_read_as_what_they_are() -> None:
    """What no type of Zendesk's has is left out of a list, and never written as Python shows it."""
    directory = ZendeskDirectory(
        cast(Zendesk, OneTicket()), cast(References, None), policy=SfdcPolicy(), base_url=""
    )
    wanted = frozenset(f"custom_field:{key}" for key in OneTicket.HELD)
    found = (await directory.details({"7": {}}, wanted))["7"]
    expected = OneTicket.HELD | {"1": ["mobile", "login", "7"], "10": None}
    assert found == {f"custom_field:{key}": value for key, value in expected.items()}


def test_the_stand_in_refuses_what_salesforce_refuses() -> None:
    """Else the properties above would say nothing."""
    moment = datetime(9999, 1, 1, tzinfo=UTC).isoformat()
    for kind, value in (
        ("datetime", moment),
        ("date", "4001-01-01"),
        ("double", 1e18),
        ("double", float("nan")),
    ):
        with pytest.raises(Exception, match=r"F__c"):
            kept(Field("F__c", kind), value)
