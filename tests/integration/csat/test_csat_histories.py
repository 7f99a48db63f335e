"""Random histories against a simple model: solve, reopen, merge, duplicate, shuffle, die, vote, change, clock jumps,
events that never come and are found in the export.

Whatever happens in whatever order, csat and the model agree on who was asked, when, why not, and on the numbers.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, timedelta
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from csat import tables
from csat.kpi.aggregation import tally_batch
from csat.kpi.filters import View
from csat.kpi.measures import Counts
from csat.kpi.queries import totals
from csat.policy.csat import CsatPolicy
from csat.ratings.answer import Answer
from csat.ratings.catch_up import CatchUp
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.opt_out import opt_in, opt_out
from csat.survey_page.vote import vote
from csat.surveys.handlers import SurveyHandlers
from csat.surveys.repository import solve_key, survey_with_id
from csat.surveys.send import AskRequester
from csat.surveys.tag import tag_surveyed
from supportops.contracts import TicketEvent, TicketReopened, TicketSolved
from supportops.delivery import Delivery, Outcome
from supportops.delivery.attempt import call
from supportops.observability.metrics import Metrics
from tests.integration.csat.assertions import rows_of
from tests.support.csat_model import SURVEY_AFTER, Case, Fact, Model, Truth, Vote
from tests.support.csat_world import ORGANIZATIONS, ExportInMemory, ZendeskInMemory, requester_of
from tests.support.engine import ByHand
from tests.support.examples import examples
from tests.support.histories import HistoryWorld, databases_in_memory, play

LEASE = timedelta(minutes=1)  # and more: the clock may jump back a little
BORN = st.builds(
    Truth,
    organization=st.sampled_from([*ORGANIZATIONS.values(), None, "Acme", "Acme"]),
    tags=st.sampled_from([[], [], [], ["spam_ticket"], ["close_by_merge"]]).map(set),
    recipient=st.sampled_from(["help@example.com"] * 4 + ["mail-list@gitlab.com"]),
    is_follow_up=st.booleans(),
)
DAY = timedelta(days=1)
JUMPS = st.sampled_from([timedelta(hours=1), timedelta(hours=12), timedelta(seconds=-5)])
RULES = CsatPolicy(ticket_updates_per_minute=None)
LINK = re.compile(r"/s/([A-Za-z0-9_.-]+)")


class Parts:
    """csat's own parts, as a process builds them."""

    def __init__(self, world: "World", zendesk: ZendeskInMemory) -> None:
        self._store = world.store
        text = SurveyText("https://survey.example.com", world.tokens)
        self.clock = SurveyHandlers(SURVEY_AFTER)
        self.ask = AskRequester(world.store, zendesk, zendesk, text, RULES)
        self.tag = tag_surveyed(zendesk, RULES)
        handlers, export = self.clock.table(), ExportInMemory(zendesk)
        self.catch_up = CatchUp(world.store, export, zendesk.tickets, handlers, Metrics())
        self.asking, self.tagging = ByHand(world.store, self.ask.spec), ByHand(world.store, self.tag.spec)

    async def ask_all(self, deliveries: list[Delivery]) -> list[tuple[Delivery, Outcome]]:
        """What the courier does with surveys in hand."""
        answers = await call(self.ask, deliveries) if deliveries else []
        return list(zip(deliveries, (each.outcome for each in answers), strict=True))

    async def tag_tickets(self) -> None:
        tagging = await self.tagging.claim()
        if tagging:
            answers = await call(self.tag, tagging)
            await self.tagging.complete(*zip(tagging, (each.outcome for each in answers), strict=True))

    async def counted(self) -> Counts:
        """The numbers of all days."""
        while await tally_batch(self._store, UTC, 2):
            pass
        async with self._store.reading() as conn:
            return await totals(conn, View(date(2026, 1, 1), date(2028, 1, 1)))


class World(HistoryWorld):
    """A csat without broker and loops: a database, a clock, Zendesk in memory, everything driven by hand."""

    def __init__(self, url: str) -> None:
        super().__init__(url, tables.metadata)
        self.tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=3650), self.clock)


class Histories(RuleBasedStateMachine):
    """Zendesk's people, csat and the model take the same steps."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        world.run(world.forget())
        self.zendesk = ZendeskInMemory(world.clock)
        self.model = Model()
        self.restart()
        world.run(self.parts.catch_up.look())  # the first one: from now on

    @initialize(born=st.lists(BORN, min_size=1, max_size=3))
    def begin_with_solved_tickets(self, born: list[Truth]) -> None:
        """Else most histories are about nothing."""
        for truth in born:
            self.zendesk.solve(self.open(truth))
        self.hear(list(self.zendesk.wire))

    def open(self, truth: Truth) -> str:
        ticket_id = self.zendesk.open(truth)
        self.model.cases[ticket_id] = Case(truth)
        return ticket_id

    # --- people in Zendesk ---

    @precondition(lambda self: len(self.model.cases) < 5)
    @rule(truth=BORN)
    def a_ticket_is_opened_and_solved(self, truth: Truth) -> None:
        self.zendesk.solve(self.open(truth))

    @rule(data=st.data())
    def a_ticket_is_solved_or_reopened(self, data: st.DataObject) -> None:
        ticket_id = self.one_of(data, "open", "solved")
        if ticket_id is None:
            return
        if self.zendesk.truths[ticket_id].status == "open":
            self.zendesk.solve(ticket_id)
        else:
            self.zendesk.reopen(ticket_id)

    @rule(data=st.data())
    def a_ticket_is_reopened_and_solved_again(self, data: st.DataObject) -> None:
        if (ticket_id := self.one_of(data, "solved")) is not None:
            self.zendesk.reopen(ticket_id)
            self.zendesk.solve(ticket_id)

    @rule(data=st.data(), what=st.sampled_from(["merge", "close", "delete", "move in", "move out", "tag"]))
    def something_else_happens_to_a_ticket(self, data: st.DataObject, what: str) -> None:
        ticket_id = self.one_of(data, "solved")
        if ticket_id is None:
            return
        match what:
            case "merge":
                self.zendesk.merge(ticket_id)
            case "close":
                self.zendesk.end(ticket_id, "closed")
            case "delete":
                self.zendesk.end(ticket_id, "deleted")
            case "move in":
                self.zendesk.move(ticket_id, "GitLab")
            case "move out":
                self.zendesk.move(ticket_id, "Acme")
            case _:
                self.zendesk.tag(ticket_id, "spam_ticket")

    def one_of(self, data: st.DataObject, *statuses: str) -> str | None:
        found = [key for key, truth in self.zendesk.truths.items() if truth.status in statuses]
        return data.draw(st.sampled_from(found), label="ticket") if found else None

    # --- what reaches csat ---

    @precondition(lambda self: self.zendesk.wire)
    @rule(data=st.data())
    def some_events_arrive(self, data: st.DataObject) -> None:
        """In any order, again, or for the first time long after the others."""
        self.hear(data.draw(st.lists(st.sampled_from(self.zendesk.wire), min_size=1, max_size=5)))

    @rule()
    def all_events_arrive(self) -> None:
        self.hear(list(self.zendesk.wire))

    def hear(self, events: list[TicketEvent]) -> None:
        self.world.run(self._hear(events))
        for event in events:
            case = self.model.cases[event.ticket_id]
            if isinstance(event, TicketSolved):
                case.heard.add(Fact(event.time, event.solved_at))
            elif isinstance(event, TicketReopened):
                case.heard.add(Fact(event.time, None))

    async def _hear(self, events: list[TicketEvent]) -> None:
        async with self.world.store.transaction() as tx:
            await self.parts.clock.table().run([*events], tx)

    # --- what csat does ---

    @rule()
    def csat_works(self) -> None:
        self.work(lambda _: "ends")

    @rule()
    def csat_looks_for_what_it_did_not_hear(self) -> None:
        self.world.run(self.parts.catch_up.look())
        self.model.catch_up()

    @rule(by=st.sampled_from([DAY, DAY, DAY, 9 * DAY]))
    def csat_works_a_day_later(self, by: timedelta) -> None:
        self.world.clock.advance(by)
        self.csat_works()

    @rule(data=st.data())
    def csat_dies_at_work(self, data: st.DataObject) -> None:
        """Before its call, or after it and before it is written down; a successor comes when the lease is over."""
        ways = st.sampled_from(["ends", "dies before", "dies after"])
        self.world.clock.advance(DAY)
        self.work(lambda key: data.draw(ways, label=key))
        self.restart()
        self.world.clock.advance(LEASE)

    @rule()
    def restart(self) -> None:
        """Nothing is remembered but what the database holds."""
        self.parts = Parts(self.world, self.zendesk)

    def work(self, way: Callable[[str], str]) -> None:
        """Whatever is due is claimed and asked, as the model says."""
        now = self.world.clock.now()
        due = self.model.due(now)
        taken = self.world.run(self.parts.asking.claim())
        assert {each.key for each in taken} == {solve_key(key, solve) for key, solve in due.items()}
        ends = {each.key: way(each.key) for each in sorted(taken, key=lambda each: each.key)}
        for lived in ("ends", "dies after"):
            batch = [each for each in taken if ends[each.key] == lived]
            told = self.world.run(self.parts.ask_all(batch))
            for delivery in batch:
                self.model.ask(delivery.lane, due[delivery.lane], now, written=lived == "ends")
            if lived == "ends":
                self.world.run(self.parts.asking.complete(*told))
        self.world.run(self.parts.tag_tickets())

    # --- the customer ---

    @rule(
        data=st.data(),
        score=st.sampled_from(["good", "bad"]),
        comment=st.sampled_from([None, "Thanks", "Hm"]),
    )
    def somebody_votes(self, data: st.DataObject, score: str, comment: str | None) -> None:
        asked = [key for key, case in self.model.cases.items() if case.posted is not None]
        if not asked:
            return
        ticket_id = data.draw(st.sampled_from(asked), label="ticket")
        case = self.model.cases[ticket_id]
        reason = data.draw(st.sampled_from([None, "Some other reason"])) if score == "bad" else None
        self.world.run(self._vote(ticket_id, Answer(cast(Any, score), comment, reason)))
        case.recorded = True
        if case.answer is None or case.answer.at <= self.world.clock.now():
            case.answer = Vote(score, comment, reason, self.world.clock.now())

    async def _vote(self, ticket_id: str, answer: Answer) -> None:
        """By the link in the comment, as a customer finds it."""
        link = LINK.findall(self.zendesk.comments[ticket_id][0].body)[0]
        named = self.world.tokens.read(link)
        async with self.world.store.reading() as conn:
            survey = await survey_with_id(conn, named.survey_id)
        assert survey is not None
        async with self.world.store.transaction() as tx:
            await vote(tx, survey, answer)

    @rule(data=st.data(), stop=st.booleans())
    def somebody_does_not_want_to_be_asked(self, data: st.DataObject, stop: bool) -> None:
        ticket_id = data.draw(st.sampled_from(sorted(self.model.cases)), label="ticket")
        self.world.run(self._wish(requester_of(ticket_id), stop))
        self.model.cases[ticket_id].opted_out = stop

    async def _wish(self, requester_id: str, stop: bool) -> None:
        async with self.world.store.transaction() as tx:
            await (opt_out if stop else opt_in)(tx, requester_id)

    @rule(by=JUMPS)
    def time_passes(self, by: timedelta) -> None:
        self.world.clock.advance(by)

    # --- what must hold after every step ---

    @invariant()
    def nobody_was_asked_twice(self) -> None:
        for ticket_id, case in self.model.cases.items():
            asked = [each for each in self.zendesk.comments[ticket_id] if "/s/" in each.body]
            assert len(asked) == (case.posted is not None), ticket_id

    @invariant()
    def who_was_asked_and_why_not(self) -> None:
        decided = self.world.run(rows_of(self.world.store, tables.decisions))
        told = {(row.ticket_id, row.solved_at): row.rule for row in decided}
        assert told == {
            (key, solve): rule_
            for key, case in self.model.cases.items()
            for solve, rule_ in case.decided.items()
        }
        surveys = self.world.run(rows_of(self.world.store, tables.surveys))
        sent = {row.ticket_id: (row.solved_at, row.sent_at is not None) for row in surveys}
        asked = {k: (case.posted[0], case.recorded) for k, case in self.model.cases.items() if case.posted}
        assert {key: sent[key] for key in asked} == asked
        assert not any(known for key, (_, known) in sent.items() if key not in asked)

    @invariant()
    def the_answers_that_count(self) -> None:
        rows = self.world.run(rows_of(self.world.store, tables.ratings))
        assert {row.ticket_id: (row.score, row.comment, row.reason) for row in rows} == {
            key: (case.answer.score, case.answer.comment, case.answer.reason)
            for key, case in self.model.cases.items()
            if case.answer is not None
        }

    @rule()
    def the_numbers_are_right(self) -> None:
        counts = self.world.run(self.parts.counted())
        found = (counts.solved, counts.decided, counts.asked, counts.good, counts.bad)
        assert found == self.model.counts()

    def teardown(self) -> None:
        """In the end everything is heard, due and done."""
        self.all_events_arrive()
        self.world.clock.advance(timedelta(days=1, minutes=1))
        self.csat_works()
        self.who_was_asked_and_why_not()
        self.the_numbers_are_right()


@pytest.fixture
def world(dialect: str, request: pytest.FixtureRequest) -> Iterator[World]:
    with databases_in_memory() as in_memory:
        world = World(
            in_memory.new("csat") if dialect == "sqlite" else request.getfixturevalue("csat_database")
        )
        yield world
        world.close()


@pytest.fixture
def csat_database(new_database: Callable[[str], str]) -> str:
    return new_database("csat")


EXAMPLES = {"sqlite": examples(60), "postgres": examples(10)}


@pytest.mark.timeout(300)
def test_csat_does_what_the_handbook_says(world: World, dialect: str) -> None:
    play(lambda: Histories(world), number=EXAMPLES[dialect], steps=30)
