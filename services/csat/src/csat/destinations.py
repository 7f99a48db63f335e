"""What csat does in Zendesk: asks a requester at the due moment, and tags the ticket afterwards.

The comment and the tag are two deliveries, so that a crash between them repeats neither. Before the comment is posted
the survey is written down (`records.intend`): whoever comes next, for whatever reason, asks Zendesk first whether the
comment is there. It is posted as a safe update, so of two late calls only one can succeed.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from csat import lifecycle, records, rules, tables
from csat.handlers import SurveyClock, state_of
from csat.records import SURVEY, Survey
from csat.rules import Decision, Facts, FreshTicket
from csat.settings import CsatRules
from csat.tokens import SurveyTokens
from supportops.errors import DestinationPaused, Retryable, UnknownOutcome
from supportops.http import Conflict, NotFound
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.vendors.zendesk import Comment, NewComment, Organization, Refused, Ticket
from supportops.versions import version_of
from supportops.workers import Budget, Delivery, DestinationSpec, Done, Moot, Outcome, Rate

log = get_logger("csat.destinations")

TRIES = 3  # of one attempt, while the ticket changes under our hands
_TEXTS = Environment(
    loader=PackageLoader("csat"), autoescape=select_autoescape(("html",)), undefined=StrictUndefined
)


class Helpdesk(Protocol):
    """The part of Zendesk that csat needs; `supportops.vendors.zendesk.Zendesk` is one."""

    async def ticket(self, ticket_id: str) -> Ticket | None: ...
    async def latest_comments(self, ticket_id: str) -> list[Comment]: ...
    async def update_ticket(
        self, ticket_id: str, *, updated_stamp: datetime, comment: NewComment | None = None
    ) -> Ticket: ...
    async def add_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> tuple[str, ...]: ...


class Organizations(Protocol):
    """Organizations by id, with a lifetime (design §5)."""

    async def get(self, key: str) -> Organization | None: ...


class SurveyText:
    """The comment that asks, and its recognition on a ticket."""

    def __init__(self, base_url: str, tokens: SurveyTokens) -> None:
        self._base_url = base_url
        self._tokens = tokens

    def write(self, survey_id: str) -> str:
        """The comment for a survey, with freshly signed links."""
        link = f"{self._base_url}/s/{self._tokens.issue(survey_id)}"
        return _TEXTS.get_template("survey_comment.txt").render(link=link)

    def is_in(self, comment: Comment, survey_id: str) -> bool:
        """Whether the comment holds a link to this survey."""
        return self._tokens.is_in(comment.body, survey_id)


@dataclass(frozen=True)
class Solve:
    """What the delivery is about: a solve of a ticket, and the event that told us."""

    ticket_id: str
    solved_at: datetime
    cause: str | None

    @classmethod
    def of(cls, delivery: Delivery) -> "Solve":
        payload = delivery.payload
        return cls(payload["ticket_id"], datetime.fromisoformat(payload["solved_at"]), payload.get("cause"))


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


class TagTicket:
    """Adds the tag that tells people that the ticket was surveyed. It decides nothing; our table does."""

    def __init__(self, zendesk: Helpdesk, policy: CsatRules) -> None:
        self.spec = DestinationSpec(records.SURVEY_TAG, budget=updates_budget(policy))
        self._zendesk = zendesk
        self._tag = policy.sent_tag

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """The ticket carries the tag, or cannot any more."""
        return [await self._tag_ticket(delivery.payload) for delivery in deliveries]

    async def did_it_happen(self, _delivery: Delivery) -> Outcome | None:
        """Adding a tag twice does no harm: just do it."""
        return None

    async def _tag_ticket(self, payload: Mapping[str, str]) -> Outcome:
        try:
            return await while_it_moves(lambda: self._add(payload["ticket_id"]), Conflict)
        except NotFound:
            return Moot("the ticket is gone")
        except Refused as error:
            if error.closed:
                return Moot("the ticket is closed: its tags cannot be changed any more")
            raise

    async def _add(self, ticket_id: str) -> Outcome:
        ticket = await self._zendesk.ticket(ticket_id)
        if ticket is None:
            return Moot("the ticket is gone")
        if self._tag not in ticket.tags:
            await self._zendesk.add_tags(ticket_id, [self._tag], updated_stamp=ticket.updated_at)
        return Done(then=lambda tx: records.record_tagged(tx, ticket_id))


def updates_budget(policy: CsatRules) -> Budget | None:
    """The account's limit of ticket updates, shared by all that csat writes (zendesk.md 4.1); None: lifted."""
    if policy.ticket_updates_per_minute is None:
        return None
    return Budget("zendesk.ticket_updates", Rate(policy.ticket_updates_per_minute, timedelta(minutes=1)))


async def while_it_moves(once: Callable[[], Awaitable[Outcome]], *moved: type[Exception]) -> Outcome:
    """Read and decide again, a few times, while the ticket changes between our reading and our writing."""
    for attempt in range(1, TRIES):
        try:
            with quota_pauses_all():
                return await once()
        except moved as error:
            log.info("ticket.moved", attempt=attempt, error=str(error))
    with quota_pauses_all():
        return await once()


@contextmanager
def quota_pauses_all() -> Iterator[None]:
    """A wait that Zendesk (or our share of its calls) asks for is everybody's, and nobody's failed attempt."""
    try:
        yield
    except (Conflict, UnknownOutcome, DestinationPaused):
        raise
    except Retryable as error:
        if error.after is None:
            raise
        raise DestinationPaused(str(error), error.after) from error
