"""Asks a requester at the due moment: reads the ticket afresh, decides, asks by comment or by tag.

The comment and its tag are two deliveries, so that a crash between them repeats neither. Before anything is asked the
survey is written down (`records.intend`): whoever comes next, for whatever reason, asks Zendesk first whether it is
there. It is a safe update, so of two late calls only one can succeed.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from csat import tables
from csat.asking import lifecycle, records, rules
from csat.asking.handlers import SurveyClock, state_of
from csat.asking.patience import quota_pauses_all, surveys_budget, while_it_moves
from csat.asking.ports import Helpdesk, Organizations, Solve
from csat.asking.reading import Reader, Reading
from csat.asking.records import SURVEY
from csat.asking.rules import Decision, Facts
from csat.asking.texts import SurveyText
from csat.asking.ways import Arrived, Ways
from csat.settings import CsatRules
from supportops.http import Conflict, NotFound
from supportops.store import Store, Transaction
from supportops.vendors.zendesk import Refused, Ticket
from supportops.versions import version_of
from supportops.workers import Delivery, DestinationSpec, Done, Moot, Outcome, TryAgain


class AskRequester:
    """Reads the ticket afresh, decides by the rules, and asks: a comment with links, or the tag."""

    def __init__(
        self,
        store: Store,
        zendesk: Helpdesk,
        organizations: Organizations,
        text: SurveyText,
        policy: CsatRules,
    ) -> None:
        self.spec = DestinationSpec(SURVEY, budget=surveys_budget(policy))
        self._store = store
        self._policy = policy
        self._reader = Reader(store, zendesk, organizations, policy)
        self._ways = Ways(zendesk, text, policy)
        self._clock = SurveyClock(policy.survey_after)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome per solve: the survey was sent, a rule says why not, or it waits for the morning."""
        return [await self._ask(Solve.of(delivery)) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """Whether the survey is on the ticket."""
        with quota_pauses_all():
            return await self._known(Solve.of(delivery))

    async def _ask(self, solve: Solve) -> Outcome:
        async def once() -> Outcome:
            return await self._known(solve) or await self._decide(solve)

        # Refused: the ticket was closed after our reading; the next one says so, and a rule decides.
        return await while_it_moves(once, Conflict, NotFound, Refused)

    async def _known(self, solve: Solve) -> Outcome | None:
        """What is already certain: this survey was sent, or another one was."""
        async with self._store.reading() as conn:
            survey = await records.survey_of_ticket(conn, solve.ticket_id)
            former = [] if survey is None else await records.former_surveys(conn, survey)
        if survey is None:
            return None
        if survey.sent_at is not None:
            return self._there(solve, Arrived(survey, survey.sent_at))
        arrived = await self._ways.arrived(survey, former)
        return None if arrived is None else self._there(solve, arrived)

    async def _decide(self, solve: Solve) -> Outcome:
        reading = await self._reader.read(solve)
        decision = rules.decide(reading.facts, self._policy)
        if reading.ticket is None or not decision.send:
            return self._not_sent(solve, decision, reading.ticket)
        if reading.quiet_until is not None:
            return self._wait(reading.quiet_until, reading.time_zone)
        return await self._send(solve, reading, reading.ticket)

    async def _send(self, solve: Solve, reading: Reading, ticket: Ticket) -> Outcome:
        if self._policy.ask_by == "native" and await self._ways.make_room(ticket):
            raise Conflict(f"ticket {ticket.id}: an inherited tag was taken away")
        person = await self._reader.person(ticket) if self._policy.ask_by == "hosted" else None
        locale = person.locale if person is not None else None
        async with self._store.transaction() as tx:
            decision = await self._last_word(tx, ticket, reading)
            if decision.send:
                key, who = (ticket.id, solve.solved_at), ticket.requester_id
                survey = await records.intend(tx, *key, who, self._policy.ask_by, locale)
        if not decision.send:
            return self._not_sent(solve, decision, ticket)
        if survey.sent_at is not None:  # a vote has proved meanwhile that it arrived
            return self._there(solve, Arrived(survey, survey.sent_at))
        await self._ways.ask(ticket, survey)
        return self._sent(solve, Arrived(survey, self._store.clock.now()))

    async def _last_word(self, tx: Transaction, ticket: Ticket, reading: Reading) -> Decision:
        """Decide once more while nobody else can decide about the same requester."""
        if ticket.requester_id is None:
            return rules.decide(reading.facts, self._policy)
        await records.lock_requester(tx, ticket.requester_id)
        requester = await records.requester_of(tx.conn, ticket.requester_id, ticket.id)
        return rules.decide(replace(reading.facts, requester=requester), self._policy)

    def _wait(self, until: datetime, zone: str) -> Outcome:
        reason = f"quiet hours of the requester ({zone}) until {until:%Y-%m-%d %H:%M} UTC"
        return TryAgain(until - self._store.clock.now(), reason, free=True)

    def _there(self, solve: Solve, arrived: Arrived) -> Outcome:
        if arrived.survey.solved_at == solve.solved_at:
            return self._sent(solve, arrived)
        return self._surveyed_before(solve, arrived)

    def _sent(self, solve: Solve, arrived: Arrived) -> Outcome:
        decision = Decision(True, rules.SEND, "no rule objects")

        async def then(tx: Transaction) -> None:
            await records.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)
            await records.record_sent(tx, arrived.survey, arrived.at, solve.cause)

        # Read at once for many outcomes, in one order: requesters are shared by tickets.
        reads = [(tables.surveys, solve.ticket_id), (tables.facts, solve.ticket_id)]
        reads += [(tables.decisions, records.solve_key(solve.ticket_id, solve.solved_at))]
        reads += [(tables.requesters, who)] if (who := arrived.survey.requester_id) is not None else []
        return Done({"survey_id": arrived.survey.survey_id}, then, tuple(reads))

    def _surveyed_before(self, solve: Solve, arrived: Arrived) -> Outcome:
        decision = rules.decide(Facts(solve.solved_at, arrived.at, None), self._policy)

        async def then(tx: Transaction) -> None:
            await records.record_sent(tx, arrived.survey, arrived.at, solve.cause)  # its sender may have died
            await records.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)

        return Moot(f"{decision.rule}: {decision.reason}", then)

    def _not_sent(self, solve: Solve, decision: Decision, ticket: Ticket | None = None) -> Outcome:
        async def then(tx: Transaction) -> None:
            await records.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)
            if decision.rule == "solved_again" and ticket is not None:
                await self._restart(tx, solve, ticket)

        return Moot(f"{decision.rule}: {decision.reason}", then)

    async def _restart(self, tx: Transaction, solve: Solve, ticket: Ticket) -> None:
        """Our reading told of a later solve before its event did: start the ticket's clock anew."""
        if ticket.solved_at is None:
            return
        await tx.load(tables.tickets, [solve.ticket_id])
        version = version_of(ticket.updated_at)
        step = lifecycle.solved(state_of(tx, solve.ticket_id), version, ticket.solved_at)
        self._clock.take(tx, solve.ticket_id, step, solve.cause or SURVEY)
