"""From what we know of a ticket to the fields of its Salesforce record. Pure, and total for any value.

Three cases per field (docs/vendors/salesforce.md#writing): unknown is never sent; known to be empty is left out or
cleared by the field's own rule; a value is made to fit the field. What cannot be made to fit counts as unknown: one odd
value must not cost the ticket its record.

Below: record ids, 15 characters as people see them, 18 as the API returns them (docs/vendors/salesforce.md#record-ids).
We store and compare the 18-character form only, since two 15s that differ in case alone are two records.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from math import isfinite

from sfdc_sync.policy.ticket_records import FieldRule, TicketRecordPolicy
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.salesforce.responses import Record

Value = str | bool | int | float | list[str] | None
Sent = str | bool | int | float | None

# Control characters are refused or dropped by Salesforce's XML layer; half of a surrogate pair is no
# character.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)


class _Unfit(Exception):
    """The value cannot be made to fit the field; says why, without the value."""


def external_id(policy: TicketRecordPolicy, ticket_id: str) -> str:
    """The value that identifies the ticket's one record."""
    return f"{policy.external_id_prefix}{ticket_id}"


def record_of(policy: TicketRecordPolicy, ticket_id: str, known: Mapping[str, Value]) -> Record:
    """One element of a collections upsert: type, external id and every field that is to be sent.

    `known` maps sources to values; a source that is not there is unknown.
    """
    record: Record = {
        "attributes": {"type": policy.object},
        policy.external_id: external_id(policy, ticket_id),
    }
    return record | _mapped(policy, known)[0]


def left_out(policy: TicketRecordPolicy, known: Mapping[str, Value]) -> dict[str, str]:
    """The fields whose known value cannot be made to fit, each with the reason: the record goes without them."""
    return _mapped(policy, known)[1]


def _mapped(policy: TicketRecordPolicy, known: Mapping[str, Value]) -> tuple[Record, dict[str, str]]:
    fields: Record = {}
    unfit: dict[str, str] = {}
    for name, rule in policy.fields.items():
        if rule.source not in known:
            continue
        try:
            value = fit(rule, known[rule.source])
        except _Unfit as reason:
            unfit[name] = str(reason)
            continue
        if value is not None or rule.empty == "null":
            fields[name] = value
    return fields, unfit


def without_lookups(policy: TicketRecordPolicy, record: Record) -> Record:
    """`record` without its references: for a parent that is missing or hidden (docs/vendors/salesforce.md#errors)."""
    return without(record, {name for name, rule in policy.fields.items() if rule.type == "reference"})


def without(record: Record, names: Collection[str]) -> Record:
    """`record` without these fields, whose names Salesforce may write in another case."""
    folded = {name.lower() for name in names}
    return {name: value for name, value in record.items() if name.lower() not in folded}


def fit(rule: FieldRule, value: Value) -> Sent:
    """`value` as the field takes it; None when it is empty. Raises `_Unfit`, which `record_of` catches."""
    if value is None or value in ("", []):
        return None
    if isinstance(value, str) and value in rule.values:
        value = rule.values[value]
    return _FITTERS[_kind(rule)](rule, value)


def _kind(rule: FieldRule) -> str:
    """An address is never text to be cut, whatever the rule calls it: cut, it may be somebody else's."""
    return "email" if rule.source == "requester_email" and rule.type == "text" else rule.type


def _as_text(rule: FieldRule, value: Value) -> Sent:
    """Text cut to the field's length, which Salesforce counts in UTF-16 units: an emoji is two. None is cut in two."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, list):
        text = ", ".join(str(item) for item in value)
    else:
        text = str(value)
    text = _UNSENDABLE.sub("", text).strip()
    return _cut(text, rule.max_length).rstrip() or None


def _cut(text: str, units: int | None) -> str:
    if units is None or len(text) * 2 <= units:
        return text
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")


def _as_email(rule: FieldRule, value: Value) -> Sent:
    """An address as it is; one that is longer than the field is left out."""
    address = _UNSENDABLE.sub("", str(value)).strip()
    if rule.max_length is not None and len(address.encode("utf-16-le")) > 2 * rule.max_length:
        raise _Unfit(f"the address is longer than {rule.max_length} characters; an address is never cut")
    return address or None


def _as_number(_rule: FieldRule, value: Value) -> Sent:
    if isinstance(value, list):
        raise _Unfit("a list is no number")
    if isinstance(value, bool | int):
        return int(value)
    text = str(value).strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError as error:
        raise _Unfit("not a number") from error
    if not isfinite(number):
        raise _Unfit("not a finite number")
    return number


def _as_checkbox(_rule: FieldRule, value: Value) -> Sent:
    if isinstance(value, bool):
        return value
    words = {"true": True, "false": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise _Unfit("neither true nor false")


def _as_datetime(_rule: FieldRule, value: Value) -> Sent:
    """ISO 8601, UTC, whole seconds, `Z`; a time without a zone is taken for UTC, as Zendesk means it."""
    if not isinstance(value, str):
        raise _Unfit("not a moment")
    try:
        moment = datetime.fromisoformat(value.strip())
        utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Unfit("not a moment") from error
    return f"{utc.isoformat(timespec='seconds').removesuffix('+00:00')}Z"


def _as_reference(rule: FieldRule, value: Value) -> Sent:
    """A record id in its 18-character form, of the right kind; anything else would be refused, or be another record."""
    record_id = normalise(value) if isinstance(value, str) else None
    if record_id is None:
        raise _Unfit("not a Salesforce record id")
    if rule.key_prefix is not None and not record_id.startswith(rule.key_prefix):
        raise _Unfit(f"the id of another kind of record: begins with {record_id[:3]}, not {rule.key_prefix}")
    return record_id


_FITTERS: Mapping[str, Callable[[FieldRule, Value], Sent]] = {
    "text": _as_text,
    "email": _as_email,
    "number": _as_number,
    "checkbox": _as_checkbox,
    "datetime": _as_datetime,
    "reference": _as_reference,
}
