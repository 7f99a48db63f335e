"""What the feeds' destinations work with."""

from dataclasses import dataclass, replace

from msgspec import json, structs
from sqlalchemy import bindparam, select

from notifier import tables
from notifier.feeds.lookups import Lookups, NotToBeShown, carried_line
from notifier.feeds.merge import TicketFeed
from notifier.feeds.render import FeedLine, Look, render
from notifier.feeds.scheduling import MessagePayload, MessageScheduler
from notifier.policy.conditions import Routable, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.posting.channels import ChannelDirectory
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
from supportops.vendors.zendesk import Zendesk


@dataclass(frozen=True)
class Rendered:
    """A message; `confidential`: it may be shown in a closed channel only."""

    message: Message
    confidential: bool


_STATE = select(tables.feed_tickets.c.state).where(tables.feed_tickets.c.ticket_id == bindparam("ticket_id"))


@dataclass(frozen=True)
class MessageContext:
    """What the three destinations work with."""

    store: Store
    policy: NotifierPolicy
    scheduler: MessageScheduler
    zendesk: Zendesk
    lookups: Lookups
    slack: SlackClient
    channels: ChannelDirectory
    base_url: str
    metrics: Recorder

    async def newest(self, payload: MessagePayload) -> MessagePayload:
        """The message as it is known now; what the delivery brought along, when the ticket is forgotten."""
        feed = await self.known(payload.ticket_id)
        item = feed.items.get(payload.item)
        if item is None:
            return payload
        content = feed.content(item, self.policy.fold_window)
        return structs.replace(payload, revision=item.revision, content=content)

    async def known(self, ticket_id: str) -> TicketFeed:
        """What the feeds know of a ticket."""
        async with self.store.reading() as conn:
            stored = (await conn.execute(_STATE, {"ticket_id": ticket_id})).scalar()
        return json.decode(stored, type=TicketFeed) if stored else TicketFeed()

    async def rendered(self, payload: MessagePayload, feed: FeedRule) -> "Rendered":
        """The message as it looks in `feed` now. Raises NotToBeShown, also when the ticket's form is another by now."""
        routable = self.scheduler.routable(payload.content, self.store.clock.now())
        verdict = self.policy.verdict(feed, routable)
        if verdict is Verdict.UNKNOWN or (verdict is Verdict.YES and feed.template is not None):
            routable = await self.lookups.routable(payload.ticket_id, payload.content)
            verdict = self.policy.verdict(feed, routable)
        if verdict is not Verdict.YES:
            raise NotToBeShown("it does not belong to the feed any more, or nobody can tell")
        public, line = payload.content.public, carried_line(payload.ticket_id, payload.content)
        if feed.lookups:
            public, line = await self.lookups.line(payload.ticket_id, payload.content, feed)
        message = self.laid_out(feed, replace(line, names=names_of(routable)))
        return Rendered(message, public is not True or self.policy.is_secret(routable.form or ""))

    def plain(self, line: FeedLine) -> Message:
        """`line` in our own words and colours, whatever the feed."""
        return render(line, Look(self.base_url, comment_length=self.policy.comment_length))

    def counted(self, outcome: Outcome, success: str) -> Outcome:
        """`outcome`, counted."""
        if isinstance(outcome, Done | Cancel):
            word = success if isinstance(outcome, Done) else "skipped"
            self.metrics.count("messages_posted", outcome=word)
        return outcome

    def laid_out(self, feed: FeedRule, line: FeedLine) -> Message:
        """`line` in the colours of `feed`."""
        look = Look(self.base_url, feed.colour, self.policy.comment_length, feed.mention, feed.template)
        wanted = tuple(change for change in line.changes if change.kind in feed.kinds)
        return render(replace(line, changes=wanted), look)


def names_of(routable: Routable) -> dict[str, str | None]:
    """What only templates show."""
    shown = ("form", "priority", "brand", "group", "plan", "region")
    return {name: getattr(routable, name) for name in shown}
