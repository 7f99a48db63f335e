"""What is compared and planned: accounts, organizations, and what is to be done about each. Pure."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum

type Value = str | int | float | bool | None
"""Of an organization field, as Zendesk's REST carries it; a dropdown's is the option's tag."""

NAME, EXTERNAL_ID, TAGS = "name", "external_id", "tags"
FIELD = "field:"
"""Before the key of an organization field, so that a field called `name` is no organization's name."""
_MIDNIGHT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]00:00:00(?:\.0+)?(?:Z|\+00:?00)?")


@dataclass(frozen=True, slots=True)
class Account:
    """A living account, its values already as Zendesk should hold them (`target`: key of the field -> value)."""

    id: str
    name: str
    wanted: bool
    """Of a configured type: gets an organization when it has none."""
    back_reference: str | None = None
    target: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What of it could not be mapped, a sentence each; such a field is not in `target`."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A deleted account; `winner`: the account that it was merged into."""

    id: str
    winner: str | None = None


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization as Zendesk shows it; of its fields those that are mapped, and the mark."""

    id: str
    name: str
    external_id: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    shared: bool = False
    """Its members see each other's tickets."""


class Action(StrEnum):
    """What a run does about an account or an organization."""

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    RELINK = "relink"
    MARK = "mark"
    CONFLICT = "conflict"
    MISSING = "missing"
    """An account without an organization, in a run that creates none."""
    SHARING = "sharing"
    """What members may see of each other was granted to an account that was merged away: for a person to decide."""


WRITES = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.RELINK, Action.MARK})


@dataclass(frozen=True, slots=True)
class Change:
    """One value: `key` is NAME, EXTERNAL_ID, TAGS, or FIELD and the field's key. Tags are one text, with blanks."""

    key: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be done about one organization, or about an account that has none. `rule` names what decided it."""

    action: Action
    rule: str
    name: str
    account_id: str | None = None
    organization_id: str | None = None
    changes: tuple[Change, ...] = ()
    reason: str = ""
    sla: str = ""
    """How the SLA policy of its tickets changes: `priority -> none`; empty when it does not."""
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Ids that a conflict is about, beside the two."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `linked`: organizations that were found to belong to a living account."""

    items: tuple[Item, ...]
    unchanged: int = 0
    linked: int = 0
    accounts: int = 0
    organizations: int = 0
    unreadable: int = 0
    """Rows of either side that nobody could read: where there are any, nothing is created or marked."""

    @property
    def counts(self) -> dict[str, int]:
        """Items by action, `unchanged`, and `unreadable` where rows were."""
        found = {**Counter(item.action.value for item in self.items), "unchanged": self.unchanged}
        return found | ({"unreadable": self.unreadable} if self.unreadable else {})

    @property
    def writes(self) -> list[Item]:
        """Those that change something in Zendesk."""
        return [item for item in self.items if item.action in WRITES]


def same(before: Value, after: Value) -> bool:
    """Whether Zendesk already holds `after`: empty is empty in any form, 12 is 12.0 or "12.00", and a day is the
    moment of its midnight, as which a date field comes back (docs/vendors/zendesk.md#organizations).
    """
    if _empty(before) or _empty(after):
        return _empty(before) and _empty(after)
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    if isinstance(before, int | float) or isinstance(after, int | float):
        return _number(before) == _number(after)
    return _plain(before) == _plain(after)


def _number(value: Value) -> Decimal | str:
    """As a number where it is one."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return str(value)
    return number if number.is_finite() else str(value)


def _plain(value: Value) -> str:
    text = str(value).strip()
    moment = _MIDNIGHT.fullmatch(text)
    return moment[1] if moment else text


def _empty(value: Value) -> bool:
    """A checkbox that was never touched is null, and means false."""
    return value is None or value == "" or value is False


def joined(tags: Sequence[str]) -> str:
    """Tags as one value."""
    return " ".join(tags)


def value_of(organization: Organization, key: str) -> Value:
    """What an organization holds under a change's key."""
    plain: Mapping[str, Value] = {
        NAME: organization.name,
        EXTERNAL_ID: organization.external_id,
        TAGS: joined(organization.tags),
    }
    return plain[key] if key in plain else organization.values.get(key.removeprefix(FIELD))
