"""Which feed a ticket belongs to: the conditions of the organization (YAML, section `notifier`).

The rules say which feed a ticket belongs to (docs/rules.md N3, N4, N8). Whether it does can be yes, no, or not known
yet, because events carry the id of the form and not its name. What is not known is read before anything is posted; a
form whose name cannot be found is treated as secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

from pydantic import StringConstraints

from supportops.config.rules_file import Rules

FEED_COLOUR = "#4AACD8"


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
NO_FORM = ""


class Verdict(Enum):
    """Whether a ticket belongs to a feed."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Routable:
    """What routing looks at.

    `form`: the form's name, `NO_FORM` for a ticket without one, None while unknown. `tags`: None while unknown.
    `public`: False for private comments; None while unknown.
    """

    form: str | None
    tags: frozenset[str] | None
    public: bool | None


class FormRule(Rules):
    """Forms by name, compared without regard to case. With `include`, a ticket without a form does not belong."""

    include: tuple[Name, ...] = ()
    exclude: tuple[Name, ...] = ()

    def verdict(self, form: str | None) -> Verdict:
        """Whether a ticket of this form belongs."""
        if not self.include and not self.exclude:
            return Verdict.YES
        if form is None:
            return Verdict.UNKNOWN
        wanted = not self.include or _holds(self.include, form)
        return verdict_of(wanted and not _holds(self.exclude, form))


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


class FeedRule(Rules):
    """One feed: a channel, the tickets that belong to it, and how it is written.

    `private_comments` marks a channel that may see private comments. `lookups: false` shows what the event carries and
    makes no REST read for it: no organization name. `updates`: later messages of a ticket go into the `thread` of its
    first one, or each stands in the `channel`.
    """

    name: Name
    channel: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
    forms: FormRule = FormRule()
    tags: TagRule = TagRule()
    private_comments: bool = False
    lookups: bool = True
    updates: Literal["thread", "channel"] = "thread"
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")] = FEED_COLOUR

    def verdict(self, ticket: Routable) -> Verdict:
        """Whether a ticket belongs by this feed's own conditions; there may be a hundred feeds, so cheapest first."""
        by_tags = self.tags.verdict(ticket.tags)
        if by_tags is Verdict.NO:
            return by_tags
        return both(by_tags, both(self._sees(ticket.public), self.forms.verdict(ticket.form)))

    def _sees(self, public: bool | None) -> Verdict:
        if self.private_comments or public:
            return Verdict.YES
        return Verdict.UNKNOWN if public is None else Verdict.NO


def _holds(names: Iterable[str], form: str) -> bool:
    return _folded(form) in {_folded(name) for name in names}


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def verdict_of(belongs: bool) -> Verdict:
    return Verdict.YES if belongs else Verdict.NO


def both(one: Verdict, other: Verdict) -> Verdict:
    """Yes only when both say yes, no as soon as one says no."""
    if one is Verdict.NO or other is Verdict.NO:
        return Verdict.NO
    return other if one is Verdict.YES else one
