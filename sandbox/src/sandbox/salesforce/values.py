"""One field's value: what is accepted, and how it is kept (docs/vendors/salesforce.md#errors)."""

from datetime import UTC, date, datetime
from typing import Any

from sandbox.clock import NANOS
from sandbox.salesforce.errors import Refused
from sandbox.salesforce.ids import normal
from sandbox.salesforce.schema import Field

_NUMBERS = ("double", "currency", "percent", "int")
_MOST = 10**18  # no number field holds more digits than 18
_YEARS = range(1700, 4001)
_TRUTH = {"true": True, "false": False}


def stamp(ns: int) -> str:
    """`2011-07-07T00:37:00.000+0000`: no colon in the offset."""
    at = datetime.fromtimestamp(ns / NANOS, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def kept(column: Field, value: Any) -> Any:
    """The value as it is stored. Raises Refused with the code that Salesforce uses for such a value."""
    if column.type == "boolean" and value is None:
        raise _unreadable(column, value)  # a checkbox is ticked or not, it is never empty
    if value is None or value == "":
        if not column.nillable:
            raise Refused(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{column.name}]", [column.name]
            )
        return None
    if column.type == "datetime":
        return _datetime(column, value)
    if column.type == "date":
        return _date(column, value)
    if column.type == "boolean":
        return _boolean(column, value)
    if column.type in _NUMBERS:
        return _number(column, value)
    if column.type == "reference":
        return _reference(column, value)
    return _text(column, value)


def _text(column: Field, value: Any) -> str:
    if not isinstance(value, str):
        if isinstance(value, dict | list):
            raise _unreadable(column, value)
        value = str(value)
    if column.length and _units(value) > column.length:
        text = f"{column.name}: data value too large: {value[:40]}… (max length={column.length})"
        raise Refused("STRING_TOO_LONG", text, [column.name])
    words = value.split(";") if column.type == "multipicklist" else [value]
    if column.restricted and not set(words) <= set(column.picklist):
        text = f"{column.name}: bad value for restricted picklist field: {value}"
        raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, [column.name])
    if column.type == "email" and "@" not in value:
        raise Refused(
            "INVALID_EMAIL_ADDRESS", f"{column.name}: invalid email address: {value}", [column.name]
        )
    return str(value)


def _units(text: str) -> int:
    """Lengths count UTF-16 units: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _date(column: Field, value: Any) -> str:
    """A day alone; a moment is refused."""
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise _unreadable(column, value) from error
    _in_range(column, day)
    return day.isoformat()


def _in_range(column: Field, day: date) -> None:
    if day.year not in _YEARS:
        raise Refused("FIELD_INTEGRITY_EXCEPTION", f"{column.name}: invalid date: {day}", [column.name])


def _datetime(column: Field, value: Any) -> str:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise _unreadable(column, value) from error
    if at.tzinfo is None:
        raise _unreadable(column, value)
    _in_range(column, at)
    return stamp(int(at.timestamp() * 1000) * 1_000_000)


def _boolean(column: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() not in _TRUTH:
        raise _unreadable(column, value)
    return _TRUTH[str(value).lower()]


def _number(column: Field, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise _unreadable(column, value) from error
    if not abs(value if isinstance(value, int) else number) < _MOST:
        text = f"{column.name}: value outside of valid range on numeric field: {value}"
        raise Refused("NUMBER_OUTSIDE_VALID_RANGE", text, [column.name])
    return number


def _reference(column: Field, value: Any) -> str:
    full = normal(str(value))
    if full is None:
        text = f"{column.name}: id value of incorrect type: {value}"
        raise Refused("MALFORMED_ID", text, [column.name])
    return full


def _unreadable(column: Field, value: Any) -> Refused:
    shown = str(value)[:60]
    text = (
        f"Cannot deserialize instance of {column.type} from VALUE_STRING value {shown} on field {column.name}"
    )
    return Refused("JSON_PARSER_ERROR", text)
