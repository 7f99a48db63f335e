"""What the organization decides about its notices (YAML, section `notifier`): the section as a whole."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from notifier.policy.bot import BotPolicy
from notifier.policy.breaches import BreachPolicy
from notifier.policy.conditions import Name, Routable, Verdict, both, verdict_of
from notifier.policy.notices import NoticesPolicy
from notifier.policy.routing import Channel, FeedRule, Judgement
from supportops.config.durations import Duration
from supportops.config.rules_file import Rules

_ROUTING = {"feeds", "match", "never_forms"}


class NotifierPolicy(Rules):
    """The section as a whole.

    `feeds`: the routing; `match`: a message goes to all feeds that want it, or to the first of them. `never_forms`: a
    ticket whose form's name contains one of these words appears in no feed that is not marked `secret_forms`.
    `plan_field`, `region_field`: the organization's fields in Zendesk (by key) that hold its plan and its region.
    `fold_window`: how far apart in time events of one person on one ticket are still one action, where Zendesk names no
    sequence. `channel_pace`: the least time between two messages of a channel (docs/vendors/slack.md#limits: a second);
    null lifts it. `burst_window`: how long a summary waits for more, once more lines wait for a channel than it takes
    in a minute. `max_age`: news older than this is not posted. `names_lifetime`: how long names of forms,
    organizations and people are believed. `comment_length`: characters of a comment that are shown. `keep`: how long we
    remember what we posted, and why not. `operators_channel`: where the notifier's own alerts go; null: nowhere.
    `fallback_channel`: what cannot be posted where it belongs goes there, unless it is confidential.
    """

    feeds: tuple[FeedRule, ...] = ()
    match: Literal["all", "first"] = "all"
    breaches: BreachPolicy = BreachPolicy()
    notices: NoticesPolicy = NoticesPolicy()
    bot: BotPolicy = BotPolicy()
    never_forms: tuple[Name, ...] = ("Security",)
    plan_field: Name = "support_level"
    region_field: Name = "region"
    operators_channel: Channel | None = None
    fallback_channel: Channel | None = None
    burst_window: Duration = timedelta(seconds=15)
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
            secret = [form for form in feed.forms.include if self.is_secret(form)]
            if secret and not feed.secret_forms:
                raise ValueError(f"feeds: {feed.name} includes {secret[0]!r}, which never_forms forbids")
        return self

    @cached_property
    def version(self) -> str:
        """Twelve characters that change with the routing rules: kept with every decision."""
        return hashlib.sha256(orjson.dumps(self.routing())).hexdigest()[:12]

    def routing(self) -> dict[str, Any]:
        """The routing rules alone, as they are kept for later explanation; `NotifierPolicy` reads them back."""
        return self.model_dump(mode="json", include=_ROUTING, exclude_defaults=True)

    def feed(self, name: str) -> FeedRule | None:
        """The feed of that name; None when the file has it no more."""
        return next((feed for feed in self.feeds if feed.name == name), None)

    def asks_for(self, *names: str) -> bool:
        """Whether any feed has a condition of one of these names."""
        return any(feed.asks_for(name) for feed in self.feeds for name in names)

    def is_secret(self, form: str) -> bool:
        """Whether tickets of this form may be shown only in channels that are marked for them."""
        name = form.casefold()
        return any(word.casefold() in name for word in self.never_forms)

    def verdict(self, feed: FeedRule, ticket: Routable) -> Verdict:
        """Whether `ticket` belongs to `feed`: yes only when every condition says yes, no as soon as one says no."""
        return both(self.allowed(feed, ticket.form), feed.verdict(ticket))

    def judge(self, feed: FeedRule, ticket: Routable) -> Judgement:
        """The same in words."""
        allowed = self.allowed(feed, ticket.form)
        if allowed is Verdict.NO:
            return Judgement(allowed, f"never_forms: the ticket's form is {ticket.form!r}")
        judged = feed.judge(ticket)
        if judged.verdict is Verdict.YES and allowed is Verdict.UNKNOWN:
            return Judgement(allowed, "not known: forms")
        return judged

    def allowed(self, feed: FeedRule, form: str | None) -> Verdict:
        """Whether a ticket of this form may be shown in `feed`."""
        if not self.never_forms or feed.secret_forms:
            return Verdict.YES
        return Verdict.UNKNOWN if form is None else verdict_of(not self.is_secret(form))

    def chosen(self, verdicts: Iterable[tuple[FeedRule, Verdict]]) -> tuple[list[FeedRule], bool]:
        """Of feeds in the order of the file those that get the message, and whether something must be read first."""
        found: list[FeedRule] = []
        unknown = False
        for feed, verdict in verdicts:
            if verdict is Verdict.UNKNOWN:
                unknown = True
            elif verdict is Verdict.YES:
                found.append(feed)
            if self.match == "first" and verdict is not Verdict.NO:
                break
        return found, unknown
