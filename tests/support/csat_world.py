"""A Zendesk in memory for histories of csat: what people do there, the events it sends, the calls it takes.

The sandbox is the one to believe; this one lives inside the test's loop and on the test's clock, so that thousands of
histories can be told. Its time never goes back, and changes are far enough apart to be told from each other.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from supportops.clock import Clock
from supportops.contracts import TicketEvent, TicketMerged
from supportops.errors import Conflict
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import (
    Audit,
    Comment,
    ExportPage,
    NewComment,
    Organization,
    Refused,
    Ticket,
    User,
)
from tests.integration.csat.events import reopened, solved
from tests.support.csat_model import Truth

APART = timedelta(seconds=6)  # within 5 s two solves are one
ORGANIZATIONS = {"1": "GitLab", "2": "GitLab Inc.", "3": "Acme"}


def requester_of(ticket_id: str) -> str:
    """Whoever asks for help once."""
    return str(7000 + int(ticket_id))


class ZendeskInMemory:
    """The account, with the part of `supportops.vendors.zendesk.Zendesk` that csat calls."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now = clock.now()
        self.truths: dict[str, Truth] = {}
        self.comments: dict[str, list[Comment]] = {}
        self.born_with: dict[str, set[str]] = {}
        self.updated: dict[str, datetime] = {}
        self.wire: list[TicketEvent] = []
        """Everything that Zendesk has sent: it may arrive in any order, and again."""

    def tick(self) -> datetime:
        """A moment that no change had before."""
        self._now = max(self._clock.now(), self._now + APART).replace(microsecond=0)
        return self._now

    # --- what people do ---

    def open(self, truth: Truth) -> str:
        ticket_id = str(len(self.truths) + 1)
        self.truths[ticket_id] = truth
        self.comments[ticket_id] = []
        self.born_with[ticket_id] = set(truth.tags) if truth.is_follow_up else set()
        self.updated[ticket_id] = self.tick()
        return ticket_id

    def solve(self, ticket_id: str) -> None:
        truth, now = self.truths[ticket_id], self._changed(ticket_id)
        truth.status, truth.solved_at = "solved", now
        self.wire.append(solved(ticket_id, now))

    def reopen(self, ticket_id: str) -> None:
        now = self._changed(ticket_id)
        self.truths[ticket_id].status = "open"
        self.wire.append(reopened(ticket_id, now))

    def merge(self, ticket_id: str) -> None:
        """Into another one. Zendesk closes such a ticket; here it stays solved, the harder case, if the tag tells."""
        truth, now = self.truths[ticket_id], self._changed(ticket_id)
        truth.was_merged = True
        if "close_by_merge" in truth.tags:
            truth.status = "closed"
        truth.tags.add("close_by_merge")
        self.wire.append(TicketMerged(**_envelope(ticket_id, now, "merged"), target_ticket_id="999"))

    def end(self, ticket_id: str, status: str) -> None:
        """Closed or deleted."""
        self._changed(ticket_id)
        self.truths[ticket_id].status = status

    def move(self, ticket_id: str, organization: str) -> None:
        self._changed(ticket_id)
        self.truths[ticket_id].organization = organization

    def tag(self, ticket_id: str, tag: str) -> None:
        self._changed(ticket_id)
        self.truths[ticket_id].tags.add(tag)

    def _changed(self, ticket_id: str) -> datetime:
        self.truths[ticket_id].changed_at = self.updated[ticket_id] = self.tick()
        return self.updated[ticket_id]

    # --- what csat calls ---

    async def ticket(self, ticket_id: str) -> Ticket | None:
        truth = self.truths.get(ticket_id)
        return None if truth is None or truth.status == "deleted" else self._shown(ticket_id, truth)

    async def tickets(self, ticket_ids: Iterable[str]) -> dict[str, Ticket]:
        found = {key: await self.ticket(key) for key in ticket_ids}
        return {key: ticket for key, ticket in found.items() if ticket is not None}

    async def latest_comments(self, ticket_id: str, *, limit: int = 100) -> list[Comment]:
        return list(reversed(self.comments[ticket_id]))[:limit]

    async def update_ticket(
        self,
        ticket_id: str,
        *,
        updated_stamp: datetime,
        comment: NewComment | None = None,
        fields: Any = None,
    ) -> None:
        self._check(ticket_id, updated_stamp)
        now = self._changed(ticket_id)
        if comment is not None:
            told = {"id": len(self.comments[ticket_id]) + 1, "body": comment.body, "public": comment.public}
            self.comments[ticket_id].append(Comment.model_validate(told | {"created_at": now}))

    async def add_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None:
        self._check(ticket_id, updated_stamp)
        self._changed(ticket_id)
        self.truths[ticket_id].tags |= set(tags)

    async def audits(self, ticket_id: str) -> list[Audit]:
        """Its birth with the tags it inherited, and what came later."""
        born = sorted(self.born_with[ticket_id])
        now = sorted(self.truths[ticket_id].tags)
        tags = {"field_name": "tags"}
        events = [tags | {"type": "Create", "value": born}]
        later = [tags | {"type": "Change", "value": now, "previous_value": born}]
        told = [{"id": 1, "events": events}, {"id": 2, "events": later}]
        return [Audit.model_validate(each | {"created_at": self.updated[ticket_id]}) for each in told]

    async def remove_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None:
        self._check(ticket_id, updated_stamp)
        self._changed(ticket_id)
        self.truths[ticket_id].tags -= set(tags)

    async def get(self, key: str) -> Organization | None:
        """An organization, as a cache of references gives it."""
        return (await self.organizations([key])).get(key)

    async def organizations(self, organization_ids: Iterable[str]) -> dict[str, Organization]:
        known = [{"id": int(key), "name": ORGANIZATIONS[key]} for key in organization_ids]
        return {str(each["id"]): Organization.model_validate(each) for each in known}

    async def users(self, user_ids: Iterable[str]) -> dict[str, User]:
        return {key: User.model_validate({"id": int(key), "name": "Rita"}) for key in user_ids}

    def _check(self, ticket_id: str, stamp: datetime | None) -> None:
        if stamp is not None and stamp != self.updated[ticket_id]:
            raise Conflict("409: the ticket was changed since")
        if self.truths[ticket_id].status == "closed":
            raise Refused("422", {"status": [{"description": "Status: closed prevents ticket update"}]})

    def _shown(self, ticket_id: str, truth: Truth) -> Ticket:
        organization = next((key for key, name in ORGANIZATIONS.items() if name == truth.organization), None)
        values = {
            "id": int(ticket_id),
            "status": truth.status,
            "tags": sorted(truth.tags),
            "recipient": truth.recipient,
            "requester_id": int(requester_of(ticket_id)),
            "organization_id": organization,
            "via_followup_source_id": 1 if truth.is_follow_up else None,
            "satisfaction_rating": {"score": truth.satisfaction},
            "updated_at": self.updated[ticket_id],
            "metrics": {"ticket_id": int(ticket_id), "solved_at": truth.solved_at},
        }
        return Ticket.model_validate(values)


class ExportInMemory:
    """The account's export of tickets: all that there are, on one page, each time."""

    def __init__(self, zendesk: ZendeskInMemory) -> None:
        self._zendesk = zendesk

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        shown = await self._zendesk.tickets(self._zendesk.truths)
        return ExportPage(tuple(shown.values()), "all", last=True, reached=None)


def _envelope(ticket_id: str, at: datetime, what: str) -> dict[str, Any]:
    return {
        "id": f"native-{what}-{ticket_id}-{at:%d%H%M%S}",
        "source": "/zendesk/22129848",
        "time": at,
        "subject": ticket_id,
        "account_id": "22129848",
        "ticket_id": ticket_id,
        "version": version_of(at, at),
    }
