"""From what we know of a ticket to the fields of its Salesforce record. Pure, and total for any value.

Three cases per field (docs/vendors/salesforce.md#writing): unknown is never sent; known to be empty is left out or
cleared by the field's own rule; a value is made to fit the field. What cannot be made to fit counts as unknown unless
the rule says that it clears the field: one odd value must not cost the ticket its record.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.salesforce.responses import Record
from sfdc_sync.ticket_records.fit import Sent, Unfit, Value, fit


@dataclass(frozen=True)
class Mapped:
    """The record, and what is not in it as it stands in Zendesk: the fields' names with the reason each."""

    record: Record
    left_out: Mapping[str, str]
    adjusted: Mapping[str, str]


def external_id(policy: TicketRecordPolicy, ticket_id: str) -> str:
    """The value that identifies the ticket's one record."""
    return f"{policy.external_id_prefix}{ticket_id}"


def mapped(policy: TicketRecordPolicy, ticket_id: str, known: Mapping[str, Value]) -> Mapped:
    """One element of a collections upsert: type, external id and every field that is to be sent.

    `known` maps sources to values; a source that is not there is unknown.
    """
    record: Record = {
        "attributes": {"type": policy.object},
        policy.external_id: external_id(policy, ticket_id),
    }
    left_out: dict[str, str] = {}
    adjusted: dict[str, str] = {}
    for name, rule in policy.fields.items():
        if rule.source not in known:
            continue
        try:
            fitted = fit(rule, known[rule.source])
        except Unfit as reason:
            left_out[name] = str(reason)
            if rule.when_unfit == "null":
                record[name] = cleared(rule)
            continue
        if fitted.value is not None:
            record[name] = fitted.value
        elif rule.empty == "null":
            record[name] = cleared(rule)
        if fitted.adjusted:
            adjusted[name] = fitted.adjusted
    return Mapped(record, left_out, adjusted)


def cleared(rule: FieldRule) -> Sent:
    """What empties the field. A checkbox of Salesforce is ticked or not, never empty: null would be refused."""
    return False if rule.type == "checkbox" else None


def without_lookups(policy: TicketRecordPolicy, record: Record) -> Record:
    """`record` without its references: for a parent that is missing or hidden (docs/vendors/salesforce.md#errors)."""
    return without(record, {name for name, rule in policy.fields.items() if rule.type == "reference"})


def without(record: Record, names: Collection[str]) -> Record:
    """`record` without these fields, whose names Salesforce may write in another case."""
    folded = {name.lower() for name in names}
    return {name: value for name, value in record.items() if name.lower() not in folded}
