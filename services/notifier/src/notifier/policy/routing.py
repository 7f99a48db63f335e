"""Which feed a ticket belongs to, and how it is shown there: the organization's rules (YAML, section `notifier.feeds`).

docs/rules.md N3, N4, N5, N8; docs/notifier.md shows the keys.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import StringConstraints

from notifier.policy.conditions import Actor, Name, NameRule, Routable, TagRule, Verdict, verdict_of
from notifier.policy.kinds import KINDS, Kind
from notifier.policy.templates import TemplateText, used
from supportops.config.quiet_hours import QuietHours
from supportops.config.rules_file import Rules

FEED_COLOUR = "#4AACD8"
Channel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Mention = Annotated[str, StringConstraints(pattern=r"^([UWS][A-Z0-9]{2,}|here|channel)$")]
"""Whom a message calls: a user's id, a user group's id (S…), `here` or `channel`."""


@dataclass(frozen=True)
class Judgement:
    """Whether a ticket belongs to a feed; `why`: the condition that said no, or those that are not known."""

    verdict: Verdict
    why: str = ""


class FeedRule(Rules):
    """One feed: a channel, the tickets that belong to it, and how it is written.

    `private_comments` marks a channel that may see private comments, `secret_forms` one that may see the forms of
    `never_forms`; Slack must say as well that the channel is private and without people of other companies, each time
    (docs/notifier.md). `lookups: false` shows what the event carries and makes no REST read for it: no organization
    name. `updates`: later messages of a ticket go into the `thread` of its first one, or each stands in the `channel`.
    What comes in `quiet_hours` is one message at their end. `tags_added`, `tags_removed` and `scores` ask what the
    action did, all other conditions what the ticket is.
    """

    name: Name
    channel: Channel
    kinds: tuple[Kind, ...] = ("created", "commented")
    actors: tuple[Actor, ...] = ("person", "bot")
    forms: NameRule = NameRule()
    tags: TagRule = TagRule()
    tags_added: TagRule = TagRule()
    tags_removed: TagRule = TagRule()
    scores: NameRule = NameRule()
    statuses: NameRule = NameRule()
    priorities: NameRule = NameRule()
    brands: NameRule = NameRule()
    groups: NameRule = NameRule()
    organizations: NameRule = NameRule()
    plans: NameRule = NameRule()
    regions: NameRule = NameRule()
    private_comments: bool = False
    secret_forms: bool = False
    lookups: bool = True
    updates: Literal["thread", "channel"] = "thread"
    mention: tuple[Mention, ...] = ()
    colour: Colour = FEED_COLOUR
    template: TemplateText | None = None
    quiet_hours: QuietHours | None = None

    def verdict(self, ticket: Routable) -> Verdict:
        """Whether a ticket belongs by this feed's own conditions; there may be a hundred feeds, so cheapest first."""
        if ticket.kinds.isdisjoint(self.kinds) or ticket.actor not in self.actors:
            return Verdict.NO
        unknown = False
        for _, found, _ in self._conditions(ticket):
            if found is Verdict.NO:
                return found
            unknown = unknown or found is Verdict.UNKNOWN
        seen = self._sees(ticket.public)
        if seen is Verdict.NO or not unknown:
            return seen
        return Verdict.UNKNOWN

    def judge(self, ticket: Routable) -> Judgement:
        """The same in words, for people who ask why not."""
        if ticket.kinds.isdisjoint(self.kinds):
            return Judgement(Verdict.NO, f"kinds: it was {kinds_words(ticket.kinds)}")
        if ticket.actor not in self.actors:
            return Judgement(Verdict.NO, f"actors: it was done by {ticket.actor}")
        found = list(self._conditions(ticket))
        for name, verdict, value in found:
            if verdict is Verdict.NO:
                return Judgement(verdict, f"{name}: the ticket has {_shown(value)}")
        if self._sees(ticket.public) is Verdict.NO:
            return Judgement(Verdict.NO, "private_comments: the comment is private")
        missing = [name for name, verdict, _ in found if verdict is Verdict.UNKNOWN]
        missing += ["whether the comment is public"] if self._sees(ticket.public) is Verdict.UNKNOWN else []
        if missing:
            return Judgement(Verdict.UNKNOWN, f"not known: {', '.join(missing)}")
        return Judgement(Verdict.YES)

    def asks_for(self, name: str) -> bool:
        """Whether a condition of that name is set, or the template shows what it is about."""
        if self.template is not None and _SHOWS.get(name) in used(self.template):
            return True
        rule: NameRule = getattr(self, name)
        return rule != NameRule()

    def of_any_event(self, ticket: Routable) -> "FeedRule":
        """The feed without its conditions on what happened and who did it: whether the ticket as such belongs."""
        return self.model_copy(
            update={"kinds": (ticket.kind,), "actors": (ticket.actor,)}
            | {"tags_added": TagRule(), "tags_removed": TagRule(), "scores": NameRule()}
        )

    def _conditions(self, ticket: Routable) -> Iterator[tuple[str, Verdict, str | frozenset[str] | None]]:
        yield "tags_added", self.tags_added.verdict(ticket.added), ticket.added
        yield "tags_removed", self.tags_removed.verdict(ticket.removed), ticket.removed
        yield "tags", self.tags.verdict(ticket.tags), ticket.tags
        for name, value in (
            ("scores", ticket.score),
            ("statuses", ticket.status),
            ("forms", ticket.form),
            ("priorities", ticket.priority),
            ("brands", ticket.brand),
            ("groups", ticket.group),
            ("organizations", ticket.organization),
            ("plans", ticket.plan),
            ("regions", ticket.region),
        ):
            rule: NameRule = getattr(self, name)
            yield name, rule.verdict(value), value

    def _sees(self, public: bool | None) -> Verdict:
        if self.private_comments or public:
            return Verdict.YES
        return Verdict.UNKNOWN if public is None else verdict_of(False)


_SHOWS = {
    "forms": "form",
    "priorities": "priority",
    "brands": "brand",
    "groups": "group",
    "organizations": "organization",
    "plans": "plan",
    "regions": "region",
}
"""The value of a template that is what a condition is about."""


def kinds_words(kinds: frozenset[Kind]) -> str:
    """`solved, assigned`: what happened, the weightiest first."""
    return ", ".join(kind for kind in KINDS if kind in kinds)


def _shown(value: str | frozenset[str] | None) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "no tags"
    return repr(value) if value else "none"
