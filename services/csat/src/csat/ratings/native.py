"""Ratings that Zendesk itself collects count like ours (docs/rules.md C1): an event is a hint, the truth is
read by REST.

The latest answer of a ticket counts, whoever brought it; of a native one the moment is `updated_at`
(docs/vendors/zendesk.md#ratings does not say which of its two moments it is; this is the one that moves when a customer
changes their mind).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from csat import tables
from csat.destinations import NATIVE_RATING
from csat.kpi import ticket_facts
from csat.ratings.native_mapping import NativeRating, NativeRatingMapper
from csat.ratings.repository import NewRating, record_answer
from csat.surveys.ports import read_together
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, TryAgain
from supportops.delivery.pausing import quota_pauses_all
from supportops.delivery.retry import decide
from supportops.errors import DestinationPaused, SupportOpsError
from supportops.store import Transaction
from supportops.vendors.zendesk import SatisfactionRating, SurveyResponse, Ticket

LOOKS = 4
"""How often we look for a rating that an event told of and that REST does not show yet: for about half a minute."""


class Ratings(Protocol):
    """Answers as Zendesk holds them; `supportops.vendors.zendesk.Satisfaction` is one."""

    async def rating(self, rating_id: str) -> SatisfactionRating | None: ...
    async def responses_of(self, ticket_id: str, locale: str = ...) -> list[SurveyResponse]: ...


class Tickets(Protocol):
    """Zendesk's tickets, with their metrics, and its ratings; `supportops.vendors.zendesk.Zendesk` is one."""

    @property
    def satisfaction(self) -> Ratings: ...
    async def ticket(self, ticket_id: str) -> Ticket | None: ...
    async def tickets(self, ticket_ids: Iterable[str]) -> dict[str, Ticket]: ...


@dataclass(frozen=True)
class Hint:
    """An event that told of a rating; `score` is what it said, when it said anything."""

    ticket_id: str
    cause: str
    hinted_at: datetime
    score: str | None
    attempts: int

    @classmethod
    def of(cls, delivery: Delivery) -> "Hint":
        payload = delivery.payload
        moment = datetime.fromisoformat(payload["hinted_at"])
        score = str(payload.get("score") or "").lower() or None
        return cls(payload["ticket_id"], payload["cause"], moment, score, delivery.attempts)

    def is_ahead_of(self, found: NativeRating | None) -> bool:
        """Whether the event knows of an answer that our reading does not show (yet)."""
        if self.score not in ("good", "bad"):
            return False
        if found is None:
            return True
        older = found.rated_at is None or found.rated_at < self.hinted_at.replace(microsecond=0)
        return found.answer.score != self.score and older


class ReadRatings:
    """Reads the ratings of hinted tickets, many tickets with one call."""

    spec = DestinationSpec(
        NATIVE_RATING,
        batch=100,
        linger=timedelta(seconds=1),
        concurrency=2,
        timeout=timedelta(minutes=1),
        idempotent=True,
    )

    def __init__(self, zendesk: Tickets, reading: NativeRatingMapper) -> None:
        self._zendesk, self._reading = zendesk, reading

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome per hint: the answer is taken, the offer is noted, or there is nothing (yet)."""
        hints = [Hint.of(delivery) for delivery in deliveries]
        tickets = await read_together(self._zendesk.tickets, [hint.ticket_id for hint in hints])
        return await asyncio.gather(*(self._follow(hint, tickets) for hint in hints))

    async def _follow(self, hint: Hint, tickets: Mapping[str, Ticket]) -> Outcome:
        """What came of one hint; its trouble is not the others', except that a quota pauses all."""
        try:
            with quota_pauses_all():
                ticket = tickets.get(hint.ticket_id) or await self._zendesk.ticket(hint.ticket_id)
                if ticket is None:
                    return Cancel("the ticket is gone")
                found, asked = await self._latest(ticket)
        except DestinationPaused:
            raise
        except SupportOpsError as error:
            return decide(error)
        if hint.attempts < LOOKS and (hint.is_ahead_of(found) or not asked):
            return TryAgain(None, "Zendesk does not show what the event told of yet")
        if found is not None:
            return _stored(hint, ticket, found)
        if asked:
            return _offered(ticket, hint.hinted_at)
        return Cancel(f"nobody was asked and nobody answered: {ticket.score}")

    async def _latest(self, ticket: Ticket) -> tuple[NativeRating | None, bool]:
        """The latest answer in Zendesk (a survey's, where the account has surveys), and whether anybody was asked."""
        if self._reading.policy.kind == "surveys":
            responses = await self._zendesk.satisfaction.responses_of(ticket.id, self._reading.policy.locale)
            answered = [found for each in responses if (found := self._reading.of_response(each))]
            if responses:
                latest = max(answered, key=lambda found: found.rated_at or ticket.updated_at, default=None)
                return latest, True
        return await self._legacy(ticket), ticket.score != "unoffered"

    async def _legacy(self, ticket: Ticket) -> NativeRating | None:
        shown = ticket.satisfaction_rating
        if shown is None or (native := self._reading.of_rating(shown)) is None:
            return None
        full = await self._zendesk.satisfaction.rating(shown.id) if shown.id is not None else None
        return (self._reading.of_rating(full) if full is not None else None) or native


def _stored(hint: Hint, ticket: Ticket, found: NativeRating) -> Outcome:
    rated_at = found.rated_at or ticket.updated_at

    async def then(tx: Transaction) -> None:
        given = NewRating(found.answer, "native", found.requester_id or ticket.requester_id, rated_at)
        await store_rating(tx, ticket.id, given, cause=hint.cause)
        await ticket_facts.note_asked(tx, ticket.id, found.asked_at or rated_at, ticket.solved_at)

    result = {"score": found.answer.score, "rated_at": rated_at.isoformat()}
    return Done(result, then, reads=((tables.ratings, ticket.id), (tables.ticket_facts, ticket.id)))


def _offered(ticket: Ticket, at: datetime) -> Outcome:
    async def then(tx: Transaction) -> None:
        await ticket_facts.note_asked(tx, ticket.id, at, ticket.solved_at)

    return Done({"score": "offered"}, then, reads=((tables.ticket_facts, ticket.id),))


async def store_rating(
    tx: Transaction, ticket_id: str, given: NewRating, *, cause: str | None = None, publish: bool = True
) -> bool:
    """Take an answer that Zendesk holds; True when it was news.

    What was taken before stays as it is, also after its comment was removed here by age or by `csat erase`: reading
    the same rating again does not bring a comment back.
    """
    rows = await tx.load(tables.ratings, [ticket_id])
    row = rows.get(ticket_id)
    if row is not None and _is_known(row, given):
        return False
    before = row["revision"] if row is not None else 0
    return (await record_answer(tx, ticket_id, given, cause=cause, publish=publish)).revision > before


def _is_known(row: Mapping[str, object], given: NewRating) -> bool:
    """Whether the row is this very answer, or what is left of it."""
    same = (row["source"], row["rated_at"], row["score"]) == ("native", given.rated_at, given.answer.score)
    return same and row["comment"] is None and row["reason"] in (given.answer.reason, None)
