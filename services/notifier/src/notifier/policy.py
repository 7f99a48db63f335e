"""What the organization decides about its feeds (YAML, section `notifier`).

The rules say which feed a ticket belongs to (docs/rules.md N3, N4, N8). Whether it does can be yes, no, or not known
yet, because events carry the id of the form and not its name. What is not known is read before anything is posted; a
form whose name cannot be found is treated as secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from supportops.config.durations import Duration
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
        return _verdict(wanted and not _holds(self.exclude, form))


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
        return _verdict((not self.any or not tags.isdisjoint(self.any)) and tags.isdisjoint(self.none))


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


class NotifierPolicy(Rules):
    """The section as a whole.

    `never_forms`: a ticket whose form's name contains one of these words never appears in any feed. `fold_window`: how
    far apart in time events of one person on one ticket are still one action, where Zendesk names no sequence.
    `channel_pace`: the least time between two messages of a channel (docs/vendors/slack.md#limits: a second); null
    lifts it. `max_age`: news older than this is not posted. `names_lifetime`: how long names of forms, organizations
    and people are believed. `comment_length`: characters of a comment that are shown. `keep`: how long we remember what
    we posted.
    """

    feeds: tuple[FeedRule, ...] = ()
    never_forms: tuple[Name, ...] = ("Security",)
    fold_window: Duration = timedelta(seconds=5)
    channel_pace: Duration | None = timedelta(seconds=1)
    max_age: Duration = timedelta(hours=24)
    names_lifetime: Duration = timedelta(minutes=10)
    comment_length: int = Field(default=1_500, ge=50, le=2_900)
    keep: Duration = timedelta(days=30)

    @model_validator(mode="after")
    def _check_feeds(self) -> Self:
        names = [feed.name for feed in self.feeds]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"feeds: each name once; twice here: {', '.join(doubled)}")
        for feed in self.feeds:
            if secret := [form for form in feed.forms.include if self.is_secret(form)]:
                raise ValueError(f"feeds: {feed.name} includes {secret[0]!r}, which never_forms forbids")
        return self

    def feed(self, name: str) -> FeedRule | None:
        """The feed of that name; None when the file has it no more."""
        return next((feed for feed in self.feeds if feed.name == name), None)

    def is_secret(self, form: str) -> bool:
        """Whether tickets of this form may never be shown."""
        name = form.casefold()
        return any(word.casefold() in name for word in self.never_forms)

    def verdict(self, feed: FeedRule, ticket: Routable) -> Verdict:
        """Whether `ticket` belongs to `feed`: yes only when every condition says yes, no as soon as one says no."""
        return both(self.allowed(ticket.form), feed.verdict(ticket))

    def allowed(self, form: str | None) -> Verdict:
        """Whether a ticket of this form may be shown anywhere."""
        if not self.never_forms:
            return Verdict.YES
        return Verdict.UNKNOWN if form is None else _verdict(not self.is_secret(form))


def _holds(names: Iterable[str], form: str) -> bool:
    return _folded(form) in {_folded(name) for name in names}


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _verdict(belongs: bool) -> Verdict:
    return Verdict.YES if belongs else Verdict.NO


def both(one: Verdict, other: Verdict) -> Verdict:
    """Yes only when both say yes, no as soon as one says no."""
    if one is Verdict.NO or other is Verdict.NO:
        return Verdict.NO
    return other if one is Verdict.YES else one
