"""What the feeds' destinations work with."""

from dataclasses import dataclass

from msgspec import json, structs
from sqlalchemy import bindparam, select

from notifier import tables
from notifier.feeds.lookups import Lookups, NotToBeShown, carried_line
from notifier.feeds.merge import TicketFeed
from notifier.feeds.render import FeedLine, Look, render
from notifier.feeds.scheduling import MessagePayload, MessageScheduler
from notifier.policy import FeedRule, NotifierPolicy, Verdict
from notifier.slack.client import (
    SlackClient,
)
from notifier.slack.message import Message
from supportops.delivery.destination import (
    Cancel,
    Done,
    Outcome,
)
from supportops.observability.metrics import Recorder
from supportops.store import Store

_STATE = select(tables.feed_tickets.c.state).where(tables.feed_tickets.c.ticket_id == bindparam("ticket_id"))


@dataclass(frozen=True)
class MessageContext:
    """What the three destinations work with."""

    store: Store
    policy: NotifierPolicy
    planner: MessageScheduler
    lookups: Lookups
    slack: SlackClient
    base_url: str
    metrics: Recorder

    async def newest(self, planned: MessagePayload) -> MessagePayload:
        """The message as it is known now; what the delivery brought along, when the ticket is forgotten."""
        async with self.store.reading() as conn:
            stored = (await conn.execute(_STATE, {"ticket_id": planned.ticket_id})).scalar()
        feed = json.decode(stored, type=TicketFeed) if stored else TicketFeed()
        item = feed.items.get(planned.item)
        if item is None:
            return planned
        content = feed.content(item, self.policy.fold_window)
        return structs.replace(planned, revision=item.revision, content=content)

    async def rendered(self, planned: MessagePayload, feed: FeedRule) -> Message:
        """The message as it looks in `feed` now. Raises NotToBeShown, also when the ticket's form is another by now."""
        verdict = self.policy.verdict(feed, self.planner.routable(planned.content, self.store.clock.now()))
        if verdict is Verdict.UNKNOWN:
            routable = await self.lookups.routable(planned.ticket_id, planned.content)
            verdict = self.policy.verdict(feed, routable)
        if verdict is Verdict.NO:
            raise NotToBeShown("it does not belong to the feed any more")
        if feed.lookups:
            return self.look(feed, await self.lookups.line(planned.ticket_id, planned.content, feed))
        return self.look(feed, carried_line(planned.ticket_id, planned.content))

    def counted(self, outcome: Outcome, success: str) -> Outcome:
        """`outcome`, counted."""
        if isinstance(outcome, Done | Cancel):
            word = success if isinstance(outcome, Done) else "skipped"
            self.metrics.count("messages_posted", outcome=word)
        return outcome

    def look(self, feed: FeedRule, line: FeedLine) -> Message:
        """`line` in the colours of `feed`."""
        return render(line, Look(self.base_url, feed.colour, self.policy.comment_length))
