"""Takes back what may not be shown any more: a comment turned private, a ticket's form became secret, a channel opened.

The message stays where it is, with a word instead of what it said (`chat.update`): a thread keeps its beginning. Each
message is taken back once.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Row, select

from notifier import tables
from notifier.destinations import REDACTIONS
from notifier.feeds.context import MessageContext
from notifier.feeds.merge import FIRST
from notifier.feeds.render import FeedLine
from notifier.feeds.scheduling import Redaction, schedule_redaction
from notifier.posting.alerts import alert
from notifier.posting.message_log import GONE, POSTED, REDACTED, post_in_flight, record_messages, shown_of
from notifier.slack.client import Posted, SlackRateLimited, SlackRefused, SlackTargetGone
from notifier.slack.message import Json
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Snooze,
)
from supportops.errors import DestinationPaused
from supportops.store import Store, Transaction


class Redactions:
    """Takes messages back; lane = ticket."""

    spec = DestinationSpec(REDACTIONS, idempotent=True)

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._redact(msgspec.convert(each.payload, Redaction)) for each in deliveries]

    async def _redact(self, redaction: Redaction) -> Outcome:
        if await self._being_posted(redaction.ticket_id):
            return Snooze(None, "a message of the ticket is being posted")
        rows, why = await self._concerned(redaction)
        done: dict[str, Json] = {}
        refused: list[str] = []
        for row in rows:
            try:
                done[row.key] = await self._take_back(row, why)
            except SlackRefused as error:  # of this message: the others are taken back all the same
                refused.append(f"{row.channel}: {error}")
        then = partial(self._record, rows=done, refused=refused)
        if refused:
            return Discard("; ".join(refused), then)
        return Done({"redacted": sorted(done), "why": why}, then) if done else Cancel(why)

    async def _concerned(self, redaction: Redaction) -> tuple[Sequence[Row[Any]], str]:
        """The messages that must not be shown as they are, by what Zendesk and Slack say now."""
        if redaction.cause == "channel":
            return await self._of_opened_channel(redaction.subject)
        if redaction.cause == "comment":
            return await self._of_private_comment(redaction)
        return await self._of_secret_form(redaction.ticket_id)

    async def _of_opened_channel(self, key: str) -> tuple[Sequence[Row[Any]], str]:
        messages = tables.feed_messages
        query = select(messages).where(messages.c.key == key, messages.c.state == POSTED)
        async with self._context.store.reading() as conn:
            row = (await conn.execute(query)).first()
        why = None if row is None else await self._context.channels.why_open(row.address)
        return ([row], why) if row is not None and why else ([], "the channel is closed (again)")

    async def _of_private_comment(self, redaction: Redaction) -> tuple[Sequence[Row[Any]], str]:
        comments = await self._context.lookups.comments(redaction.ticket_id)
        mine = [each for each in comments if each.id == redaction.subject]
        if mine and mine[0].public:
            return [], "the comment is public"
        names = {redaction.subject} | ({FIRST} if mine and comments[-1].id == redaction.subject else set())
        rows = [row for row in await shown_of(self._context.store, redaction.ticket_id) if row.item in names]
        return [
            row for row in rows if not await self._may_see(row, "private_comments")
        ], "the comment is private"

    async def _of_secret_form(self, ticket_id: str) -> tuple[Sequence[Row[Any]], str]:
        readable = dict(await self._context.lookups.tickets([ticket_id]))
        ticket = readable.get(ticket_id)  # one that cannot be read is taken back: nobody knows its form
        form = await self._context.lookups.form_of(ticket) if ticket is not None else None
        if ticket is not None and form is not None and not self._context.policy.is_secret(form):
            return [], "the ticket's form may be shown"
        rows = await shown_of(self._context.store, ticket_id)
        why = "the ticket is not shown any more"  # no word about its form
        return [row for row in rows if not await self._may_see(row, "secret_forms")], why

    async def _may_see(self, row: Row[Any], mark: str) -> bool:
        feed = self._context.policy.feed(row.feed)
        if feed is None or not getattr(feed, mark):
            return False
        return await self._context.channels.why_open(row.address) is None

    async def _take_back(self, row: Row[Any], why: str) -> Json:
        line = FeedLine(row.ticket_id, row.changed_at, comment=f"(not shown any more: {why})")
        message = self._context.plain(line)
        try:
            await self._context.slack.update(Posted(row.address, row.ts), message)
        except SlackRateLimited as error:
            raise DestinationPaused(str(error), error.after) from error
        except SlackTargetGone:
            return {"state": GONE}
        return {"state": REDACTED, "digest": message.digest}

    async def _record(self, tx: Transaction, *, rows: dict[str, Json], refused: list[str]) -> None:
        await record_messages(tx, rows=rows)
        for refusal in refused:
            words = f"A message that must not be shown any more could not be taken back: {refusal}"
            remedy = f"delete it in Slack by hand; then: notifier deliveries retry --destination {REDACTIONS}"
            alert(tx, self._context.policy, f"redaction:{refusal[:80]}", words, remedy)

    async def _being_posted(self, ticket_id: str) -> bool:
        """Whether a post of the ticket is in flight: it may have been read before what is taken back changed."""
        if not ticket_id:
            return False
        of_the_ticket = tables.engine.deliveries.c.key.contains(f":{ticket_id}:", autoescape=True)
        return await post_in_flight(self._context.store, of_the_ticket)


class AudienceWatch:
    """Looks at the channels in which something confidential stands, and has it taken back where one has opened."""

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def look(self) -> None:
        """A job under a lease, every few minutes."""
        for channel, address in await _confidential_channels(self._context.store):
            if (why := await self._context.channels.why_open(address)) is None:
                continue
            async with self._context.store.transaction() as tx:
                await self._take_back(tx, channel, why)

    async def _take_back(self, tx: Transaction, channel: str, why: str) -> None:
        messages = tables.feed_messages.c
        mine = (messages.channel == channel, messages.confidential, messages.state == POSTED)
        rows = (await tx.read(select(messages.key, messages.ticket_id).where(*mine))).all()
        for row in rows:
            redaction = Redaction(row.ticket_id, "channel", row.key)
            schedule_redaction(tx, redaction, key=f"{row.key}:opened:{tx.now.isoformat()}")
        words = f"Channel {channel} has opened: {why}. {len(rows)} confidential messages in it are being redacted."
        alert(
            tx, self._context.policy, f"opened:{channel}", words, "close it, or take its marks from the rules"
        )


async def _confidential_channels(store: Store) -> Sequence[tuple[str, str]]:
    messages = tables.feed_messages.c
    found = select(messages.channel, messages.address).where(messages.confidential, messages.state == POSTED)
    async with store.reading() as conn:
        return [(row.channel, row.address) for row in await conn.execute(found.distinct())]
