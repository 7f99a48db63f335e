"""Asks a requester at the due moment: reads the ticket afresh, decides, posts the comment.

The comment and the tag are two deliveries, so that a crash between them repeats neither. Before the comment is posted
the survey is written down (`records.intend`): whoever comes next, for whatever reason, asks Zendesk first whether the
comment is there. It is posted as a safe update, so of two late calls only one can succeed.
"""

from collections.abc import Sequence
from datetime import datetime

from csat import tables
from csat.asking import lifecycle, records, rules
from csat.asking.handlers import SurveyClock, state_of
from csat.asking.patience import quota_pauses_all, updates_budget, while_it_moves
from csat.asking.ports import Helpdesk, Organizations, Solve
from csat.asking.records import SURVEY, Survey
from csat.asking.rules import Decision, Facts, FreshTicket
from csat.asking.texts import SurveyText
from csat.settings import CsatRules
from supportops.http import Conflict, NotFound
from supportops.store import Store, Transaction
from supportops.vendors.zendesk import NewComment, Refused, Ticket
from supportops.versions import version_of
from supportops.workers import Delivery, DestinationSpec, Done, Moot, Outcome


class AskRequester:
    """Reads the ticket afresh, decides by the rules, and posts the public comment with the links."""

    def __init__(
        self,
        store: Store,
        zendesk: Helpdesk,
        organizations: Organizations,
        text: SurveyText,
        policy: CsatRules,
    ) -> None:
        self.spec = DestinationSpec(SURVEY, budget=updates_budget(policy))
        self._store = store
        self._zendesk = zendesk
        self._organizations = organizations
        self._text = text
        self._policy = policy
        self._clock = SurveyClock(policy.survey_after)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome per solve: the survey was sent, or a rule says why not."""
        return [await self._ask(Solve.of(delivery)) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """Whether the survey's link is in one of the ticket's latest comments."""
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
        if survey is None:
            return None
        sent_at = survey.sent_at or await self._posted_at(survey)
        if sent_at is None:
            return None
        if survey.solved_at == solve.solved_at:
            return self._sent(solve, survey, sent_at)
        return self._surveyed_before(solve, survey, sent_at)

    async def _posted_at(self, survey: Survey) -> datetime | None:
        """When the comment of a survey that may have been posted was posted; None: it was not."""
        for comment in await self._zendesk.latest_comments(survey.ticket_id):
            if self._text.is_in(comment, survey.survey_id):
                return comment.created_at
        return None

    async def _decide(self, solve: Solve) -> Outcome:
        ticket = await self._zendesk.ticket(solve.ticket_id)
        fresh = None if ticket is None else await self._fresh(ticket)
        decision = rules.decide(Facts(solve.solved_at, None, fresh), self._policy)
        if ticket is None or not decision.send:
            return self._not_sent(solve, decision, ticket)
        async with self._store.transaction() as tx:
            survey = await records.intend(tx, solve.ticket_id, solve.solved_at, ticket.requester_id)
        comment = NewComment(self._text.write(survey.survey_id), public=True)
        await self._zendesk.update_ticket(ticket.id, updated_stamp=ticket.updated_at, comment=comment)
        return self._sent(solve, survey, self._store.clock.now())

    async def _fresh(self, ticket: Ticket) -> FreshTicket:
        organization = None
        if ticket.organization_id is not None:
            organization = await self._organizations.get(ticket.organization_id)
        return FreshTicket(
            status=ticket.status,
            organization=organization.name if organization is not None else None,
            tags=frozenset(ticket.tags),
            satisfaction=ticket.score,
            last_solved_at=ticket.solved_at,
        )

    def _sent(self, solve: Solve, survey: Survey, sent_at: datetime) -> Outcome:
        decision = Decision(True, rules.SEND, "no rule objects")

        async def then(tx: Transaction) -> None:
            await records.record_decision(tx, solve.ticket_id, solve.solved_at, decision, solve.cause)
            await records.record_sent(tx, survey, sent_at, solve.cause)

        return Done({"survey_id": survey.survey_id}, then)

    def _surveyed_before(self, solve: Solve, survey: Survey, sent_at: datetime) -> Outcome:
        decision = rules.decide(Facts(solve.solved_at, sent_at, None), self._policy)

        async def then(tx: Transaction) -> None:
            await records.record_sent(tx, survey, sent_at, solve.cause)  # should its sender have died before
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
