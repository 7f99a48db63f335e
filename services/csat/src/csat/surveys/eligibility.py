"""What a decision rests on, read at the due moment: the ticket afresh, and no more besides than a rule asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from csat.policy.csat import CsatPolicy
from csat.policy.quiet_hours import zone_of
from csat.solve import Solve
from csat.surveys import repository
from csat.surveys.exclusion_rules import DecisionInput, DecisionTime, FreshTicket, Requester, lot_of
from csat.surveys.ports import Helpdesk, Organizations, read_together
from supportops.config.quiet_hours import quiet_until
from supportops.errors import DestinationPaused, SupportOpsError
from supportops.observability.logging import get_logger
from supportops.store import Store
from supportops.vendors.zendesk import Ticket, User, merged_at

log = get_logger("csat.surveys")

GRACE = timedelta(hours=1)
"""For a survey whose quiet hours end after its deadline: it goes out then, if nothing else is in the way."""


@dataclass(frozen=True)
class Eligibility:
    """A ticket as it is now, and what its survey's decision rests on; `quiet_until`: its requester sleeps.

    `person`: the requester; None where there is none, or Zendesk does not list them.
    """

    ticket: Ticket | None
    facts: DecisionInput
    person: User | None = None
    quiet_until: datetime | None = None
    time_zone: str = ""


@dataclass(frozen=True)
class _Times:
    """Deadline of a survey, and the end of the quiet hours that we are in."""

    deadline: datetime
    quiet_until: datetime | None = None
    time_zone: str = ""

    @classmethod
    def of(cls, solve: Solve, now: datetime, policy: CsatPolicy, person: User | None) -> Self:
        deadline = solve.due_at + policy.too_late_after
        hours = policy.quiet_hours
        if hours is None:
            return cls(deadline)
        iana, rails = (person.iana_time_zone, person.time_zone) if person is not None else (None, None)
        zone = zone_of(iana, rails, hours.time_zone)
        woken = quiet_until(deadline, hours, zone)
        return cls(woken + GRACE if woken else deadline, quiet_until(now, hours, zone), zone.key)


@dataclass(frozen=True)
class _Known:
    """What our own tables say, by ticket: when it was merged, and what is known of its requester."""

    merges: Mapping[str, datetime | None]
    people: Mapping[str, Requester]


class EligibilityReader:
    """Reads tickets for decisions."""

    def __init__(
        self, store: Store, zendesk: Helpdesk, organizations: Organizations, policy: CsatPolicy
    ) -> None:
        self._store, self._zendesk = store, zendesk
        self._organizations, self._policy = organizations, policy

    async def read(self, solve: Solve) -> Eligibility:
        """The ticket of a solve, afresh."""
        ticket = await self._zendesk.ticket(solve.ticket_id)
        return await self._reading(solve, ticket, await self._known_of([ticket] if ticket else []))

    async def read_many(self, solves: Sequence[Solve]) -> dict[str, Eligibility]:
        """The tickets of several solves, afresh, by ticket id: one call for all of them.

        One about which something cannot be read is left out: whoever needs it reads it by itself, and is told.
        """
        tickets = await read_together(self._zendesk.tickets, [each.ticket_id for each in solves])
        known = await self._known_of(tickets.values())
        found: dict[str, Eligibility] = {}
        for solve in solves:
            try:
                found[solve.ticket_id] = await self._reading(solve, tickets.get(solve.ticket_id), known)
            except DestinationPaused:
                raise
            except SupportOpsError as error:
                log.info("ticket.read_by_itself", ticket_id=solve.ticket_id, error=str(error))
        return found

    async def _known_of(self, tickets: Iterable[Ticket]) -> _Known:
        asking = {each.id: each.requester_id for each in tickets}
        async with self._store.reading() as conn:
            merges = await repository.merges_of(conn, list(asking))
            people = await repository.requesters_of(conn, asking, in_hand=self._policy.once_per is not None)
        return _Known(merges, people)

    async def _reading(self, solve: Solve, ticket: Ticket | None, known: _Known) -> Eligibility:
        if ticket is None:
            return Eligibility(None, DecisionInput(solve.solved_at, None, None))
        person = await self._person(ticket)
        fresh = await self._fresh(ticket, person, known.merges.get(ticket.id))
        now = self._store.clock.now()
        times = _Times.of(solve, now, self._policy, person)
        requester = known.people.get(ticket.id, Requester())
        moment = DecisionTime(now, solve.due_at, times.deadline)
        sampling_value = lot_of(repository.solve_key(solve.ticket_id, solve.solved_at))
        facts = DecisionInput(solve.solved_at, None, fresh, requester, moment, sampling_value)
        return Eligibility(ticket, facts, person, times.quiet_until, times.time_zone)

    async def _person(self, ticket: Ticket) -> User | None:
        """The ticket's requester; None where it has none, or Zendesk does not list them (decision 212)."""
        if ticket.requester is not None or ticket.requester_id is None:
            return ticket.requester
        return (await self._zendesk.users([ticket.requester_id])).get(ticket.requester_id)

    async def _fresh(self, ticket: Ticket, person: User | None, known_merge: datetime | None) -> FreshTicket:
        return FreshTicket(
            status=ticket.status,
            organization=await self._organization(ticket, person),
            tags=frozenset(ticket.tags),
            satisfaction=ticket.score,
            last_solved_at=ticket.solved_at,
            recipient=ticket.recipient,
            is_follow_up=ticket.is_follow_up,
            merged_at=await self._merged_at(ticket, known_merge),
            is_public=ticket.is_public,
            requester_suspended=person is not None and person.suspended,
            requester_deleted=person is None or not person.active,
        )

    async def _organization(self, ticket: Ticket, person: User | None) -> str | None:
        """C7 is about members: where a ticket has no organization, its requester's counts."""
        key = ticket.organization_id or (person.organization_id if person is not None else None)
        found = await self._organizations.get(key) if key is not None else None
        return found.name if found is not None else None

    async def _merged_at(self, ticket: Ticket, known_merge: datetime | None) -> datetime | None:
        """As an event `known_merge`, or by the audits where an inherited tag leaves it open (C5)."""
        if known_merge is not None or not ticket.is_follow_up or self._policy.merge_tag not in ticket.tags:
            return known_merge
        return merged_at(await self._zendesk.audits(ticket.id), self._policy.merge_tag)
