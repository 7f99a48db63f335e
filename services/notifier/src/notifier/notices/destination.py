"""Decides notices when they are due: whether, and to whom. What they say is made when they are posted."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import msgspec

from notifier.destinations import NOTICES
from notifier.feeds.context import MessageContext
from notifier.notices.merged import MergedThreads
from notifier.notices.payloads import MERGED, RATING, SUCCESS, TAM, Notice
from notifier.notices.success import SuccessWatch
from notifier.policy.notices import NoticesPolicy
from notifier.posting.people import People
from notifier.posting.prepared import Note, schedule_note
from supportops.delivery.destination import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.vendors.zendesk import Ticket


class Notices:
    """Decides notices; lane = ticket."""

    spec = DestinationSpec(NOTICES, concurrency=4, timeout=timedelta(seconds=60), idempotent=True)

    def __init__(
        self,
        context: MessageContext,
        policy: NoticesPolicy,
        people: People,
        merged: MergedThreads,
        success: SuccessWatch | None,
    ) -> None:
        self._context, self._policy, self._people = context, policy, people
        self._merged, self._success = merged, success

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [await self._decide(msgspec.convert(each.payload, Notice)) for each in deliveries]

    async def _decide(self, notice: Notice) -> Outcome:
        if notice.kind == MERGED:
            return await self._merged.decide(notice)
        if notice.kind == SUCCESS:
            return (
                await self._success.decide(notice)
                if self._success
                else Cancel("the rules want none any more")
            )
        ticket = (await self._context.lookups.tickets([notice.ticket_id])).get(notice.ticket_id)
        if ticket is None:
            return Cancel("the ticket is gone")
        if notice.kind == TAM:
            return await self._to_account_manager(notice)
        if notice.kind == RATING:
            return await self._about_rating(notice, ticket)
        return Cancel(f"nobody knows a notice {notice.kind!r}")

    async def _to_account_manager(self, notice: Notice) -> Outcome:
        rule = self._policy.account_manager
        if not rule.enabled:
            return Cancel("the rules want none any more")
        user = await self._people.slack_user(notice.data["email"])
        channel = user or rule.channel
        if channel is None:
            return Cancel("the account manager is nobody in Slack, and the rules name no channel instead")
        return _posted(notice, channel, f"{channel}:{TAM}:{notice.ticket_id}")

    async def _about_rating(self, notice: Notice, ticket: Ticket) -> Outcome:
        rule = self._policy.ratings
        if rule is None:
            return Cancel("the rules want none any more")
        manager = None
        if rule.to == "manager" and ticket.assignee_id is not None:
            agent = await self._context.lookups.person(ticket.assignee_id)
            email = (agent.email or "").strip().lower() if agent else ""
            manager = await self._people.slack_user(rule.managers.get(email))
        channel = manager or rule.channel
        return _posted(notice, channel, f"{channel}:{RATING}:{notice.ticket_id}")


def _posted(notice: Notice, channel: str, key: str) -> Outcome:
    note = Note(notice.kind, notice.kind, notice.ticket_id, notice.data)
    return Done({"channel": channel}, partial(schedule_note, note=note, channel=channel, key=key))
