"""A ticket's record as it should be against the record as it is: each difference with both values and why. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.salesforce.record_id import normalise
from supportops.ticket_version import sortable_time

LASTING = frozenset(
    {
        "requester_id",
        "organization_id",
        "account_id",
        "account_match",
        "contact_id",
        "contact_match",
        "deleted",
    }
    | {"solved_at"}
)
"""Sources whose every change is written; the others may be as old as the last fact that was."""
_GRACE = timedelta(seconds=5)  # between Salesforce's clock and ours


@dataclass(frozen=True)
class Held:
    """What we know of a record: when it was written, of which version, and what waits or was given up on."""

    written_at: datetime | None = None
    version: str = ""
    unfinished: str = ""


@dataclass(frozen=True)
class Difference:
    """One field, or the record as a whole (`field` empty). `expected` is what Zendesk's ticket says."""

    ticket_id: str
    field: str
    expected: object
    found: object
    why: str


@dataclass(frozen=True)
class Sides:
    """Both sides of one ticket. `expected`: the record as it would be written now; `found`: Salesforce's row."""

    ticket_id: str
    expected: Mapping[str, object]
    found: Mapping[str, Any]
    changed: datetime
    """When the ticket changed last."""
    solved: datetime | None = None
    """When it was solved last, where that is a fact that has the record written."""


def differences(policy: TicketRecordPolicy, sides: Sides, held: Held) -> tuple[list[Difference], int]:
    """Those that count, and how many others there are because the ticket changed after the last fact was written."""
    found = {name.lower(): value for name, value in sides.found.items()}
    edited = _edited(found.get("lastmodifieddate"), held)
    seen = held.version.partition("/")[0]
    later = sortable_time(sides.changed) > seen
    missed = sides.solved is not None and sortable_time(sides.solved) > seen
    excused = later and not (missed or edited or held.unfinished)
    counted: list[Difference] = []
    older = 0
    for name, rule in policy.fields.items():
        expected, there = sides.expected.get(name), found.get(name.lower())
        if name not in sides.expected or same(rule, expected, there):
            continue
        if excused and rule.source not in LASTING:
            older += 1
            continue
        why = held.unfinished or edited or _unwritten(held, later=later)
        counted.append(Difference(sides.ticket_id, name, expected, there, why))
    return counted, older


def same(rule: FieldRule, expected: object, found: object) -> bool:
    """Whether Salesforce's value is what is sent, each in its own spelling."""
    if expected in (None, "") or found in (None, ""):
        return expected in (None, "") and found in (None, "")
    match rule.type:
        case "datetime":
            return _moment(expected) == _moment(found)
        case "date":
            return str(expected)[:10] == str(found)[:10]
        case "number" | "currency":
            return _number(expected) == _number(found)
        case "checkbox":
            return expected is found
        case "reference":
            return normalise(str(expected)) == normalise(str(found))
        case "multi_picklist":
            return set(str(expected).split(";")) == set(str(found).split(";"))
        case "email":
            return str(expected).lower() == str(found).lower()
        case _:
            return _words(expected) == _words(found)


def _edited(modified: object, held: Held) -> str:
    moment = _moment(modified)
    if moment is None or held.written_at is None or moment <= held.written_at + _GRACE:
        return ""
    return f"changed in Salesforce at {moment:%Y-%m-%d %H:%M} UTC, after we wrote it"


def _unwritten(held: Held, *, later: bool) -> str:
    if held.written_at is None:
        return "the record was not written by us"
    return "it changed in Zendesk, and nothing was written" if later else "was never written so"


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone(UTC).replace(microsecond=0) if found.tzinfo else None


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _words(value: object) -> str:
    """Salesforce trims text, and knows one kind of line end."""
    return str(value).replace("\r\n", "\n").strip()
