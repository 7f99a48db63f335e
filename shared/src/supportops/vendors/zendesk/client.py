"""The calls to Zendesk that the services make, each a few lines (docs/vendors/zendesk.md#rest).

Not found is None (a deletion is normal); everything else that goes wrong is raised as `http_client` says.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import httpx

from supportops.clock import Clock
from supportops.config import ZendeskSettings
from supportops.errors import Forbidden, NotFound
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.vendors.rate_limit import RateLimiter
from supportops.vendors.zendesk.calls import (
    Answer,
    Calls,
    Refused,
    Rows,
    digits,
    in_its_words,
    objects,
    read,
    read_all,
    read_asked,
    readable,
)
from supportops.vendors.zendesk.connection import open_connection
from supportops.vendors.zendesk.exports import Exports
from supportops.vendors.zendesk.models import (
    Audit,
    Comment,
    Identified,
    MetricSet,
    Named,
    NewComment,
    Organization,
    Ticket,
    User,
)
from supportops.vendors.zendesk.organizations import OrganizationAdmin
from supportops.vendors.zendesk.satisfaction import Satisfaction
from supportops.vendors.zendesk.schedules import Schedules
from supportops.vendors.zendesk.sharing import TicketSharing
from supportops.vendors.zendesk.sla import Slas
from supportops.vendors.zendesk.ticket_lists import TicketLists

__all__ = ["Refused", "Zendesk", "open_zendesk"]

MANY = 100
"""Ids in one show_many call, and rows on one cursor page."""

MOST_AUDITS = 5_000
"""As many as are read of one ticket; Zendesk itself takes no more comments than that."""

log = get_logger("supportops.zendesk")
sparse = LimitedWarnings(log)

type Shown = tuple[Sequence[str], Answer]
"""Ids that were asked for together, and what was answered."""

_TAG = re.compile(r"[a-z0-9_-]{1,80}")


class Zendesk:
    """One account, seen as its integration user."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.satisfaction = Satisfaction(calls)
        self.exports = Exports(calls)
        self.sharing = TicketSharing(calls)
        self.organization_admin = OrganizationAdmin(calls)
        self.slas = Slas(calls)
        self.schedules = Schedules(calls)
        self.lists = TicketLists(calls)

    async def ticket(self, ticket_id: str) -> Ticket | None:
        """A ticket as it is now, with its metrics (`solved_at`) and its requester in the same call.

        None when it is deleted or not ours to see.
        """
        query = {"include": "metric_sets,users"}
        answer = await self._calls.find("ticket", f"/tickets/{digits(ticket_id)}", query)
        if answer is None:
            return None
        people = _beside(answer)
        return _with_requester(_with_metrics(read(Ticket, answer, "ticket"), answer), people)

    async def tickets(self, ticket_ids: Iterable[str]) -> Rows[Ticket]:
        """Those of the tickets that exist, by id, each with its metrics (`solved_at`) and its requester.

        Asking the answer for one that exists and cannot be read raises `Unreadable`.
        """
        found: Rows[Ticket] = Rows()
        for asked, answer in await self._shown("tickets", ticket_ids, {"include": "metric_sets,users"}):
            people = _beside(answer)
            read_asked(Ticket, answer, "tickets", asked, found)
            for ticket_id in found.keys() & set(asked):
                found[ticket_id] = _with_requester(_with_metrics(found[ticket_id], answer), people)
        return found

    async def users(self, user_ids: Iterable[str]) -> Rows[User]:
        """Those of the people that exist, by id; unreadable ones as in `tickets`."""
        return await self._show_many("users", User, user_ids)

    async def organizations(self, organization_ids: Iterable[str]) -> Rows[Organization]:
        """Those of the organizations that exist, by id; unreadable ones as in `tickets`."""
        return await self._show_many("organizations", Organization, organization_ids)

    async def ticket_forms(self) -> dict[str, Named]:
        """All ticket forms, by id; none on plans without forms (404, or 403 where the plan does not have them)."""
        return await self._list("ticket_forms")

    async def groups(self) -> dict[str, Named]:
        """All groups of agents, by id."""
        return await self._list("groups")

    async def brands(self) -> dict[str, Named]:
        """All brands, by id."""
        return await self._list("brands")

    async def latest_comments(self, ticket_id: str, *, limit: int = MANY) -> list[Comment]:
        """The newest `limit` comments, newest first, public and private; empty when the ticket is gone."""
        path = f"/tickets/{digits(ticket_id)}/comments"
        query = {"sort": "-created_at", "page[size]": str(min(limit, MANY))}
        found: list[Comment] = []
        try:
            with in_its_words():
                async for page in self._calls.pages("comments", path, query):
                    found.extend(read_all(Comment, page, "comments"))
                    if len(found) >= limit:
                        break
        except NotFound:
            return []
        return found[:limit]

    async def audits(self, ticket_id: str) -> list[Audit]:
        """What happened to the ticket, oldest first, at most `MOST_AUDITS`; empty when the ticket is gone."""
        path = f"/tickets/{digits(ticket_id)}/audits"
        found: list[Audit] = []
        try:
            with in_its_words():
                async for page in self._calls.pages("audits", path, {"page[size]": str(MANY)}):
                    found.extend(read_all(Audit, page, "audits"))
                    if len(found) >= MOST_AUDITS:
                        break
        except NotFound:
            return []
        return found[:MOST_AUDITS]

    async def update_ticket(
        self,
        ticket_id: str,
        *,
        updated_stamp: datetime,
        comment: NewComment | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        """Write to a ticket only if nobody changed it since `updated_stamp` (its `updated_at` when we read it).

        `fields` never holds `tags`: they would replace all others. Raises Conflict when the ticket moved on,
        Refused (`closed`) when it is closed, NotFound when it is gone, UnknownOutcome when it may have happened.
        """
        changes: dict[str, object] = dict(fields or {})
        if "tags" in changes:
            raise ValueError("tags in a ticket update replace all others: use add_tags")
        if comment is not None:
            changes["comment"] = _comment(comment)
        changes |= {"safe_update": True, "updated_stamp": stamp(updated_stamp)}
        await self._calls.put("update_ticket", f"/tickets/{digits(ticket_id)}", {"ticket": changes})

    async def add_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None:
        """Add tags and keep all others (PUT; POST would wipe them).

        Adding a tag that is there changes nothing, so that a repeat does no harm. With `updated_stamp` it is a
        safe update: Conflict when the ticket moved on.
        """
        path = f"/tickets/{digits(ticket_id)}/tags"
        await self._calls.put("add_tags", path, _tags(tags, updated_stamp))

    async def remove_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None:
        """Take tags away and keep all others. Otherwise like `add_tags`."""
        path = f"/tickets/{digits(ticket_id)}/tags"
        await self._calls.delete("remove_tags", path, _tags(tags, updated_stamp))

    async def _show_many[M: Identified](self, what: str, model: type[M], ids: Iterable[str]) -> Rows[M]:
        found: Rows[M] = Rows()
        for asked, answer in await self._shown(what, ids, {}):
            read_asked(model, answer, what, asked, found)
        return found

    async def _shown(self, what: str, ids: Iterable[str], query: Mapping[str, str]) -> list[Shown]:
        """What `show_many` answers about these ids."""
        batches = batched(dict.fromkeys(map(digits, ids)), MANY)
        return [shown for some in batches for shown in await self._shown_of(what, some, query)]

    async def _shown_of(self, what: str, some: Sequence[str], query: Mapping[str, str]) -> list[Shown]:
        """One answer, or several: a 404 is about whoever is gone, so what is asked for with them is asked for again."""
        try:
            with in_its_words():
                answer = await self._calls.get(what, f"/{what}/show_many", {"ids": ",".join(some), **query})
        except NotFound:
            half = len(some) // 2
            halves = (some[:half], some[half:]) if half else ()
            return [shown for part in halves for shown in await self._shown_of(what, part, query)]
        return [(some, answer)]

    async def _list(self, what: str) -> dict[str, Named]:
        found: dict[str, Named] = {}
        try:
            async for page in self._calls.pages(what, f"/{what}", {"page[size]": str(MANY)}):
                found |= {each.id: each for each in read_all(Named, page, what)}
        except NotFound:
            return {}
        except Forbidden:
            sparse.warning("vendor.list_refused", what, vendor="zendesk")
            return {}
        return found


@asynccontextmanager
async def open_zendesk(
    settings: ZendeskSettings,
    scopes: Sequence[str],
    *,
    clock: Clock,
    metrics: Recorder,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Zendesk]:
    """The account named by `settings`, within this service's share of its rate limit.

    `scopes`: what this service's tokens may do, the least that it needs.
    """
    share = RateLimiter("zendesk", settings.rate_limit * settings.rate_share, clock=clock, metrics=metrics)
    async with open_connection(
        settings, scopes, clock=clock, metrics=metrics, transport=transport
    ) as connection:
        yield Zendesk(Calls(connection, share, clock=clock, metrics=metrics))


def stamp(moment: datetime) -> str:
    """A moment as Zendesk writes it: `2026-03-01T12:00:00Z`, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(tags: Sequence[str], updated_stamp: datetime | None) -> dict[str, object]:
    if not tags or not all(_TAG.fullmatch(tag) for tag in tags):
        raise ValueError(f"tags are made of a-z, 0-9, _ and -: {list(tags)}")
    body: dict[str, object] = {"tags": list(tags)}
    if updated_stamp is not None:
        body |= {"updated_stamp": stamp(updated_stamp), "safe_update": "true"}
    return body


def _comment(comment: NewComment) -> dict[str, object]:
    body: dict[str, object] = {"body": comment.body, "public": comment.public}
    if comment.author_id is not None:
        body["author_id"] = int(digits(comment.author_id))
    return body


def _with_metrics(ticket: Ticket, answer: Mapping[str, Any]) -> Ticket:
    """The ticket with the metric set that was sideloaded beside it, as an object or as a list of one."""
    inside = answer.get("ticket")
    alone = inside.get("metric_set") if isinstance(inside, dict) else None
    beside = answer.get("metric_sets")  # a list, or the object itself
    rows = beside if isinstance(beside, list) else [each for each in (beside, alone) if each is not None]
    sets = readable(MetricSet, (row for row in rows if isinstance(row, dict)))
    mine = next((each for each in sets if each.ticket_id in (ticket.id, None)), None)
    return ticket if mine is None else ticket.model_copy(update={"metrics": mine})


def _beside(answer: Mapping[str, Any]) -> dict[str, User]:
    """The people that were sideloaded, by id; who is missing here is asked for."""
    return {each.id: each for each in readable(User, objects(answer, "users"))}


def _with_requester(ticket: Ticket, people: Mapping[str, User]) -> Ticket:
    """The ticket with its requester, when they were sideloaded beside it."""
    requester = people.get(ticket.requester_id or "")
    return ticket if requester is None else ticket.model_copy(update={"requester": requester})
