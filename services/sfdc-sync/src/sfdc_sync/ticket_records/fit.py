"""One value made to fit one field of Salesforce, by the field's own rule. Pure, and total for any value.

What a rule changes (cut, translated, rounded) or leaves out is said in words, which never hold the value itself.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.salesforce.record_id import normalise

Value = str | bool | int | float | list[str] | None
Sent = str | bool | int | float | None

# Control characters are refused or dropped by Salesforce's XML layer; half of a surrogate pair is no character.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
_ADDRESSES = frozenset({"requester_email", "assignee_email"})
_MOST_DIGITS = 18  # that any number field of Salesforce holds
_FIRST, _LAST = datetime(1700, 1, 1, tzinfo=UTC), datetime(4000, 12, 31, tzinfo=UTC)  # that it knows
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_EMAIL_LENGTH = 80  # of its type for addresses


class Unfit(Exception):
    """The value cannot be made to fit the field; says why, without the value."""


@dataclass(frozen=True)
class Fitted:
    """The value as it is sent; None is empty. `adjusted` says what was done to it, empty when nothing was."""

    value: Sent
    adjusted: str = ""


EMPTY = Fitted(None)


def fit(rule: FieldRule, value: Value) -> Fitted:
    """`value` as the field takes it. Raises `Unfit` for what no rule makes fit."""
    if value is None or value in ("", []):
        return EMPTY
    return _FITTERS[_kind(rule)](rule, value)


def _kind(rule: FieldRule) -> str:
    """An address is never text to be cut, whatever the rule calls it: cut, it may be somebody else's."""
    return "email" if rule.source in _ADDRESSES and rule.type in ("text", "long_text") else rule.type


# --- words ---


def _as_text(rule: FieldRule, value: Value) -> Fitted:
    """Text, cut at the field's length, which Salesforce counts in UTF-16 units: an emoji is two. None is cut in two."""
    text = _clean(_translated(rule, _words(value)))
    if _fits(rule, text):
        return Fitted(text or None)
    if rule.when_unfit != "cut":
        raise Unfit(f"longer than {rule.max_length} characters")
    return Fitted(_cut(text, rule.max_length).rstrip() or None, f"cut at {rule.max_length} characters")


def _as_email(rule: FieldRule, value: Value) -> Fitted:
    """An address as it is; one that is longer than the field is left out."""
    address = _clean(_words(value))
    longest = rule.max_length or (_EMAIL_LENGTH if rule.type == "email" else None)
    if not _within(longest, address):
        raise Unfit(f"the address is longer than {longest} characters; an address is never cut")
    if address and rule.type == "email" and not _ADDRESS.fullmatch(address):
        raise Unfit("no e-mail address")
    return Fitted(address or None)


def _as_picklist(rule: FieldRule, value: Value) -> Fitted:
    """One word, translated; of a list with more than one none is chosen."""
    if isinstance(value, list):
        if len(value) > 1:
            raise Unfit("several words for a picklist that takes one")
        value = value[0]
    word = _clean(_translated(rule, _words(value)))
    if not _fits(rule, word):
        raise Unfit(f"longer than {rule.max_length} characters")
    return Fitted(word or None, _substituted(rule, [_words(value)]))


def _as_multi_picklist(rule: FieldRule, value: Value) -> Fitted:
    """Words with semicolons between; one that holds a semicolon would be two."""
    words = [_words(item) for item in value] if isinstance(value, list) else [_words(value)]
    sent = [_clean(_translated(rule, word)) for word in words]
    if any(";" in word for word in sent):
        raise Unfit("a word with a semicolon, which is what separates words there")
    text = ";".join(dict.fromkeys(word for word in sent if word))
    if not _fits(rule, text):
        raise Unfit(f"longer than {rule.max_length} characters")
    return Fitted(text or None, _substituted(rule, words))


def _words(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _translated(rule: FieldRule, word: str) -> str:
    if word in rule.values:
        return rule.values[word]
    return word if rule.otherwise is None else rule.otherwise


def _substituted(rule: FieldRule, words: list[str]) -> str:
    unknown = rule.otherwise is not None and any(word not in rule.values for word in words)
    return f"a word without a translation became {rule.otherwise}" if unknown else ""


def _clean(text: str) -> str:
    return _UNSENDABLE.sub("", text).strip()


def _fits(rule: FieldRule, text: str) -> bool:
    return _within(rule.max_length, text)


def _within(longest: int | None, text: str) -> bool:
    return longest is None or len(text.encode("utf-16-le", "surrogatepass")) <= 2 * longest


def _cut(text: str, units: int | None) -> str:
    return text if units is None else text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")


# --- numbers ---


def _as_number(rule: FieldRule, value: Value) -> Fitted:
    """A number in plain digits: what Python would read as one besides (`1_0`, digits of other scripts) is a guess."""
    if isinstance(value, list):
        raise Unfit("a list is no number")
    text = str(int(value)) if isinstance(value, bool) else str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise Unfit("not a number")
    exact = _in_range(Decimal(text), rule.decimals or 0)
    if rule.decimals is None:
        return _as_json(exact, "")
    rounded = _in_range(exact.quantize(Decimal(1).scaleb(-rule.decimals), ROUND_HALF_UP), rule.decimals)
    return _as_json(rounded, "" if rounded == exact else f"rounded to {rule.decimals} decimals")


def _in_range(number: Decimal, decimals: int) -> Decimal:
    if number and number.adjusted() >= _MOST_DIGITS - decimals:
        raise Unfit(f"not a number of at most {_MOST_DIGITS} digits")
    return number


def _as_json(number: Decimal, said: str) -> Fitted:
    """Whole numbers as such, others as JSON's floating point, which holds 15 digits exactly: more are said."""
    if number == number.to_integral_value():
        return Fitted(int(number), said)
    sent = float(number)
    return Fitted(
        sent, said if Decimal(repr(sent)) == number else said or "digits after the 15th are left out"
    )


def _as_checkbox(_rule: FieldRule, value: Value) -> Fitted:
    if isinstance(value, bool):
        return Fitted(value)
    words = {"true": True, "false": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return Fitted(words[value.strip().lower()])
    raise Unfit("neither true nor false")


# --- moments and references ---


def _as_datetime(_rule: FieldRule, value: Value) -> Fitted:
    """ISO 8601, UTC, whole seconds, `Z`; a time without a zone is taken for UTC, as Zendesk means it."""
    return Fitted(f"{_moment(value).isoformat(timespec='seconds').removesuffix('+00:00')}Z")


def _as_date(_rule: FieldRule, value: Value) -> Fitted:
    """The day in UTC; a date alone, as Zendesk's date fields hold it, is that day everywhere."""
    return Fitted(_moment(value).date().isoformat())


def _moment(value: Value) -> datetime:
    if not isinstance(value, str):
        raise Unfit("not a moment")
    try:
        moment = datetime.fromisoformat(value.strip())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unfit("not a moment") from error
    if not _FIRST <= moment <= _LAST:
        raise Unfit(f"not between the years {_FIRST.year} and {_LAST.year}, which Salesforce knows")
    return moment


def _as_reference(rule: FieldRule, value: Value) -> Fitted:
    """A record id in its 18-character form, of the right kind; anything else would be refused, or be another record."""
    record_id = normalise(value) if isinstance(value, str) else None
    if record_id is None:
        raise Unfit("not a Salesforce record id")
    if rule.key_prefix is not None and not record_id.startswith(rule.key_prefix):
        raise Unfit(f"the id of another kind of record: begins with {record_id[:3]}, not {rule.key_prefix}")
    return Fitted(record_id)


_FITTERS: Mapping[str, Callable[[FieldRule, Value], Fitted]] = {
    "text": _as_text,
    "long_text": _as_text,
    "email": _as_email,
    "number": _as_number,
    "currency": _as_number,
    "checkbox": _as_checkbox,
    "picklist": _as_picklist,
    "multi_picklist": _as_multi_picklist,
    "date": _as_date,
    "datetime": _as_datetime,
    "reference": _as_reference,
}
