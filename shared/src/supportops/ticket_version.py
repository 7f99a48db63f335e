"""Which of two facts about a ticket is newer.

Zendesk delivers out of order and replicas publish concurrently, so arrival order means nothing. A fact's version is
the triple (`updated_at` of the ticket, time of the event, position in its sequence), kept as one sortable text:
fixed-width UTC times, so that plain text comparison in Python and in both databases gives the right answer.
Each group of fields of a ticket keeps its own version.
"""

import re
from datetime import UTC, datetime

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?\s*(Z|z|[+-]\d\d:?\d\d)?", re.ASCII
)
_SORTABLE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", re.ASCII)
_UNKNOWN_TIME = "0000-00-00T00:00:00.000000000Z"


def sortable_time(value: datetime | str | None) -> str:
    """`value` as UTC text with nine fractional digits; what is unknown or unreadable sorts first.

    Takes what Zendesk sends: 0 to 9 fractional digits, `Z` or an offset (docs/vendors/zendesk.md#event-bodies).
    """
    if value is None:
        return _UNKNOWN_TIME
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None)
        return utc.isoformat(timespec="microseconds") + "000Z"  # strftime is eight times slower
    if _SORTABLE.fullmatch(value):
        return value  # the usual case of an event's time
    match = _TIME.fullmatch(value.strip())
    if match is None:
        return _UNKNOWN_TIME
    day, clock, fraction, zone = match.groups()
    digits = (fraction or "").ljust(9, "0")
    if zone in (None, "Z", "z"):
        return f"{day}T{clock}.{digits}Z"
    try:
        utc = datetime.fromisoformat(f"{day}T{clock}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return _UNKNOWN_TIME
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}.{digits}Z"


def version_of(
    updated_at: datetime | str | None, time: datetime | str | None = None, position: int | None = None
) -> str:
    """The version of a fact, as text that sorts in the order of the facts.

    A later `updated_at` wins; at the same second the event's own time decides, then its position in the sequence.
    """
    return f"{sortable_time(updated_at)}/{sortable_time(time)}/{max(position or 0, 0):06d}"


def is_newer(candidate: str, stored: str | None) -> bool:
    """Whether `candidate` may replace `stored`: an older or equal version changes nothing."""
    return stored is None or candidate > stored
