"""Finds what no webhook told: solves, reopenings and ratings, by Zendesk's export of changed tickets (decision 211).

Webhooks are best effort. Every few minutes the tickets that changed since the last look are compared with what csat
heard of them. What is missing is taken as an event of the road `export`, by the handlers that take all others: one that
comes late after all is older or the same, and changes nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.surveys import survey_clock
from csat.surveys.survey_clock import TicketState
from supportops.contracts import TicketEvent, TicketRated, TicketReopened, TicketSnapshot, TicketSolved
from supportops.errors import Permanent
from supportops.messaging import Handlers
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction
from supportops.store.key_lookup import among, as_parameter
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import ExportPage, Ticket
from supportops.vendors.zendesk.calls import not_again

NAME = "catch_up"
LAG = timedelta(minutes=2)
"""The export holds nothing of the last minute, and takes no start that lies in it."""
OPEN = ("new", "open", "pending", "hold")
KINDS: Mapping[type[TicketEvent], str] = {
    TicketSolved: "solved",
    TicketReopened: "reopened",
    TicketRated: "rated",
}

log = get_logger("csat.catch_up")


class Export(Protocol):
    """Changed tickets, page by page; `supportops.vendors.zendesk.Exports` is one."""

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage: ...


@dataclass(frozen=True)
class Place:
    """Where we are in the export, kept with each page.

    `since`: when csat looked for the first time; solves before are not ours. `reached`: from where to begin anew should
    Zendesk not take the cursor any more.
    """

    since: datetime
    reached: datetime
    cursor: str | None = None

    def text(self) -> str:
        """As it is kept."""
        moments = {"since": self.since.isoformat(), "reached": self.reached.isoformat()}
        return orjson.dumps(moments | {"cursor": self.cursor}).decode()

    @classmethod
    def of(cls, text: str) -> "Place":
        """What `text` made."""
        kept: dict[str, Any] = orjson.loads(text)
        since, reached = (datetime.fromisoformat(kept[name]) for name in ("since", "reached"))
        return cls(since, reached, kept["cursor"])


@dataclass(frozen=True)
class Known:
    """What csat knows of a ticket: its rows of `tickets`, `facts` and `ratings`, None where there is none."""

    clock: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] | None = None
    rating: Mapping[str, Any] | None = None

    @property
    def state(self) -> TicketState:
        """The ticket's clock."""
        row = self.clock
        return TicketState() if row is None else TicketState(row["status"], row["version"], row["solved_at"])


class CatchUp:
    """Looks for what was missed, and has `handlers` take it."""

    def __init__(
        self,
        store: Store,
        export: Export,
        tickets: Callable[[Iterable[str]], Awaitable[Mapping[str, Ticket]]],
        handlers: Handlers,
        metrics: Recorder,
    ) -> None:
        self._store, self._export, self._tickets = store, export, tickets
        self._handlers, self._metrics = handlers, metrics

    async def look(self) -> None:
        """Go through what changed since the last look; the first one only notes since when csat is there."""
        place = await self._kept()
        if place is None:
            now = self._store.clock.now()
            async with self._store.transaction() as tx:
                await _keep(tx, Place(now, now))
            return
        last, seen = False, set[str]()
        while not last:
            page = await self._page(place)
            place, last = await self._take(page, place), page.last
            if not last:
                not_again(page.cursor, seen)

    async def _page(self, place: Place) -> ExportPage:
        begin = min(place.reached, self._store.clock.now() - LAG)
        try:
            return await self._export.tickets(begin, place.cursor)
        except Permanent as error:
            if place.cursor is None:
                raise
            log.warning("catch_up.cursor_refused", error=str(error))
            return await self._export.tickets(begin)

    async def _take(self, page: ExportPage, place: Place) -> Place:
        after = replace(place, reached=page.reached or place.reached, cursor=page.cursor)
        tickets = await self._with_solves(page.tickets)
        known, now = await self._known([ticket.id for ticket in tickets]), self._store.clock.now()
        found = [event for each in tickets for event in missed(each, known[each.id], place.since, now)]
        async with self._store.transaction() as tx:
            # In a database that was put back it may all have happened: whoever is to be asked is looked for first.
            tx.deliveries.uncertain = True
            await self._handlers.run([*found], tx)
            await _keep(tx, after)
        self._tell(found)
        return after

    async def _with_solves(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Each ticket once, as it came last, with the moment of its solve: read where the export did not tell it."""
        newest = {ticket.id: ticket for ticket in tickets}
        untold = [each.id for each in newest.values() if each.status == "solved" and each.solved_at is None]
        if untold:
            newest |= dict(await self._tickets(untold))  # those that can be read
        return list(newest.values())

    async def _known(self, ids: Sequence[str]) -> dict[str, Known]:
        """By ticket. Nothing is locked: the handlers look again, and decide."""
        async with self._store.reading() as conn:
            clocks, facts, ratings = [
                await _rows(conn, table, ids)
                for table in (tables.tickets, tables.ticket_facts, tables.ratings)
            ]
        return {each: Known(clocks.get(each), facts.get(each), ratings.get(each)) for each in ids}

    def _tell(self, found: Sequence[TicketEvent]) -> None:
        for kind, count in Counter(KINDS[type(event)] for event in found).items():
            self._metrics.count("events_caught_up", count, kind=kind)
        if found:
            log.warning("catch_up.missed", events=len(found), tickets=len({each.ticket_id for each in found}))

    async def _kept(self) -> Place | None:
        progress = tables.progress
        async with self._store.reading() as conn:
            row = await conn.execute(select(progress.c.cursor).where(progress.c.name == NAME))
            text = row.scalar_one_or_none()
        return None if text is None else Place.of(text)


def missed(ticket: Ticket, known: Known, since: datetime, now: datetime) -> list[TicketEvent]:
    """What the ticket shows `now` and nobody told csat, as the events that would have. Pure.

    Solves before `since`, and ratings of tickets of which csat never heard, are history: `csat backfill` brings it in.
    """
    at, solved_at = ticket.updated_at, ticket.solved_at
    version = version_of(at, now)  # after all events of the same second
    told = _Telling(ticket, version)
    found: list[TicketEvent] = []
    if ticket.status == "solved" and solved_at is not None and solved_at >= since:
        if _is_news(solved_at, known.state, version):
            found.append(told.event(TicketSolved, "solved", solved_at, solved_at=solved_at))
    elif ticket.status in OPEN and _is_over(known.state, version):
        found.append(told.event(TicketReopened, "reopened", at, current_status=ticket.status))
    if known.clock is not None and _is_rated_otherwise(ticket, known):
        found.append(told.event(TicketRated, f"rated-{ticket.score}", at, score=ticket.score))
    return found


def _is_news(solved_at: datetime, state: TicketState, version: str) -> bool:
    """Whether that is a solve of which csat did not hear.

    Never one before the last that it knows of: then the export is behind, or means another moment.
    """
    if state.solved_at is not None and solved_at <= state.solved_at:
        return False
    step = survey_clock.solved(state, version, solved_at)
    return step is not None and step.arm is not None


def _is_rated_otherwise(ticket: Ticket, known: Known) -> bool:
    """Whether Zendesk may hold an offer or an answer that csat does not have; its reading decides."""
    rating, facts = known.rating, known.facts
    if ticket.score == "offered":
        return rating is None and (facts is None or facts["asked_at"] is None)
    if ticket.score not in ("good", "bad"):
        return False
    return rating is None or (rating["score"] != ticket.score and rating["rated_at"] < ticket.updated_at)


@dataclass(frozen=True)
class _Telling:
    """Makes events that stay within csat: the number of the account is not known here, and nobody asks for it."""

    ticket: Ticket
    version: str

    def event[E: TicketEvent](self, model: type[E], kind: str, at: datetime, **values: object) -> E:
        ticket = self.ticket
        about = {"subject": ticket.id, "ticket_id": ticket.id, "account_id": "", "source": "/csat/catch-up"}
        told = {"time": at, "road": "export", "version": self.version}
        snapshot = TicketSnapshot(status=ticket.status, requester_id=ticket.requester_id)
        identity = f"export:{ticket.id}:{kind}:{at:%Y-%m-%dT%H:%M:%SZ}"
        return model.model_validate({"id": identity, **about, **told, "ticket": snapshot, **values})


def _is_over(state: TicketState, version: str) -> bool:
    """Whether csat takes a ticket for solved that is open again."""
    return state.status == "solved" and survey_clock.reopened(state, version) is not None


async def _rows(conn: AsyncConnection, table: Table, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    query = select(table).where(among(table.c.ticket_id, "ids", conn.dialect.name))
    found = await conn.execute(query, {"ids": as_parameter(ids, conn.dialect.name)})
    return {row["ticket_id"]: dict(row) for row in found.mappings()}


async def _keep(tx: Transaction, place: Place) -> None:
    rows = await tx.load(tables.progress, [NAME])
    rows.put(NAME, cursor=place.text(), updated_at=tx.now)
