"""Asks a requester at the due moment: reads the ticket afresh, decides, asks by comment or by tag.

The comment and its tag are two deliveries, so that a crash between them repeats neither. Before anything is asked the
survey is written down (`repository.reserve_survey`): whoever comes next, for whatever reason, asks Zendesk first
whether it is there. It is a safe update, so of two late calls only one can succeed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from csat import tables
from csat.destinations import SURVEY
from csat.policy.csat import CsatPolicy
from csat.solve import Solve
from csat.survey_link.invitation import SurveyText
from csat.surveys import exclusion_rules, repository, survey_clock
from csat.surveys.budgets import BATCH, surveys_budget
from csat.surveys.channels import CLOCKS_APART, DeliveredSurvey, SurveyChannels
from csat.surveys.eligibility import Eligibility, EligibilityReader
from csat.surveys.exclusion_rules import Decision, DecisionInput
from csat.surveys.handlers import RatingHint, SurveyHandlers, read_rating, state_of
from csat.surveys.ports import Helpdesk, Organizations
from csat.surveys.repository import Survey
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, Snooze
from supportops.delivery.pausing import quota_pauses_all, while_it_moves
from supportops.errors import Conflict, NotFound
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Refused, Ticket

log = get_logger("csat.surveys")


@dataclass(frozen=True)
class Prepared:
    """A decision with what it rests on; `survey` is written down, and to be sent."""

    reading: Eligibility
    decision: Decision
    survey: Survey | None = None

    @property
    def to_ask(self) -> Ticket | None:
        """The ticket, if its requester is to be asked now."""
        wanted = self.decision.send and self.reading.quiet_until is None
        return self.reading.ticket if wanted else None


class AskRequester:
    """Reads the ticket afresh, decides by the rules, and asks: a comment with links, or the tag."""

    def __init__(
        self,
        store: Store,
        zendesk: Helpdesk,
        organizations: Organizations,
        text: SurveyText,
        policy: CsatPolicy,
    ) -> None:
        self.spec = DestinationSpec(SURVEY, batch=BATCH, concurrency=2, budget=surveys_budget(policy))
        self._store, self._zendesk = store, zendesk
        self._policy = policy
        self._reader = EligibilityReader(store, zendesk, organizations, policy)
        self._ways = SurveyChannels(zendesk, text, policy)
        self._clock = SurveyHandlers(policy.survey_after)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One outcome per solve: the survey was sent, a rule says why not, or it waits for the morning.

        Tickets of a batch are read together and asked about at the same time; where a budget sets the pace there is
        no hurry, and they are asked about one after the other, in due order.
        """
        solves = [Solve.of(delivery) for delivery in deliveries]
        if len(solves) == 1:
            return [await self._ask(solves[0])]
        with quota_pauses_all():
            prepared = await self._prepared(solves)
        asking = [self._ask(solve, prepared.get(solve.ticket_id)) for solve in solves]
        if self.spec.budget is None:
            return await asyncio.gather(*asking, return_exceptions=True)
        return [(await asyncio.gather(each, return_exceptions=True))[0] for each in asking]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """Whether the survey is on the ticket; also one that a restored database has forgotten."""
        solve = Solve.of(delivery)
        with quota_pauses_all():
            return await self._known(solve) or await self._forgotten(solve)

    async def _ask(self, solve: Solve, prepared: Prepared | None = None) -> Outcome:
        ready = [prepared] if prepared is not None else []  # good for one attempt; then all is read anew

        async def once() -> Outcome:
            if ready:
                return await self._finish(solve, ready.pop())
            return await self._known(solve) or await self._decide(solve)

        # Refused: the ticket was closed after our reading; the next one says so, and a rule decides. Where it goes on,
        # the refusal is this ticket's own (a requester who takes no mail, a ticket that takes no more comments).
        try:
            return await while_it_moves(once, Conflict, NotFound, Refused)
        except Refused as error:
            log.warning("survey.refused", ticket_id=solve.ticket_id, reason=str(error))
            return self._not_sent(solve, exclusion_rules.refused(str(error)))

    async def _prepared(self, solves: Sequence[Solve]) -> dict[str, Prepared]:
        """What can be decided together, by ticket: hosted surveys of tickets that nobody was asked about yet."""
        if self._policy.ask_by == "native":
            return {}
        async with self._store.reading() as conn:
            known = await repository.asked_about(conn, [solve.ticket_id for solve in solves])
        readings = await self._reader.read_many([each for each in solves if each.ticket_id not in known])
        there = [(each, readings[each.ticket_id]) for each in solves if each.ticket_id in readings]
        return await self._intend(
            [(solve, reading) for solve, reading in there if reading.ticket is not None]
        )

    async def _known(self, solve: Solve) -> Outcome | None:
        """What is already certain: this survey was sent, or another one was."""
        async with self._store.reading() as conn:
            survey = await repository.survey_of_ticket(conn, solve.ticket_id)
            former = [] if survey is None else await repository.former_surveys(conn, survey)
        if survey is None:
            return None
        if survey.sent_at is not None:
            return self._there(solve, DeliveredSurvey(survey, survey.sent_at))
        arrived = await self._ways.arrived(survey, former)
        return None if arrived is None else self._there(solve, arrived)

    async def _forgotten(self, solve: Solve) -> Outcome | None:
        """A survey that the ticket shows and nobody has written down is taken over, with its id and links."""
        ticket = await self._zendesk.ticket(solve.ticket_id)
        found = None if ticket is None else await self._ways.forgotten(ticket)
        if found is None:
            return None
        async with self._store.reading() as conn:
            begun = await repository.survey_of_ticket(conn, solve.ticket_id)
            of_its_id = await repository.survey_with_id(conn, found.survey.survey_id)
        if (begun and found.survey.mode == "native") or (
            of_its_id and of_its_id.ticket_id != solve.ticket_id
        ):
            return None  # an older tag than the one that we were about to add; a link that was copied here
        log.warning("survey.taken_over", ticket_id=solve.ticket_id, survey_id=found.survey.survey_id)
        if found.at >= solve.solved_at - CLOCKS_APART:  # what came after this solve asked about it
            found = replace(found, survey=replace(found.survey, solved_at=solve.solved_at))
        there = self._there(solve, found)

        async def then(tx: Transaction) -> None:
            await repository.adopt_survey(tx, found.survey)
            await tx.apply(there.then)

        return replace(there, then=then)

    async def _decide(self, solve: Solve) -> Outcome:
        reading = await self._reader.read(solve)
        decision = exclusion_rules.decide(reading.facts, self._policy)
        to_ask = Prepared(reading, decision).to_ask if self._policy.ask_by == "native" else None
        if to_ask is not None and await self._ways.make_room(to_ask):
            raise Conflict(f"ticket {to_ask.id}: an inherited tag was taken away")
        return await self._finish(solve, (await self._intend([(solve, reading)]))[solve.ticket_id])

    async def _intend(self, readings: Sequence[tuple[Solve, Eligibility]]) -> dict[str, Prepared]:
        """Decide; who is to be asked is written down, in one transaction, before anybody is."""
        decided = {
            solve.ticket_id: Prepared(reading, exclusion_rules.decide(reading.facts, self._policy))
            for solve, reading in readings
        }
        asking = [(solve, ticket) for solve, _ in readings if (ticket := decided[solve.ticket_id].to_ask)]
        if asking:
            async with self._store.transaction() as tx:
                await tx.load(tables.surveys, [ticket.id for _, ticket in asking])
                await repository.lock_requesters(tx, (t.requester_id for _, t in asking if t.requester_id))
                for solve, ticket in asking:
                    decided[ticket.id] = await self._last_word(tx, solve, ticket, decided[ticket.id].reading)
        return decided

    async def _last_word(
        self, tx: Transaction, solve: Solve, ticket: Ticket, reading: Eligibility
    ) -> Prepared:
        """Decide once more while nobody else can decide about the same requester."""
        in_hand = self._policy.once_per is not None
        requester = await repository.locked_requester(tx, ticket.requester_id, ticket.id, in_hand=in_hand)
        decision = exclusion_rules.decide(replace(reading.facts, requester=requester), self._policy)
        if not decision.send:
            return Prepared(reading, decision)
        mode = self._policy.ask_by
        person = reading.person
        locale = person.locale if person is not None and mode == "hosted" else None
        survey = await repository.reserve_survey(
            tx, ticket.id, solve.solved_at, ticket.requester_id, mode, locale
        )
        return Prepared(reading, decision, survey)

    async def _finish(self, solve: Solve, prepared: Prepared) -> Outcome:
        """Ask, or say why not; raises Conflict where the ticket is not any more as it was read."""
        reading, ticket, survey = prepared.reading, prepared.reading.ticket, prepared.survey
        if not prepared.decision.send or ticket is None:
            return self._not_sent(solve, prepared.decision, ticket)
        if survey is None:
            return self._wait(reading)
        if survey.sent_at is not None:  # a vote has proved meanwhile that it arrived
            return self._there(solve, DeliveredSurvey(survey, survey.sent_at))
        await self._ways.ask(ticket, survey)
        return self._sent(solve, DeliveredSurvey(survey, self._store.clock.now()))

    def _wait(self, reading: Eligibility) -> Outcome:
        now = self._store.clock.now()
        until = reading.quiet_until or now
        reason = f"quiet hours of the requester ({reading.time_zone}) until {until:%Y-%m-%d %H:%M} UTC"
        return Snooze(until - now, reason)

    def _there(self, solve: Solve, arrived: DeliveredSurvey) -> Done | Cancel:
        if arrived.survey.solved_at == solve.solved_at:
            return self._sent(solve, arrived)
        return self._surveyed_before(solve, arrived)

    def _sent(self, solve: Solve, arrived: DeliveredSurvey) -> Done:
        decision = Decision(True, exclusion_rules.SEND, "no rule objects")

        async def then(tx: Transaction) -> None:
            await repository.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)
            await repository.record_sent(tx, arrived.survey, arrived.at, solve.cause)

        # Read at once for many outcomes, in one order: requesters are shared by tickets.
        reads = [(tables.surveys, solve.ticket_id), (tables.ticket_facts, solve.ticket_id)]
        reads += [(tables.decisions, repository.solve_key(solve.ticket_id, solve.solved_at))]
        reads += [(tables.requesters, who)] if (who := arrived.survey.requester_id) is not None else []
        return Done({"survey_id": arrived.survey.survey_id}, then, tuple(reads))

    def _surveyed_before(self, solve: Solve, arrived: DeliveredSurvey) -> Cancel:
        decision = exclusion_rules.decide(DecisionInput(solve.solved_at, arrived.at, None), self._policy)

        async def then(tx: Transaction) -> None:
            await repository.record_sent(
                tx, arrived.survey, arrived.at, solve.cause
            )  # its sender may have died
            await repository.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)

        return Cancel(f"{decision.rule}: {decision.reason}", then)

    def _not_sent(self, solve: Solve, decision: Decision, ticket: Ticket | None = None) -> Outcome:
        async def then(tx: Transaction) -> None:
            await repository.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)
            if ticket is not None:
                await self._learn(tx, solve, ticket, decision.rule)

        return Cancel(f"{decision.rule}: {decision.reason}", then)

    async def _learn(self, tx: Transaction, solve: Solve, ticket: Ticket, rule: str) -> None:
        """What our reading told before its event did: a later solve, a reopening, a rating of Zendesk's own."""
        cause = solve.cause or SURVEY
        version = version_of(ticket.updated_at, tx.now)  # after all events of the same second
        if rule == "satisfaction_offered":
            key = f"{repository.solve_key(solve.ticket_id, solve.solved_at)}:seen"
            read_rating(tx, key, ticket.id, RatingHint(cause, ticket.updated_at, ticket.score))
        if rule not in ("solved_again", "reopened"):
            return
        await tx.load(tables.tickets, [ticket.id])
        state, solved_at = state_of(tx, ticket.id), ticket.solved_at if rule == "solved_again" else None
        step = (
            survey_clock.solved(state, version, solved_at)
            if solved_at
            else survey_clock.reopened(state, version)
        )
        self._clock.apply(tx, ticket.id, step, cause)
