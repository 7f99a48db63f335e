"""`zendesk.sharing_comment`: tells the customer's ticket that it was done; one comment, whatever happens in between.

Zendesk has no key for comments, so each carries a reference, and after an unknown outcome the ticket is asked for it.
"""

from collections.abc import Sequence
from datetime import timedelta

from sfdc_sync.destinations import SHARING_COMMENT
from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.sharing import repository
from sfdc_sync.sharing.rules.options import OPTIONS
from supportops.delivery import Budget, Cancel, Delivery, DestinationSpec, Done, Outcome, Rate
from supportops.delivery.pausing import quota_pauses_all, while_it_moves
from supportops.errors import Conflict, NotFound
from supportops.store import Store
from supportops.vendors.zendesk import NewComment, Refused, Zendesk

LOOKED_AT = 100  # of the newest comments, after an unknown outcome


class CommentOnTicket:
    """Writes the configured text, public or private."""

    def __init__(self, store: Store, zendesk: Zendesk, policy: SharingPolicy) -> None:
        self.spec = DestinationSpec(SHARING_COMMENT, concurrency=1, budget=updates_budget(policy))
        self._store, self._zendesk, self._policy = store, zendesk, policy.comment

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One outcome per comment."""
        return [await self._comment(delivery) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """Whether the comment is on the ticket."""
        async with self._store.reading() as conn:
            stored = await repository.find(conn, int(delivery.payload["request"]))
        if stored is None:
            return Cancel("the request is gone")
        wanted = reference(delivery)
        with quota_pauses_all():
            comments = await self._zendesk.latest_comments(stored.request.ticket_id, limit=LOOKED_AT)
        return Done({"found": True}) if any(wanted in each.body for each in comments) else None

    async def _comment(self, delivery: Delivery) -> Outcome:
        async with self._store.reading() as conn:
            stored = await repository.find(conn, int(delivery.payload["request"]))
        if stored is None:
            return Cancel("the request is gone")
        ticket_id = stored.request.ticket_id
        text = self._template(delivery).format(
            reference=reference(delivery),
            organization=stored.organization,
            option=OPTIONS[stored.request.option].title.lower(),
            request=stored.request.number,
        )

        async def once() -> Outcome:
            ticket = await self._zendesk.ticket(ticket_id)
            if ticket is None:
                return Cancel("the ticket is gone")
            comment = NewComment(text, public=self._policy.public)
            await self._zendesk.update_ticket(ticket_id, updated_stamp=ticket.updated_at, comment=comment)
            return Done()

        try:
            with quota_pauses_all():
                return await while_it_moves(once, Conflict)
        except NotFound:
            return Cancel("the ticket is gone")
        except Refused as error:
            if error.closed:
                return Cancel("the ticket is closed: it takes no comment any more")
            raise

    def _template(self, delivery: Delivery) -> str:
        if delivery.payload["what"] == "applied":
            return self._policy.applied
        return self._policy.undone_in_part if delivery.payload.get("in_part") else self._policy.undone


def reference(delivery: Delivery) -> str:
    """What the comment is known by; it opens nothing. Followed by what no number goes on with."""
    return f"sharing-{delivery.payload['request']}-{delivery.payload['what']}"


def updates_budget(policy: SharingPolicy) -> Budget | None:
    """The account's limit of ticket updates, as far as it is ours; None: lifted (docs/vendors/zendesk.md#rest)."""
    if policy.ticket_updates_per_minute is None:
        return None
    return Budget("zendesk.ticket_updates", Rate(policy.ticket_updates_per_minute, timedelta(minutes=1)))
