"""Which feeds a message belongs to: names of forms, and an index of the rules."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from notifier.feeds.merge import Content
from notifier.policy.conditions import NO_FORM, Routable, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule


class FeedIndex:
    """The feeds by the tags that they want: there may be a hundred, and most want one tag of their own."""

    def __init__(self, policy: NotifierPolicy) -> None:
        self._policy = policy
        self._by_tag: dict[str | None, list[int]] = {}  # under None those that want no particular tag
        for number, feed in enumerate(policy.feeds):
            for tag in feed.tags.any or (None,):
                self._by_tag.setdefault(tag, []).append(number)

    def candidates(self, ticket: Routable) -> list[tuple[FeedRule, Verdict]]:
        """The feeds that `ticket` belongs to, or may belong to, in the order of the file."""
        verdicts = ((feed, self._policy.verdict(feed, ticket)) for feed in self._perhaps(ticket.tags))
        return [(feed, verdict) for feed, verdict in verdicts if verdict is not Verdict.NO]

    def _perhaps(self, tags: frozenset[str] | None) -> Iterable[FeedRule]:
        feeds = self._policy.feeds
        if tags is None:
            return feeds
        numbers = {number for tag in (*tags, None) for number in self._by_tag.get(tag, ())}
        return (feeds[number] for number in sorted(numbers))


class FormNames:
    """Names of ticket forms by id, believed for `lifetime`; learnt where Zendesk may be called, read in handlers."""

    def __init__(self, lifetime: timedelta) -> None:
        self._lifetime = lifetime
        self._known: dict[str, tuple[str, datetime]] = {}

    @property
    def any_known(self) -> bool:
        """Whether Zendesk ever named a form to this process."""
        return any(name != NO_FORM for name, _ in self._known.values())

    def learn(self, form_id: str, name: str, now: datetime) -> None:
        """Remember what Zendesk says now."""
        self._known[form_id] = (name, now)

    def name_of(self, content: Content, now: datetime) -> str | None:
        """The form's name, `NO_FORM` for a ticket without form, None while it must be looked up."""
        if not content.knows("form_id"):
            return None
        return self.by_id(content.text_of("form_id"), now)

    def by_id(self, form_id: str | None, now: datetime) -> str | None:
        """The same by the form's id."""
        if form_id is None:
            return NO_FORM
        name, learnt_at = self._known.get(form_id, (None, now))
        return name if now - learnt_at <= self._lifetime else None
