"""What a rule may ask of a ticket, and the answer: yes, no, or not known yet. Pure.

Events carry the id of the form and not its name, and nothing of the organization but its id. What is not known is read
before anything is posted; a form whose name cannot be found is treated as secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

from pydantic import StringConstraints

from notifier.policy.kinds import Kind
from supportops.config.rules_file import Rules

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
NO_FORM = ""

Actor = Literal["person", "bot", "own"]
"""Who acted: a person, something that has no user's id (an automation), or one of our integration users."""


class Verdict(Enum):
    """Whether a ticket belongs to a feed."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Routable:
    """What routing looks at. A value of None is not known; an empty text or set is known to be empty.

    `public`: False for private comments, and for changes of tickets that no customer sees. `kind`: what happened, or
    the weightiest of what was done at once; `others`: the rest of it. `added`, `removed`: tags. `score`: of a rating.
    `plan` and `region` are the values of the organization's fields.
    """

    form: str | None
    tags: frozenset[str] | None
    public: bool | None
    actor: Actor = "person"
    kind: Kind = "commented"
    priority: str | None = None
    brand: str | None = None
    group: str | None = None
    organization: str | None = None
    plan: str | None = None
    region: str | None = None
    status: str | None = None
    others: frozenset[Kind] = frozenset()
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    score: str = ""

    @property
    def kinds(self) -> frozenset[Kind]:
        """Everything that happened at once."""
        return self.others | {self.kind}


class NameRule(Rules):
    """Names, compared without regard to case. With `include`, a ticket without such a name does not belong."""

    include: tuple[Name, ...] = ()
    exclude: tuple[Name, ...] = ()

    def verdict(self, name: str | None) -> Verdict:
        """Whether a ticket with this form (brand, group, …) belongs."""
        if not self.include and not self.exclude:
            return Verdict.YES
        if name is None:
            return Verdict.UNKNOWN
        wanted = not self.include or _holds(self.include, name)
        return verdict_of(wanted and not _holds(self.exclude, name))


class TagRule(Rules):
    """`any`: at least one of them; `none`: not one of them. Empty lists ask for nothing."""

    any: tuple[Name, ...] = ()
    none: tuple[Name, ...] = ()

    def verdict(self, tags: frozenset[str] | None) -> Verdict:
        """Whether a ticket with these tags belongs."""
        if not self.any and not self.none:
            return Verdict.YES
        if tags is None:
            return Verdict.UNKNOWN
        return verdict_of((not self.any or not tags.isdisjoint(self.any)) and tags.isdisjoint(self.none))


def verdict_of(belongs: bool) -> Verdict:
    """The verdict where everything is known."""
    return Verdict.YES if belongs else Verdict.NO


def both(one: Verdict, other: Verdict) -> Verdict:
    """Yes only when both say yes, no as soon as one says no."""
    if one is Verdict.NO or other is Verdict.NO:
        return Verdict.NO
    return other if one is Verdict.YES else one


def _holds(names: Iterable[str], name: str) -> bool:
    return _folded(name) in {_folded(each) for each in names}


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
