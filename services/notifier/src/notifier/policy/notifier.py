"""What the organization decides about its notices (YAML, section `notifier`): the section as a whole."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from notifier.policy.breaches import BreachPolicy
from notifier.policy.routing import FeedRule, Name, Routable, Verdict, both, verdict_of
from supportops.config.durations import Duration
from supportops.config.rules_file import Rules


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
    breaches: BreachPolicy = BreachPolicy()
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
        return Verdict.UNKNOWN if form is None else verdict_of(not self.is_secret(form))
