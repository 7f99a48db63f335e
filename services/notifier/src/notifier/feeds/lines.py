"""Makes feed lines when they are due (docs/rules.md N3-N5): what is known by then, decided by the rules of now."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import select

from notifier import tables
from notifier.destinations import ROUTING
from notifier.feeds.context import MessageContext
from notifier.feeds.lookups import NotToBeShown, facts_of
from notifier.feeds.merge import Content
from notifier.feeds.render import ticket_url
from notifier.feeds.scheduling import MessagePayload, from_payload, message_key
from notifier.policy.conditions import Verdict
from notifier.policy.kinds import COMMENTS
from notifier.policy.routing import FeedRule
from notifier.posting.burst import Bursts, Hold
from notifier.posting.message_log import is_told, roots_of, thread_of
from notifier.posting.prepared import Prepared
from notifier.posting.silences import Silences
from notifier.posting.summary import TicketLink
from notifier.slack.message import Json, Message
from supportops.config.quiet_hours import quiet_until
from supportops.delivery.destination import Cancel, Delivery, Outcome, Snooze
from supportops.store import Store

SOON = timedelta(seconds=1)
NO_FEED = "the feed is not in the rules any more"


class FeedLines:
    """Makes feed lines, or has them held back."""

    def __init__(self, context: MessageContext, silences: Silences, bursts: Bursts) -> None:
        self._context, self._silences, self._bursts = context, silences, bursts

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        context = self._context
        payload = await context.newest(from_payload(delivery.payload))
        feed = context.policy.feed(payload.feed)
        if feed is None:
            return Cancel(NO_FEED)
        if context.store.clock.now() - payload.content.at > context.policy.max_age:
            return Cancel("too old to be news")
        if payload.content.is_change and (other := await told_elsewhere(context, payload, feed)) is not None:
            return other
        if (hold := await self._hold(payload, feed)) is not None:
            return await self._bursts.hold(delivery, hold)
        try:
            rendered = await context.rendered(payload, feed)
        except NotToBeShown as reason:
            return Cancel(str(reason))
        row = _row(payload, feed) | {"digest": rendered.message.digest}
        return Prepared(rendered.message, row, await self._thread(payload, feed), rendered.confidential)

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        """Since it was posted it may have changed, and a change finds out; until then it counts as confidential."""
        payload = from_payload(delivery.payload)
        feed = self._context.policy.feed(payload.feed)
        if feed is None:
            return Cancel(NO_FEED)
        return Prepared(
            Message("", []),
            _row(payload, feed) | {"revision": 0},
            await self._thread(payload, feed),
            confidential=feed.private_comments or feed.secret_forms,
            then=lambda tx: self._context.scheduler.change(tx, payload, reason=f"found:{feed.channel}"),
        )

    async def _thread(self, payload: MessagePayload, feed: FeedRule) -> str | None:
        if feed.updates != "thread":
            return None
        return await thread_of(self._context.store, feed.channel, payload.ticket_id)

    async def _hold(self, payload: MessagePayload, feed: FeedRule) -> Hold | None:
        """A silence, or the feed's quiet hours; whichever ends later."""
        organization_id = payload.content.text_of("organization_id")
        silence = await self._silences.of(
            rule=feed.name, ticket_id=payload.ticket_id, organization_id=organization_id
        )
        now = self._context.store.clock.now()
        quiet = quiet_until(now, feed.quiet_hours) if feed.quiet_hours else None
        if silence is not None and (quiet is None or silence.ends_at > quiet):
            key = f"{silence.id}:{silence.ends_at:%Y%m%dT%H%M%S}"
            whole = feed.name if silence.about == "rule" else None
            return Hold(key, silence.ends_at, f"silenced until now ({silence.reason})", whole)
        if quiet is not None:
            return Hold(f"{feed.name}:{quiet:%Y%m%dT%H%M%S}", quiet, "what came in quiet hours", feed.name)
        return None


class FeedTickets:
    """Which tickets of a summary may be shown when it is posted."""

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def still_shown(self, ticket_ids: Sequence[str], feeds: Sequence[str]) -> Mapping[str, TicketLink]:
        context = self._context
        rules = [feed for name in feeds if (feed := context.policy.feed(name)) is not None]
        found: dict[str, TicketLink] = {}
        for ticket_id, ticket in (await context.lookups.tickets(ticket_ids)).items():
            # Nothing of a comment is shown here, so that its privacy does not matter, nor who wrote it.
            content = Content(at=ticket.updated_at, facts=facts_of(ticket), public=True)
            if await self._belongs(ticket_id, content, rules):
                url = ticket_url(context.base_url, ticket_id)
                found[ticket_id] = TicketLink(ticket_id, url, ticket.status)
        return found

    async def _belongs(self, ticket_id: str, content: Content, rules: Sequence[FeedRule]) -> bool:
        context = self._context
        try:
            routable = await context.lookups.routable(ticket_id, content)
        except NotToBeShown:
            return False
        if context.policy.is_secret(routable.form or ""):
            return False
        anybody = (rule.of_any_event(routable) for rule in rules)
        return any(context.policy.verdict(rule, routable) is Verdict.YES for rule in anybody)


async def told_elsewhere(context: MessageContext, payload: MessagePayload, feed: FeedRule) -> Outcome | None:
    """What becomes of changes that are told already in the feed's channel, or perhaps will be; None: told nowhere."""
    content, store = payload.content, context.store
    if not COMMENTS.isdisjoint(feed.kinds):
        known = await context.known(payload.ticket_id)
        item = known.items.get(payload.item)
        beside = known.comments_beside(item, context.policy.fold_window) if item is not None else []
        keys = [message_key(feed.channel, payload.ticket_id, each.name) for each in beside]
        if keys and await is_told(store, keys, feed.name):
            return Cancel("the message of the comment made with it tells of it")
        if keys and await _being_routed(store, payload.ticket_id):
            return Snooze(SOON, "where the comment made with it goes is being found out")
    kinds = {change.kind for change in content.changes.values()}
    merged = content.changes.get("merged")
    if merged is not None and kinds & set(feed.kinds) == {"merged"}:
        roots = [await roots_of(store, ticket) for ticket in (payload.ticket_id, str(merged.after))]
        if all(feed.channel in channels for channels in roots):
            return Cancel("the threads of both tickets point to each other")
    return None


async def _being_routed(store: Store, ticket_id: str) -> bool:
    """Whether Zendesk is being asked where a message of the ticket goes."""
    d = tables.engine.deliveries.c
    query = select(d.id).where(
        d.destination == ROUTING, d.lane == ticket_id, d.state.in_(("waiting", "leased"))
    )
    async with store.reading() as conn:
        return (await conn.execute(query.limit(1))).first() is not None


def _row(payload: MessagePayload, feed: FeedRule) -> Json:
    return {
        "channel": feed.channel,
        "ticket_id": payload.ticket_id,
        "item": payload.item,
        "feed": feed.name,
        "revision": payload.revision,
    }
