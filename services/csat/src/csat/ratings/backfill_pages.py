"""Pages of history from Zendesk, written down: ratings and solved tickets of the past (issue 4 §5).

Nobody is told, nobody is asked, and what csat knows better stays: a ticket that it follows by its events keeps its own
solve and its own decision, an answer is only replaced by a later one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from csat import tables
from csat.kpi import ticket_facts
from csat.kpi.ticket_facts import HistoricTicket
from csat.policy.csat import CsatPolicy
from csat.ratings.native import store_rating
from csat.ratings.native_mapping import NativeRating, NativeRatingMapper
from csat.ratings.repository import NewRating
from supportops.store import Transaction
from supportops.vendors.zendesk import SatisfactionRating, SurveyResponse, Ticket

FRESH = timedelta(hours=1)
"""A younger rating of a ticket that csat follows is left to its event, so that those who subscribed hear of it."""


@dataclass(frozen=True)
class HistoricRating:
    """A ticket that was rated, or only asked about (`native` None), in Zendesk."""

    ticket_id: str
    native: NativeRating | None
    asked_at: datetime


def rated_in(rows: Iterable[SatisfactionRating], reading: NativeRatingMapper) -> list[HistoricRating]:
    """The ratings of a page that tell something; one without a ticket or a moment does not."""
    found = []
    for row in rows:
        moment = row.created_at or row.updated_at
        native = reading.of_rating(row)
        if row.ticket_id is not None and moment is not None and (native or row.score == "offered"):
            found.append(HistoricRating(row.ticket_id, native, moment))
    return found


def answered_in(rows: Iterable[SurveyResponse], reading: NativeRatingMapper) -> list[HistoricRating]:
    """The same for survey responses."""
    found = []
    for row in rows:
        native = reading.of_response(row)
        if row.ticket_id is not None and native is not None and native.rated_at is not None:
            found.append(HistoricRating(row.ticket_id, native, native.asked_at or native.rated_at))
    return found


async def store_ratings(tx: Transaction, page: Sequence[HistoricRating]) -> int:
    """Take the ratings of a page; how many of them were news."""
    ids = [rated.ticket_id for rated in page]
    tracked = await tx.load(tables.tickets, ids)
    await tx.load(tables.ratings, ids)
    await tx.load(tables.ticket_facts, ids)
    return sum([await _store_historic(tx, rated, tracked.get(rated.ticket_id) is not None) for rated in page])


async def _store_historic(tx: Transaction, rated: HistoricRating, tracked: bool) -> bool:
    native = rated.native
    if native is None or native.rated_at is None:
        if not tracked:
            await ticket_facts.note_asked(tx, rated.ticket_id, rated.asked_at, None)
        return False
    if tracked and native.rated_at > tx.now - FRESH:
        return False
    given = NewRating(native.answer, "native", native.requester_id, native.rated_at)
    news = await store_rating(tx, rated.ticket_id, given, publish=False)
    await ticket_facts.note_asked(tx, rated.ticket_id, rated.asked_at, None)
    return news


def solved_in(tickets: Iterable[Ticket], since: datetime, until: datetime) -> list[Ticket]:
    """The tickets of a page that were solved in the span and are so now, each once."""
    known = {ticket.id: ticket for ticket in tickets if ticket.status in ("solved", "closed")}
    return [
        ticket
        for ticket in known.values()
        if ticket.solved_at is not None and since <= ticket.solved_at < until
    ]


async def store_solves(
    tx: Transaction, tickets: Sequence[Ticket], names: Sequence[Mapping[str, str]], policy: CsatPolicy
) -> int:
    """Note the solved tickets of a page in the numbers; for how many that added something."""
    ids = [ticket.id for ticket in tickets]
    tracked = await tx.load(tables.tickets, ids)
    await tx.load(tables.ticket_facts, ids)
    added = 0
    for ticket, described in zip(tickets, names, strict=True):
        past = past_of(ticket, described, policy, tx.now)
        added += past is not None and ticket_facts.note_past(
            tx, past, tracked=tracked.get(ticket.id) is not None
        )
    return added


def past_of(
    ticket: Ticket, names: Mapping[str, str], policy: CsatPolicy, now: datetime
) -> HistoricTicket | None:
    """What the numbers take of a ticket; None when it is not solved.

    Whoever Zendesk offered a rating to, or an earlier survey tagged (a follow-up has its parent's tags: they say
    nothing), was asked; the moment is not known, so it is that of the solve. About a ticket that was solved longer ago
    than surveys wait, it is decided.
    """
    if ticket.solved_at is None:
        return None
    tagged = policy.sent_tag in ticket.tags and not ticket.is_follow_up
    asked = tagged or ticket.score != "unoffered"
    waited = ticket.solved_at + policy.survey_after <= now
    return HistoricTicket(
        ticket.id, ticket.solved_at, names, ticket.solved_at if asked else None, asked or waited
    )
