"""`csat backfill`: history from Zendesk, page by page, so that the numbers are not empty on the first day.

First the ratings (and survey responses, where the account has surveys), then the solved tickets by the incremental
export. Each page is one transaction, together with how far we are: killed at any moment, the next run goes on with the
next page; a run after the last page begins anew and adds nothing twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import orjson
from sqlalchemy import delete, select

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.ratings.backfill_pages import (
    HistoricRating,
    answered_in,
    rated_in,
    solved_in,
    store_ratings,
    store_solves,
)
from csat.ratings.native_mapping import NativeRatingMapper
from csat.solve import Solve
from supportops.errors import CredentialRefused, DestinationAway, Permanent, Retryable
from supportops.observability.logging import get_logger
from supportops.runtime.output import Report
from supportops.store import Store, Transaction
from supportops.vendors.zendesk import Exports, Satisfaction, Ticket
from supportops.vendors.zendesk.calls import not_again
from supportops.vendors.zendesk.exports import MOST

PATIENCE = 20
"""How often one page is asked for before we give up; a wait that Zendesk names is kept."""
LONGEST_WAIT = 60.0  # seconds between two tries, where nobody named a wait
NOBODY_THERE = 20.0  # seconds for a first answer: a wrong address must not look like work

Phase = Literal["ratings", "surveys", "tickets", "done"]

log = get_logger("csat.backfill")


class Describer(Protocol):
    """Names of tickets as they are now; `csat.kpi.ticket_snapshot.DescribeSolves` is one."""

    async def names_of(
        self, solves: Sequence[Solve], tickets: Mapping[str, Ticket]
    ) -> list[dict[str, str]]: ...


@dataclass(frozen=True)
class Sources:
    """Where history comes from."""

    satisfaction: Satisfaction
    exports: Exports
    tickets: Callable[[Sequence[str]], Awaitable[Mapping[str, Ticket]]]
    describe: Describer


@dataclass(frozen=True)
class Span:
    """What was solved, and what was rated, at or after `since` and before `until`."""

    since: datetime
    until: datetime


@dataclass
class State:
    """How far a backfill is: kept after each page. `until` stays that of the first run, so that pages stay the same."""

    until: datetime
    phase: Phase = "ratings"
    cursor: str | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """As it is kept."""
        values = {"until": self.until.isoformat(), "phase": self.phase, "cursor": self.cursor}
        return orjson.dumps(values | {"counts": dict(self.counts)}).decode()

    @classmethod
    def of(cls, text: str) -> "State":
        """What `text` made."""
        values: dict[str, Any] = orjson.loads(text)
        until = datetime.fromisoformat(values["until"])
        return cls(until, values["phase"], values["cursor"], Counter(values["counts"]))


type Write = Callable[[Transaction, State], Awaitable[None]]
"""What a page writes, in a transaction of its own."""

type Paged = tuple[Write, float | None]
"""A page that was read, and how much of the work is done with it (None: nobody knows)."""


class Backfill:
    """One run. `dry_run`: everything is read, nothing is written."""

    def __init__(
        self,
        store: Store,
        sources: Sources,
        policy: CsatPolicy,
        report: Report,
        *,
        dry_run: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._sources, self._policy = store, sources, policy
        self._report, self._dry_run, self._sleep = report, dry_run, sleep
        self._reading = NativeRatingMapper(policy.native_ratings, policy.reasons, policy.comment_limit)
        self._resuming = self._answered = False
        self._seen: set[str] = set()  # pages that were named as the next one
        self._listed: set[str] = (
            set()
        )  # tickets whose ratings came in this run; a dry run finds them nowhere else
        self.page_size = MOST

    async def run(self, span: Span) -> dict[str, int]:
        """Bring `span` in, from where an earlier run was stopped; counts of what was read and what was new.

        Raises Retryable when Zendesk is away for long or takes no login of ours, Permanent when it does not let us.
        """
        name = f"backfill:{span.since:%Y-%m-%dT%H:%M}"
        state = await self._resumed(name) or State(span.until)
        while state.phase != "done":
            await self._page(name, Span(span.since, state.until), state)
        await self._finish(name)
        return dict(state.counts)

    async def _page(self, name: str, span: Span, state: State) -> None:
        """Read the next page, write it down together with how far we are then."""
        pages = {"ratings": self._ratings, "surveys": self._surveys, "tickets": self._tickets}
        try:
            write, share = await pages[state.phase](span, state)
        except Permanent as error:
            if not self._resuming or state.cursor is None:
                raise
            log.warning("backfill.cursor_refused", phase=state.phase, error=str(error))
            self._resuming, state.cursor = False, None  # kept for too long: begin this part again
            return
        self._resuming = False
        if state.cursor is not None and state.phase != "done":
            not_again(f"{state.phase} {state.cursor}", self._seen)
        await self._write(name, state, write)
        self._report(share, _words(state))

    async def _ratings(self, span: Span, state: State) -> Paged:
        listing = self._sources.satisfaction.ratings
        page = await self._patiently(lambda: listing(span.since, span.until, state.cursor))
        following: Phase = "surveys" if self._reading.policy.kind == "surveys" else "tickets"
        _advance(state, page.cursor, following)
        state.counts["ratings_read"] += len(page.rows)
        return self._rated(rated_in(page.rows, self._reading)), None

    async def _surveys(self, span: Span, state: State) -> Paged:
        listing = self._sources.satisfaction.responses
        page = await self._patiently(lambda: listing(span.since, span.until, state.cursor))
        _advance(state, page.cursor if page is not None else None, "tickets")
        rows = page.rows if page is not None else ()
        state.counts["ratings_read"] += len(rows)
        return self._rated(answered_in(rows, self._reading)), None

    def _rated(self, page: Sequence[HistoricRating]) -> Write:
        self._listed.update(each.ticket_id for each in page)

        async def write(tx: Transaction, state: State) -> None:
            state.counts["ratings_added"] += await store_ratings(tx, page)

        return write

    async def _tickets(self, span: Span, state: State) -> Paged:
        export = self._sources.exports.tickets
        page = await self._patiently(lambda: export(span.since, state.cursor, size=self.page_size))
        state.cursor = page.cursor
        if page.last:
            state.phase = "done"
        state.counts["tickets_read"] += len(page.tickets)
        solved = solved_in(await self._with_solves(page.tickets), span.since, span.until)
        names = await self._names(solved)
        rated = await self._unlisted(solved)

        async def write(tx: Transaction, state: State) -> None:
            state.counts["ratings_added"] += await store_ratings(tx, rated)
            state.counts["tickets_added"] += await store_solves(tx, solved, names, self._policy)

        return write, 1.0 if page.last else self._share(span, page.reached)

    def _share(self, span: Span, reached: datetime | None) -> float | None:
        """How much of the export is behind us, by the time of change that it has come to."""
        if reached is None:
            return None
        whole = (self._store.clock.now() - span.since).total_seconds()
        return min(max((reached - span.since).total_seconds() / max(whole, 1.0), 0.0), 1.0)

    async def _with_solves(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """The tickets with the moment of their solve; read extra where the export did not send it along."""
        untold = [
            ticket.id for ticket in tickets if ticket.status in ("solved", "closed") and not ticket.metrics
        ]
        if not untold:
            return list(tickets)
        found = dict(await self._patiently(lambda: self._sources.tickets(untold)))  # those that can be read
        return [found.get(ticket.id, ticket) for ticket in tickets]

    async def _names(self, tickets: Sequence[Ticket]) -> list[dict[str, str]]:
        by_id = {ticket.id: ticket for ticket in tickets}
        now = self._store.clock.now()
        solves = [Solve(ticket.id, ticket.solved_at or now, due_at=now) for ticket in tickets]
        return await self._patiently(lambda: self._sources.describe.names_of(solves, by_id))

    async def _unlisted(self, tickets: Sequence[Ticket]) -> list[HistoricRating]:
        """Ratings that tickets show and no list told us of: they are older than the span, or are not listed at all."""
        rated = {ticket.id: ticket for ticket in tickets if ticket.score in ("good", "bad")}
        column = tables.ratings.c.ticket_id
        async with self._store.reading() as conn:
            found = await conn.execute(select(column).where(column.in_(list(rated))))
            known = self._listed.union(found.scalars())
        return [await self._rating_of(ticket) for key, ticket in rated.items() if key not in known]

    async def _rating_of(self, ticket: Ticket) -> HistoricRating:
        shown = ticket.satisfaction_rating
        number = shown.id if shown is not None else None
        if number is not None:
            shown = await self._patiently(lambda: self._sources.satisfaction.rating(number)) or shown
        known = {"ticket_id": ticket.id, "updated_at": ticket.updated_at, "requester_id": ticket.requester_id}
        if shown is not None:
            missing = {name: value for name, value in known.items() if getattr(shown, name) is None}
            shown = shown.model_copy(update=missing)
        found = rated_in([shown] if shown is not None else [], self._reading)
        return found[0] if found else HistoricRating(ticket.id, None, ticket.updated_at)

    async def _patiently[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until Zendesk answers; each wait is reported. What only somebody's change can mend is raised at once."""
        spent = 0.0
        for attempt in range(1, PATIENCE):
            begin = time.monotonic()
            try:
                answer = await call()
            except CredentialRefused:
                raise
            except Retryable as error:
                named = error.after.total_seconds() if error.after else None  # to wait for no time is no wait
                wait = named if named is not None else min(2.0**attempt, LONGEST_WAIT)
                spent += time.monotonic() - begin + wait
                away = named is None or isinstance(error, DestinationAway)
                if away and not self._answered and spent > NOBODY_THERE:
                    raise
                self._report(None, f"waiting {wait:.0f} s: {error}")
                await self._sleep(wait)
            else:
                self._answered = True
                return answer
        return await call()

    async def _write(self, name: str, state: State, write: Write) -> None:
        async with self._store.rehearsal() if self._dry_run else self._store.transaction() as tx:
            await write(tx, state)
            rows = await tx.load(tables.progress, [name])
            rows.put(name, cursor=state.text(), updated_at=tx.now)

    async def _resumed(self, name: str) -> State | None:
        progress = tables.progress
        async with self._store.reading() as conn:
            found = await conn.execute(select(progress.c.cursor).where(progress.c.name == name))
            text = found.scalar_one_or_none()
        if text is None or self._dry_run:
            return None
        state = State.of(text)
        self._resuming = True
        self._report(None, f"going on where an earlier run was stopped: {_words(state)}")
        return state

    async def _finish(self, name: str) -> None:
        if self._dry_run:
            return
        async with self._store.transaction() as tx:
            await tx.execute(delete(tables.progress).where(tables.progress.c.name == name))


def _advance(state: State, cursor: str | None, following: Phase) -> None:
    """On to the next page of this phase, or to the next phase."""
    state.cursor = cursor
    if cursor is None:
        state.phase = following


def _words(state: State) -> str:
    counts = state.counts
    return (
        f"{counts['ratings_read']} ratings read, {counts['ratings_added']} new; "
        f"{counts['tickets_read']} tickets read, {counts['tickets_added']} new"
    )
