"""The brake: what stops a run before its first write, and which cause fits (docs/rules.md S8). Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sfdc_sync.organizations.model import FIELD, Action, Item, Plan, Value, same
from sfdc_sync.policy.organizations import BrakePolicy, Limit

ALMOST_ALL = 0.9
LIFTED_FOR = timedelta(days=1)
"""For so long a brake that was lifted waits for its run: a year later it would pass what nobody has looked at."""


@dataclass(frozen=True, slots=True)
class Tripped:
    """A limit that a plan exceeds: `what` of `field` (or of the run), how many, how many would pass, and the cause."""

    what: str
    field: str
    count: int
    allowed: int
    cause: str

    def __str__(self) -> str:
        of = f" of {self.field}" if self.field else ""
        what = self.what.removesuffix("s") if self.count == 1 else self.what
        return f"{self.count} {what}{of} (up to {self.allowed} pass): {self.cause}"


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the run before: its filter, and what it last saw to be right, by organization and field."""

    filter_changed: bool = False
    written: Mapping[str, Mapping[str, Value]] | None = None
    held: Mapping[str, int] | None = None
    """Field -> linked organizations that hold a value of it now."""


def judge(plan: Plan, policy: BrakePolicy, before: Before) -> list[Tripped]:
    """The limits that `plan` exceeds; none: it may be written."""
    return [
        *_fields(plan, policy, before),
        *_blanks(plan, policy, before),
        *_rows(plan, policy, before),
    ]


def _fields(plan: Plan, policy: BrakePolicy, before: Before) -> Iterator[Tripped]:
    changed = Counter(change.key for item in _corrected(plan) for change in item.changes)
    for key, count in sorted(changed.items()):
        name = key.removeprefix(FIELD)
        limit = policy.fields.get(name, policy.changes)
        if count > (allowed := limit.allowed(plan.linked)):
            yield Tripped("changes", name, count, allowed, _cause_of_changes(plan, key, before))


def _blanks(plan: Plan, policy: BrakePolicy, before: Before) -> Iterator[Tripped]:
    blanked = Counter(
        change.key
        for item in _corrected(plan)
        for change in item.changes
        if not same(None, change.before) and same(None, change.after) and change.before is not True
    )
    for key, count in sorted(blanked.items()):
        if count > (allowed := policy.blanks.allowed(plan.linked)):
            name = key.removeprefix(FIELD)
            held = (before.held or {}).get(name, 0)
            hidden = held and count >= ALMOST_ALL * held
            cause = (
                "hidden field: it became empty in (almost) every account, as when field-level security hides it"
                if hidden
                else "a mass edit in Salesforce emptied it"
            )
            yield Tripped("blanks", name, count, allowed, cause)


def _rows(plan: Plan, policy: BrakePolicy, before: Before) -> Iterator[Tripped]:
    rules = Counter(item.rule for item in plan.items if item.action is Action.MARK)
    gone = rules["account_disappeared"]
    changed = "changed filter: types or fields of the rules are not those of the last run"
    if gone > (allowed := policy.disappeared.allowed(plan.linked + gone)):
        cause = "invisible rows: the integration user does not see these accounts any more (sharing, or another org)"
        yield Tripped("disappeared accounts", "", gone, allowed, changed if before.filter_changed else cause)
    yield from _over(
        "marks",
        rules.total(),
        policy.marks,
        plan.linked + rules.total(),
        "a mass deletion of accounts in Salesforce",
    )
    merged = sum(1 for item in plan.items if item.rule == "account_merged" and item.action is Action.RELINK)
    yield from _over(
        "relinks", merged, policy.marks, plan.linked, "merge: accounts were merged in Salesforce"
    )
    new = sum(1 for item in plan.items if item.action is Action.CREATE)
    cause = (
        changed if before.filter_changed else "many new accounts, or organizations that are not seen any more"
    )
    yield from _over("new organizations", new, policy.creates, plan.linked, cause)


def _over(what: str, count: int, limit: Limit, linked: int, cause: str) -> Iterator[Tripped]:
    if count > (allowed := limit.allowed(linked)):
        yield Tripped(what, "", count, allowed, cause)


def _corrected(plan: Plan) -> Sequence[Item]:
    """Changes of organizations that were linked before: what is new to us is no mass change."""
    return [item for item in plan.items if item.action is Action.UPDATE]


def _cause_of_changes(plan: Plan, key: str, before: Before) -> str:
    if before.filter_changed:
        return "changed filter: types or fields of the rules are not those of the last run"
    if before.written is None:
        return "a first run, or a mass edit in Salesforce"
    name = key.removeprefix(FIELD)
    theirs = ours = 0
    for item in _corrected(plan):
        for change in item.changes:
            known = before.written.get(item.organization_id or "", {})
            if change.key != key or name not in known:
                continue
            if same(known[name], change.after):
                theirs += 1
            else:
                ours += 1
    if theirs > ours:
        return "a person's edit: the values were changed in Zendesk, Salesforce's are as they were"
    return "a mass edit in Salesforce"
