"""A plan as a file for people to read, what of it still holds when it is applied, and how a run is undone. Pure.

A plan is bound to what it saw: every value is looked at again, and what has moved is named and left alone.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from sfdc_sync.organizations.model import (
    FIELD,
    Account,
    Action,
    Change,
    Item,
    Organization,
    Plan,
    Value,
    same,
    value_of,
)
from supportops.errors import Permanent

VERSION = 2
MOVED, ALREADY, HOLDS, KEPT = "moved", "already", "holds", "kept"


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan with what it was made from: moment, org, and a digest of the rules."""

    made_at: datetime
    salesforce_org: str
    rules: str
    plan: Plan
    would_stop: tuple[str, ...] = ()
    """What the brake says about it."""


class NotAPlan(Permanent):
    """The file is no plan of ours, or one of another version."""


def written(document: PlanDocument) -> bytes:
    """The file."""
    plan = document.plan
    head = {
        "version": VERSION,
        "made_at": document.made_at.astimezone(UTC).isoformat(),
        "salesforce_org": document.salesforce_org,
        "rules": document.rules,
        "read": {"accounts": plan.accounts, "organizations": plan.organizations, "linked": plan.linked},
        "counts": plan.counts,
        "fields": changes_by_field(plan),
        "slas": dict(sorted(Counter(item.sla.partition(",")[0] for item in plan.items if item.sla).items())),
        "brake": list(document.would_stop),
        "items": [_item(item) for item in plan.items],
    }
    return orjson.dumps(head | {"digest": _digest(head)}, option=orjson.OPT_INDENT_2) + b"\n"


def parsed(text: bytes) -> PlanDocument:
    """The plan in a file. Raises NotAPlan, with what is wrong."""
    try:
        head = orjson.loads(text)
        if head["version"] != VERSION:
            raise NotAPlan(f"is a plan of version {head['version']}, this is {VERSION}: make a new one")
        if head.pop("digest", "") != _digest(head):
            raise NotAPlan(
                "was changed since it was made: make a new one, a plan is applied as it was judged"
            )
        read = head["read"]
        plan = Plan(
            tuple(_read_item(each) for each in head["items"]),
            head["counts"].get("unchanged", 0),
            read["linked"],
            read["accounts"],
            read["organizations"],
            head["counts"].get("unreadable", 0),
        )
        moment = datetime.fromisoformat(head["made_at"])
        return PlanDocument(moment, head["salesforce_org"], head["rules"], plan, tuple(head["brake"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAPlan(
            "is no plan that `sync --plan` has written, or not a whole one: make a new one"
        ) from error


def _digest(head: Mapping[str, Any]) -> str:
    """Of everything in the file but itself: the brake and a person have judged these words and no others."""
    return hashlib.sha256(orjson.dumps(head, option=orjson.OPT_SORT_KEYS)).hexdigest()


def changes_by_field(plan: Plan) -> dict[str, int]:
    """How many organizations change, by key of the change."""
    found = Counter(change.key for item in plan.writes for change in item.changes)
    return dict(sorted(found.items()))


def _item(item: Item) -> Mapping[str, Any]:
    shown = asdict(item) | {"action": item.action.value, "changes": [asdict(each) for each in item.changes]}
    return {key: value for key, value in shown.items() if value not in ("", None, (), [])}


def _read_item(given: Mapping[str, Any]) -> Item:
    changes = tuple(Change(each["key"], each["before"], each["after"]) for each in given.get("changes", ()))
    texts = {key: given.get(key, "") for key in ("rule", "name", "reason", "sla")}
    return Item(
        Action(given["action"]),
        account_id=given.get("account_id"),
        organization_id=given.get("organization_id"),
        changes=changes,
        notes=tuple(given.get("notes", ())),
        others=tuple(given.get("others", ())),
        **texts,
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """An item, whether it `holds`, and what has `moved`."""

    item: Item
    verdict: str
    reason: str = ""


def judge_item(item: Item, organization: Organization | None, account: Account | None) -> Judged:
    """Whether what `item` is about is still as it was when it was planned.

    `organization` and `account` as they are now; None when they are not there.
    """
    if item.action is Action.CREATE:
        if organization is not None:
            return Judged(item, MOVED, f"organization {organization.id} holds this account's id by now")
        return _against_account(item, item.changes, account)
    if organization is None:
        return Judged(item, MOVED, "the organization is not there any more, or cannot be read")
    if item.action is Action.MARK and account is not None:
        return Judged(item, MOVED, "its account is there again")
    left = [change for change in item.changes if not same(value_of(organization, change.key), change.after)]
    if not left:
        return Judged(item, ALREADY, "is so already")
    moved = [change for change in left if not same(value_of(organization, change.key), change.before)]
    if moved:
        told = "; ".join(
            f"{_named(each)} is {_shown(value_of(organization, each.key))} by now" for each in moved
        )
        return Judged(
            item, MOVED, f"{told} (the plan saw {', '.join(_shown(each.before) for each in moved)})"
        )
    if item.action is Action.MARK:
        return Judged(replace(item, changes=tuple(left)), HOLDS)
    return _against_account(replace(item, changes=tuple(left)), left, account)


def _against_account(
    item: Item, changes: tuple[Change, ...] | list[Change], account: Account | None
) -> Judged:
    if account is None:
        return Judged(item, MOVED, "the account is not there any more, or is no longer readable")
    told = [
        f"{_named(each)} is {_shown(account.target.get(each.key.removeprefix(FIELD)))} in Salesforce by now"
        for each in changes
        if each.key.startswith(FIELD)
        and each.key.removeprefix(FIELD) in account.target
        and not same(account.target[each.key.removeprefix(FIELD)], each.after)
    ]
    return Judged(item, MOVED, "; ".join(told)) if told else Judged(item, HOLDS)


def undo_of(item: Item, organization: Organization | None) -> Judged:
    """The item that puts back what a run did; what somebody has touched since is left, and named."""
    if item.action is Action.CREATE:
        return Judged(item, KEPT, "was created: nothing is ever deleted")
    if organization is None:
        return Judged(item, MOVED, "the organization is not there any more, or cannot be read")
    back, touched = [], []
    for change in item.changes:
        now = value_of(organization, change.key)
        if same(now, change.after):
            back.append(Change(change.key, change.after, change.before))
        elif not same(now, change.before):
            touched.append(f"{_named(change)} is {_shown(now)}")
    reason = f"touched since, left alone: {'; '.join(touched)}" if touched else ""
    undone = replace(item, action=Action.UPDATE, changes=tuple(back), reason=reason)
    if back:
        return Judged(undone, HOLDS, reason)
    return Judged(undone, MOVED if touched else ALREADY, reason or "is as it was before")


def _named(change: Change) -> str:
    return change.key.removeprefix(FIELD)


def _shown(value: Value) -> str:
    return "empty" if same(None, value) else repr(value)[:80]
