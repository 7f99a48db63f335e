"""The values that Zendesk should hold of an account (docs/rules.md S7): nine fields by configuration. Pure.

What cannot be mapped is left out and said; it never becomes empty.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation

from sfdc_sync.organizations.model import Account, Value
from sfdc_sync.policy.organizations import OrganizationField, OrganizationsPolicy, Subscriptions
from sfdc_sync.policy.overrides import Overrides
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.salesforce.rows import ABSENT, Row, found_at, value_at

_ROUNDING = {"half_even": ROUND_HALF_EVEN, "half_up": ROUND_HALF_UP, "down": ROUND_DOWN}


class Unmappable(ValueError):
    """A value that has no form in Zendesk; the message says why, without the value where that may be anything."""


def account_of(row: Row, policy: OrganizationsPolicy, overrides: Overrides, today: date) -> Account:
    """The account in `row`. Raises Unmappable when it has no id or no name."""
    account_id = normalise(str(row.get("Id") or ""))
    names = (value_at(row, policy.name), row.get("Name"))
    name = next((each for each in names if isinstance(each, str) and each.strip()), None)
    if account_id is None or name is None:
        raise Unmappable("an account without id or name")
    if policy.plan.subscriptions and found_at(row, policy.plan.subscriptions.relationship) is ABSENT:
        raise Unmappable("an account without the list of its subscriptions")
    target, notes = target_of(row, account_id, policy, overrides, today)
    back = value_at(row, policy.back_reference) if policy.back_reference else None
    return Account(
        account_id,
        " ".join(name.split()),
        wanted=str(row.get("Type") or "").casefold() in {each.casefold() for each in policy.types},
        back_reference=_organization_id(back),
        target=target,
        notes=tuple(notes),
    )


def target_of(
    row: Row, account_id: str, policy: OrganizationsPolicy, overrides: Overrides, today: date
) -> tuple[dict[str, Value], list[str]]:
    """Key of the field -> what Zendesk should hold; and what was left out, a sentence each."""
    target: dict[str, Value] = {}
    notes: list[str] = []
    label, expired = plan_of(row, policy, today)
    reviewed = overrides.of(account_id, today)
    for key, rule in policy.fields.items():
        raw = label if key == policy.plan.field else found_at(row, rule.source)
        if key in reviewed:
            raw = reviewed[key]
        elif expired and key in policy.plan.expired_sets:
            raw = policy.plan.expired_sets[key]
        try:
            value = account_id if rule.source == "Id" else mapped(raw, rule)
        except Unmappable as error:
            notes.append(f"{key}: {error}")
            continue
        if value is not None or rule.empty == "blank":
            target[key] = value
    return target, notes


def mapped(raw: object, rule: OrganizationField) -> Value:
    """`raw` of Salesforce as Zendesk carries a field of this type; None is empty. Raises Unmappable.

    What the answer does not have at all is not empty: nothing is known of it.
    """
    if raw is ABSENT:
        raise Unmappable("is not in Salesforce's answer; left as it is")
    if rule.type == "checkbox":
        return _checkbox(raw, rule)
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    match rule.type:
        case "dropdown":
            return _option(raw, rule)
        case "integer" | "decimal":
            return _number(raw, rule)
        case "date":
            return _date(raw)
        case _:
            return _text(raw, rule)


def best_plan(row: Row, rule: Subscriptions, *, until: date) -> str | None:
    """Label of the best living subscription's plan; None when none lives that the ranking names.

    One whose end lies before `until` is over, whatever its status says.
    """
    plans = {
        value_at(each, rule.plan) for each in _children(row, rule.relationship) if _lives(each, rule, until)
    }
    return next((label for label in rule.ranking if label in plans), None)


def plan_of(row: Row, policy: OrganizationsPolicy, today: date) -> tuple[object, bool]:
    """Label of the account's plan as of `today`, and whether that is because its own has expired."""
    plan = policy.plan
    since = today - plan.grace
    ends = _day(value_at(row, plan.ends)) if plan.ends else None
    if ends is not None and ends < since:
        return plan.expired, True
    if plan.subscriptions is None:
        return found_at(row, policy.fields[plan.field].source), False
    best = best_plan(row, plan.subscriptions, until=since)
    return (best, False) if best else (plan.expired, True)


def _lives(each: Row, rule: Subscriptions, until: date) -> bool:
    ends = _day(value_at(each, rule.ends)) if rule.ends else None
    return value_at(each, rule.status) in rule.live and (ends is None or ends >= until)


def _children(row: Row, relationship: str) -> Iterator[Row]:
    """The rows of a sub-query; an empty one comes as null."""
    found = value_at(row, relationship)
    rows = found.get("records") if isinstance(found, Mapping) else None
    return (each for each in rows or () if isinstance(each, Mapping))


def _option(raw: object, rule: OrganizationField) -> str:
    label = str(raw).strip()
    known = rule.values.get(label) or next(
        (tag for name, tag in rule.values.items() if name.casefold() == label.casefold()), None
    )
    if known is None:
        raise Unmappable(f"{label[:60]!r} is no label of the dropdown (set `values`); left as it is")
    return known


def _number(raw: object, rule: OrganizationField) -> int | float:
    try:
        number = Decimal(str(raw))
        if not number.is_finite():
            raise InvalidOperation
        places = 0 if rule.type == "integer" else rule.places
        rounded = number.quantize(Decimal(1).scaleb(-places), rounding=_ROUNDING[rule.rounding])
    except InvalidOperation:
        raise Unmappable("is not a number that Zendesk takes; left as it is") from None
    return int(rounded) if places == 0 else float(rounded)


def _checkbox(raw: object, rule: OrganizationField) -> bool:
    if rule.true_when:
        return isinstance(raw, str) and raw.strip() in rule.true_when
    if raw is None or isinstance(raw, bool):
        return bool(raw)
    raise Unmappable("is neither true nor false (set `true_when`); left as it is")


def _date(raw: object) -> str:
    day = _day(raw)
    if day is None:
        raise Unmappable("is not a date; left as it is")
    return day.isoformat()


def _text(raw: object, rule: OrganizationField) -> str:
    text = str(raw).strip()
    return text if rule.max_length is None else text[: rule.max_length].rstrip()


def _day(raw: object) -> date | None:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    try:
        return date.fromisoformat(str(raw)[:10]) if raw else None
    except ValueError:
        return None


def _organization_id(raw: object) -> str | None:
    """The back reference; a number field gives `8447346623000.0`."""
    text = str(raw).strip().removesuffix(".0") if raw is not None else ""
    return text if text.isascii() and text.isdigit() and len(text) <= 20 else None
