"""Feed messages as deliveries: find the feeds, post once, change what was posted (handbook N3-N5; slack.md 1 and 3).

A post carries its key in Slack's metadata. After an unknown outcome the channel's history says whether it is there;
where the history cannot be read, the line is skipped rather than doubled (design §9). A change may be made twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from msgspec import json, structs
from sqlalchemy import Row, bindparam, select

from notifier import tables
from notifier.feeds.lookups import Lookups, NotToBeShown, carried_line
from notifier.feeds.merge import TicketFeed
from notifier.feeds.render import FeedLine, Json, Look, Message, render
from notifier.feeds.scheduling import POSTS, ROUTING, UPDATES, Planned, Planner, from_payload, message_key
from notifier.settings import FeedRule, NotifierRules, Verdict
from notifier.slack.client import (
    Posted,
    SeenMessage,
    SlackChannelError,
    SlackClient,
    SlackCredentialError,
    SlackRateLimited,
    SlackTargetGone,
)
from supportops.delivery.destination import (
    Delivery,
    DestinationSpec,
    Done,
    Moot,
    Outcome,
    Rate,
    TryAgain,
)
from supportops.errors import DestinationPaused, Retryable
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction

EVENT_TYPE = "ticket_feed"
CLOCK_MARGIN = timedelta(minutes=1)  # Slack's clock and ours
SOON = timedelta(seconds=1)
POSTED, GONE = "posted", "gone"
NO_FEED = "the feed is not in the rules any more"
_STATE = select(tables.feed_tickets.c.state).where(tables.feed_tickets.c.ticket_id == bindparam("ticket_id"))


@dataclass(frozen=True)
class Desk:
    """What the three destinations work with."""

    store: Store
    rules: NotifierRules
    planner: Planner
    lookups: Lookups
    slack: SlackClient
    base_url: str
    metrics: Recorder

    async def newest(self, planned: Planned) -> Planned:
        """The message as it is known now; what the delivery brought along, when the ticket is forgotten."""
        async with self.store.reading() as conn:
            stored = (await conn.execute(_STATE, {"ticket_id": planned.ticket_id})).scalar()
        feed = json.decode(stored, type=TicketFeed) if stored else TicketFeed()
        item = feed.items.get(planned.item)
        if item is None:
            return planned
        content = feed.content(item, self.rules.fold_window)
        return structs.replace(planned, revision=item.revision, content=content)

    async def rendered(self, planned: Planned, feed: FeedRule) -> Message:
        """The message as it looks in `feed` now. Raises NotToBeShown, also when the ticket's form is another by now."""
        verdict = self.rules.verdict(feed, self.planner.routable(planned.content, self.store.clock.now()))
        if verdict is Verdict.UNKNOWN:
            routable = await self.lookups.routable(planned.ticket_id, planned.content)
            verdict = self.rules.verdict(feed, routable)
        if verdict is Verdict.NO:
            raise NotToBeShown("it does not belong to the feed any more")
        if feed.lookups:
            return self.look(feed, await self.lookups.line(planned.ticket_id, planned.content, feed))
        return self.look(feed, carried_line(planned.ticket_id, planned.content))

    def counted(self, outcome: Outcome, success: str) -> Outcome:
        """`outcome`, counted."""
        if isinstance(outcome, Done | Moot):
            word = success if isinstance(outcome, Done) else "skipped"
            self.metrics.count("messages_posted", outcome=word)
        return outcome

    def look(self, feed: FeedRule, line: FeedLine) -> Message:
        """`line` in the colours of `feed`."""
        return render(line, Look(self.base_url, feed.colour, self.rules.comment_length))


class FeedRouting:
    """Finds the feeds of a message whose form, tags or privacy the events did not tell."""

    spec = DestinationSpec(ROUTING)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._route(from_payload(delivery.payload)) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:  # noqa: ARG002  # reads only
        return None

    async def _route(self, planned: Planned) -> Outcome:
        planned = await self._desk.newest(planned)
        try:
            routable = await self._desk.lookups.routable(planned.ticket_id, planned.content)
        except NotToBeShown as reason:
            return Moot(str(reason))
        rules = self._desk.rules
        feeds = [feed for feed in rules.feeds if rules.verdict(feed, routable) is Verdict.YES]
        if not feeds:
            return Moot("no feed wants it")
        return Done(
            {"feeds": [f.name for f in feeds]}, lambda tx: self._desk.planner.post(tx, planned, feeds)
        )


class FeedPosts:
    """Posts a message, once; lane = channel."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        pace = desk.rules.channel_pace
        self.spec = DestinationSpec(
            POSTS,
            concurrency=32,
            schedule=(SOON, 5 * SOON, 30 * SOON, *[timedelta(minutes=5)] * 12, *[timedelta(hours=1)] * 24),
            lane_pace=None if pace is None else Rate(1, pace),
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [self._desk.counted(await self._post(delivery), "posted") for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        planned = from_payload(delivery.payload)
        feed = self._desk.rules.feed(planned.feed)
        if feed is None:
            return Moot(NO_FEED)
        try:
            found = await self._find(delivery, planned, feed)
        except SlackRateLimited as error:
            return TryAgain(error.after, str(error), uncertain=True, free=True)
        except SlackChannelError as error:
            return Moot(f"outcome unknown, and the history cannot be read ({error.code}): skipped")
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return Moot("outcome unknown, and the token may not read the history: skipped")
        except DestinationPaused:
            raise
        except Retryable as error:
            return TryAgain(error.after, str(error), uncertain=True)
        return None if found is None else self._found(delivery, planned, feed, found)

    async def _post(self, delivery: Delivery) -> Outcome:
        planned = await self._desk.newest(from_payload(delivery.payload))
        feed, rules = self._desk.rules.feed(planned.feed), self._desk.rules
        if feed is None:
            return Moot(NO_FEED)
        if self._desk.store.clock.now() - planned.content.at > rules.max_age:
            return Moot("too old to be news")
        try:
            message = await self._desk.rendered(planned, feed)
        except NotToBeShown as reason:
            return Moot(str(reason))
        thread_ts = await self._thread(feed, planned.ticket_id)
        try:
            posted, thread_ts = await self._send(delivery, planned, message, thread_ts)
        except SlackRateLimited as error:
            return TryAgain(error.after, str(error), free=True)
        row = _row(planned, feed, posted, thread_ts) | {"digest": message.digest}
        return Done(
            {"channel": posted.channel, "ts": posted.ts},
            partial(_record, key=delivery.key, row=row),
            reads=((tables.feed_messages, delivery.key),),
        )

    async def _send(
        self, delivery: Delivery, planned: Planned, message: Message, thread_ts: str | None
    ) -> tuple[Posted, str | None]:
        """Post into the thread; where that is refused (the first message was deleted), at top level."""
        channel, metadata = delivery.lane, _metadata(delivery.key, planned)
        if thread_ts is not None:
            try:
                return await self._desk.slack.post(channel, message, metadata, thread_ts), thread_ts
            except SlackTargetGone:
                thread_ts = None
        return await self._desk.slack.post(channel, message, metadata), thread_ts

    async def _thread(self, feed: FeedRule, ticket_id: str) -> str | None:
        """The ticket's first message in the channel, when later ones go into its thread."""
        if feed.updates != "thread":
            return None
        messages = tables.feed_messages.c
        query = select(messages.ts).where(
            messages.ticket_id == ticket_id,
            messages.channel == feed.channel,
            messages.state == POSTED,
            messages.thread_ts.is_(None),
        )
        async with self._desk.store.reading() as conn:
            return (await conn.execute(query.order_by(messages.ts).limit(1))).scalar()

    async def _find(
        self, delivery: Delivery, planned: Planned, feed: FeedRule
    ) -> tuple[SeenMessage, str | None] | None:
        """Our message by its key: in the channel, and in the thread that it was to go to."""
        since = delivery.created_at - CLOCK_MARGIN
        for thread_ts in dict.fromkeys((None, await self._thread(feed, planned.ticket_id))):
            async for seen in self._desk.slack.history(feed.channel, since, thread_ts):
                if seen.event_type == EVENT_TYPE and seen.payload.get("key") == delivery.key:
                    return seen, thread_ts
        return None

    def _found(
        self, delivery: Delivery, planned: Planned, feed: FeedRule, found: tuple[SeenMessage, str | None]
    ) -> Outcome:
        """It was posted; since then the message may have changed, which a change finds out."""
        seen, thread_ts = found
        row = _row(planned, feed, Posted(feed.channel, seen.ts), thread_ts) | {"revision": 0}

        async def then(tx: Transaction) -> None:
            await _record(tx, key=delivery.key, row=row)
            self._desk.planner.change(tx, planned, reason=f"found:{feed.channel}")

        return Done({"channel": feed.channel, "ts": seen.ts, "found": True}, then)


class FeedUpdates:
    """Changes a message in every channel that shows an older one; lane = message."""

    spec = DestinationSpec(UPDATES)

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        outcomes = [await self._change(from_payload(delivery.payload)) for delivery in deliveries]
        return [self._desk.counted(outcome, "folded") for outcome in outcomes]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:  # noqa: ARG002  # twice is as good as once
        return None

    async def _change(self, planned: Planned) -> Outcome:
        if await self._being_posted(planned):
            return TryAgain(SOON, "the message is being posted", free=True)
        planned = await self._desk.newest(planned)
        changed: dict[str, Json] = {}
        for row in await self._shown(planned):
            if (after := await self._change_one(planned, row)) is not None:
                changed[row.key] = after
        if not changed:
            return Moot("nothing posted shows anything older")
        return Done({"changed": sorted(changed)}, partial(_record_all, rows=changed))

    async def _change_one(self, planned: Planned, row: Row[Any]) -> Json | None:
        """What to note of a message that shows something older; None when it is as it should be."""
        feed = self._desk.rules.feed(row.feed)
        if feed is None or row.revision >= planned.revision:
            return None
        try:
            message = await self._desk.rendered(planned, feed)
        except NotToBeShown as reason:
            line = FeedLine(planned.ticket_id, planned.content.at, comment=f"(not shown any more: {reason})")
            message = self._desk.look(feed, line)
        after: Json = {"revision": planned.revision, "digest": message.digest}
        if message.digest == row.digest:
            return after
        try:
            metadata = _metadata(row.key, planned)
            await self._desk.slack.update(Posted(row.address, row.ts), message, metadata)
        except SlackRateLimited as error:  # chat.update has one limit for the whole workspace (slack.md 1)
            raise DestinationPaused(str(error), error.after) from error
        except SlackTargetGone:
            return after | {"state": GONE}
        return after

    async def _being_posted(self, planned: Planned) -> bool:
        """Whether a post is in flight: it may have been read what to show before this change."""
        keys = [message_key(feed.channel, planned) for feed in self._desk.rules.feeds]
        d = tables.engine.deliveries.c
        query = select(d.id).where(d.destination == POSTS, d.key.in_(keys), d.state == "leased").limit(1)
        async with self._desk.store.reading() as conn:
            return (await conn.execute(query)).first() is not None

    async def _shown(self, planned: Planned) -> Sequence[Row[Any]]:
        messages = tables.feed_messages
        query = select(messages).where(
            messages.c.ticket_id == planned.ticket_id,
            messages.c.item == planned.item,
            messages.c.state == POSTED,
        )
        async with self._desk.store.reading() as conn:
            return (await conn.execute(query)).all()


def _metadata(key: str, planned: Planned) -> Json:
    """Everybody in the workspace can read it: ids only (slack.md 3)."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "ticket_id": int(planned.ticket_id)}}


def _row(planned: Planned, feed: FeedRule, posted: Posted, thread_ts: str | None) -> Json:
    return {
        "channel": feed.channel,
        "address": posted.channel,
        "ticket_id": planned.ticket_id,
        "item": planned.item,
        "feed": feed.name,
        "state": POSTED,
        "ts": posted.ts,
        "thread_ts": thread_ts,
        "revision": planned.revision,
    }


async def _record(tx: Transaction, *, key: str, row: Json) -> None:
    await _record_all(tx, rows={key: row})


async def _record_all(tx: Transaction, *, rows: dict[str, Json]) -> None:
    messages = await tx.load(tables.feed_messages, rows)
    for key, row in rows.items():
        messages.put(key, **row, changed_at=tx.now)
