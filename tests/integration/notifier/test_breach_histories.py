"""Random histories of SLA targets: set, moved, paused, fulfilled, withdrawn, lost hints, kills, jumps, Slack away.

Whatever happens in whatever order, the notifier and a simple model agree on who was told, when, once, and who must
not be (tests/support/breach_model.py).
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from notifier import tables
from notifier.breaches.render import GIVE_BACK, TAKE
from notifier.breaches.targets import key_of
from notifier.posting.silences import BELIEVED, About
from tests.integration.notifier.breach_histories import LEASE, Notifier
from tests.support.breach_account import METRICS, SlackInMemory, ZendeskInMemory, event_of
from tests.support.breach_model import LEADS, Aim, Case, Model, Said, Truth
from tests.support.examples import examples
from tests.support.histories import HistoryWorld, databases_in_memory, play

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
RECONCILED = timedelta(minutes=9)
COARSE = timedelta(minutes=5)
METRIC = st.sampled_from(METRICS)
AHEAD = st.sampled_from([20, 45, 61, 121, 125, 150, 240, -10, 5, 90]).map(lambda n: n * MINUTE)
SOON = st.sampled_from(sorted(LEADS.values()))  # the lead of a step that falls due in a moment
HINT = st.sampled_from([None, timedelta(seconds=3), timedelta(seconds=3), 40 * SECOND, 9 * MINUTE])
A_WHILE = st.sampled_from([1, 5, 20, 31, 61, 95, 130]).map(lambda n: n * MINUTE)
BORN = st.builds(
    Truth,
    plan=st.sampled_from(["premium", "premium", "starter"]),
    priority=st.sampled_from(["normal", "normal", "urgent"]),
    organization=st.sampled_from([None, "31", "32"]),
)


class Histories(RuleBasedStateMachine):
    """Zendesk's people, the notifier and the model take the same steps."""

    def __init__(self, world: HistoryWorld) -> None:
        super().__init__()
        self.world = world
        world.run(world.forget())
        self.model = Model(world.clock.now())
        self.zendesk = ZendeskInMemory(world.clock, self.model)
        self.slack = SlackInMemory(world.clock, self.hear_slack)
        self.hints: list[tuple[datetime, str, str, Truth]] = []
        self.number = 0
        self.stale = False  # a look without a hint could find something
        self.minute = world.clock.now()
        self.start()

    # --- Zendesk's people ---

    @initialize(born=st.lists(st.tuples(BORN, AHEAD), min_size=1, max_size=2))
    def begin_with_tickets(self, born: list[tuple[Truth, timedelta]]) -> None:
        """Else most histories are about nothing."""
        for truth, ahead in born:
            self.open(truth, ahead)
        self.pass_time(MINUTE)

    @precondition(lambda self: len(self.model.cases) < 2)
    @rule(truth=BORN, ahead=AHEAD)
    def a_ticket_is_opened(self, truth: Truth, ahead: timedelta) -> None:
        self.open(truth, ahead)
        self.pass_time(MINUTE)

    def open(self, truth: Truth, ahead: timedelta) -> None:
        """A new ticket; of its first event the reconciler makes sure, so that this hint is never lost."""
        ticket_id = str(100 + len(self.model.cases))
        truth = truth.with_aim(METRICS[0], Aim("active", self.moment(ahead)))
        self.model.cases[ticket_id] = Case([(self.world.clock.now(), truth)])
        self.tell("created", ticket_id, 3 * SECOND)

    @rule(data=st.data(), metric=METRIC, ahead=AHEAD, hint=HINT, then=A_WHILE)
    def a_target_is_set_or_moved(
        self, data: st.DataObject, metric: str, ahead: timedelta, hint: timedelta | None, then: timedelta
    ) -> None:
        self.aim(data, metric, Aim("active", self.moment(ahead)), hint)
        self.pass_time(then)

    @rule(data=st.data(), lead=SOON, trouble=st.sampled_from(["lost", "before", "after", "away", "busy"]))
    def a_notice_falls_due_in_trouble(self, data: st.DataObject, lead: timedelta, trouble: str) -> None:
        """Its answer is lost, its process dies, or Slack is not there for some minutes."""
        self.due_in_a_minute(data, lead)
        if trouble == "lost":
            self.slack.loses = 1
        elif trouble in ("away", "busy"):
            self.set_slack(trouble)
        else:
            self.notifier.dies = trouble
        self.pass_time(3 * MINUTE)
        self.slack.loses, self.notifier.dies = 0, None
        self.set_slack("up")
        self.pass_time(9 * MINUTE)

    @rule(
        data=st.data(),
        lead=SOON,
        what=st.sampled_from(
            [{"status": "pending"}, {"plan": "starter"}, {"priority": "urgent"}, {"gone": True}]
        ),
        before=st.sampled_from([1, 2, 6]),
    )
    def something_changes_in_the_last_seconds(
        self, data: st.DataObject, lead: timedelta, what: dict[str, Any], before: int
    ) -> None:
        """Heard of at once, and read by nobody before the notice is due."""
        ticket_id, truth = self.due_in_a_minute(data, lead)
        self.pass_time(MINUTE - before * SECOND)
        self.change("changed", ticket_id, replace(truth, **what), timedelta(milliseconds=500))
        self.pass_time(9 * MINUTE)

    @rule(data=st.data(), lead=SOON, about=st.sampled_from(["rule", "ticket", "organization"]), lasts=A_WHILE)
    def a_notice_falls_due_in_a_silence(
        self, data: st.DataObject, lead: timedelta, about: About, lasts: timedelta
    ) -> None:
        ticket_id, truth = self.due_in_a_minute(data, lead)
        value = {"rule": truth.rule(), "ticket": ticket_id, "organization": truth.organization}[about]
        if value is not None:
            self.silence(about, value, lasts)
        self.pass_time(lasts + MINUTE)

    def due_in_a_minute(self, data: st.DataObject, lead: timedelta) -> tuple[str, Truth]:
        ticket_id, truth = self.one_of(data)
        truth = truth.with_aim(METRICS[0], Aim("active", self.moment(lead + MINUTE)))
        self.change("sla", ticket_id, truth, 3 * SECOND)
        return ticket_id, self.model.cases[ticket_id].truth

    @rule(
        data=st.data(),
        metric=METRIC,
        to=st.sampled_from(["paused", "active", "achieved", "withdrawn", "paused", "active"]),
        hint=HINT,
        then=A_WHILE,
    )
    def a_target_pauses_runs_again_or_ends(
        self, data: st.DataObject, metric: str, to: str, hint: timedelta | None, then: timedelta
    ) -> None:
        _, truth = self.one_of(data)
        known = dict(truth.aims).get(metric)
        if known is not None:
            self.aim(data, metric, None if to == "withdrawn" else replace(known, stage=to), hint)
        self.pass_time(then)

    def aim(self, data: st.DataObject, metric: str, aim: Aim | None, hint: timedelta | None) -> None:
        ticket_id, truth = self.one_of(data)
        self.change("sla", ticket_id, truth.with_aim(metric, aim), hint)

    @rule(
        data=st.data(),
        what=st.sampled_from(
            [
                {"priority": "urgent"},
                {"priority": "normal"},
                {"plan": "starter"},
                {"plan": "premium"},
                {"status": "pending"},
                {"status": "open"},
                {"status": "open"},
                {"status": "solved"},
            ]
        ),
        hint=HINT,
        then=A_WHILE,
    )
    def a_ticket_changes(
        self, data: st.DataObject, what: dict[str, Any], hint: timedelta | None, then: timedelta
    ) -> None:
        ticket_id, truth = self.one_of(data)
        kind = "solved" if what.get("status") == "solved" else "changed"
        self.change(kind, ticket_id, replace(truth, **what), hint)
        self.pass_time(then)

    @rule(data=st.data(), hint=HINT, then=A_WHILE)
    def an_agent_replies(self, data: st.DataObject, hint: timedelta | None, then: timedelta) -> None:
        ticket_id, truth = self.one_of(data)
        first = dict(truth.aims).get(METRICS[0])
        answered = truth.with_aim(METRICS[0], replace(first, stage="achieved") if first else None)
        self.change("replied", ticket_id, answered, hint)
        self.pass_time(then)

    @rule(data=st.data(), hint=HINT, then=A_WHILE, deleted=st.booleans())
    def a_ticket_is_merged_or_deleted(
        self, data: st.DataObject, hint: timedelta | None, then: timedelta, deleted: bool
    ) -> None:
        ticket_id, truth = self.one_of(data)
        gone = replace(truth, gone=True) if deleted else replace(truth, status="closed", aims=())
        self.change("merged", ticket_id, gone, hint)
        self.pass_time(then)

    def one_of(self, data: st.DataObject) -> tuple[str, Truth]:
        ticket_id = data.draw(st.sampled_from(sorted(self.model.cases)), label="ticket")
        return ticket_id, self.model.cases[ticket_id].truth

    def change(self, kind: str, ticket_id: str, truth: Truth, hint: timedelta | None) -> None:
        self.world.clock.advance(timedelta(milliseconds=1))
        case, now = self.model.cases[ticket_id], self.world.clock.now()
        if truth == case.truth:
            return
        if hint is None and case.truth.is_over:  # no poll looks at it, but the reconciler sees it open again
            hint = RECONCILED
            self.model.disturbed_now(now + RECONCILED)
        if kind == "replied":  # who has taken a target on is free of it
            self.model.free(ticket_id)
        case.truths.append((now, truth))
        self.stale = True
        if hint is not None:
            self.tell(kind, ticket_id, hint)

    def tell(self, kind: str, ticket_id: str, after: timedelta) -> None:
        now = self.world.clock.now()
        self.hints.append((now + after, kind, ticket_id, self.model.cases[ticket_id].truth))

    def moment(self, ahead: timedelta) -> datetime:
        return (self.world.clock.now() + ahead).replace(microsecond=0)

    # --- people in Slack ---

    @rule(data=st.data(), button=st.sampled_from([TAKE, TAKE, GIVE_BACK]), then=A_WHILE)
    def somebody_presses_a_button(self, data: st.DataObject, button: str, then: timedelta) -> None:
        shown = sorted({each.target for each in self.model.said if each.road != "webhook"})
        if shown:
            target = data.draw(st.sampled_from(shown), label="target")
            self.number += 1
            self.world.run(self.notifier.press(button, key_of(*target), "U0ADA", self.number))
            self.model.taken_now(target, self.world.run(self.notifier.taken_until(key_of(*target))))
            self.stale = True
        self.pass_time(then)

    @rule(
        data=st.data(), about=st.sampled_from(["rule", "ticket", "organization"]), lasts=A_WHILE, then=A_WHILE
    )
    def somebody_wants_quiet(
        self, data: st.DataObject, about: About, lasts: timedelta, then: timedelta
    ) -> None:
        values = {
            "rule": ["premium", "urgent"],
            "ticket": sorted(self.model.cases),
            "organization": ["31", "32"],
        }
        self.silence(about, data.draw(st.sampled_from(values[about]), label=about), lasts)
        self.pass_time(then)

    def silence(self, about: About, value: str, lasts: timedelta) -> None:
        self.number += 1
        until = self.world.clock.now() + lasts
        self.world.run(self.notifier.silence(about, value, until, self.number))
        self.world.clock.advance(BELIEVED)
        self.model.silent_until[about, value] = max(until, self.model.silent_until.get((about, value), until))
        self.model.disturbed_now(self.world.clock.now())

    # --- Slack, the machine and its clock ---

    @rule(state=st.sampled_from(["away", "busy", "up", "up"]), then=A_WHILE)
    def slack_goes_and_comes(self, state: str, then: timedelta) -> None:
        self.set_slack(state)
        self.pass_time(then)

    def set_slack(self, state: str) -> None:
        was, self.slack.state = self.slack.state, state
        self.model.slack_up = state == "up"
        if was != state:
            self.model.slack_since = self.world.clock.now()

    @rule()
    def the_process_is_restarted(self) -> None:
        """Nothing is remembered but what the database holds."""
        self.start()

    @rule(by=st.sampled_from([-5 * SECOND, -MINUTE, 10 * MINUTE, 125 * MINUTE]))
    def the_clock_jumps(self, by: timedelta) -> None:
        """It was set, or we were asleep: nothing happened meanwhile. Set back, we may be late by as much."""
        self.world.clock.advance(by)
        self.model.disturbed_now(self.world.clock.now() + abs(min(by, timedelta())))
        self.pass_time(MINUTE)

    @rule(then=A_WHILE)
    def time_passes(self, then: timedelta) -> None:
        self.pass_time(then)

    # --- the notifier ---

    def start(self) -> None:
        self.notifier = self.world.run(Notifier(self.world, self.model, self.zendesk, self.slack).open())

    def hear_slack(self, said: Said) -> None:
        self.model.hear_of(said)
        if self.slack.loses or self.notifier.dies == "after":
            self.model.doubtful.add((*said.target, said.step))

    def pass_time(self, by: timedelta) -> None:
        """Hints arrive, readings and notices fall due: each at its moment."""
        until = self.world.clock.now() + by
        while True:
            self.hints.sort(key=lambda hint: hint[0])
            self.hear_hints()
            self.work()
            now = self.world.clock.now()
            self.model.now = now
            self.model.nobody_waits()
            if now >= until:
                return
            self.world.clock.advance(max(timedelta(), self.next_moment(until) - now))

    def next_moment(self, until: datetime) -> datetime:
        """Where Slack is not there, nothing has its moment: the hours pass in larger steps."""
        moments = [until, self.world.run(self.notifier.next_moment()) or until]
        if self.hints:
            moments.append(self.hints[0][0])
        if self.stale or not self.model.slack_up:
            moments.append(self.minute + MINUTE)
        least = self.world.clock.now() + (timedelta() if self.model.slack_up else COARSE)
        return min(until, max(least, min(moments)))

    def hear_hints(self) -> None:
        now = self.world.clock.now()
        heard = [each for each in self.hints if each[0] <= now]
        self.hints = [each for each in self.hints if each[0] > now]
        events = []
        for _, kind, ticket_id, truth in heard:
            self.number += 1
            events.append(event_of(kind, ticket_id, truth, now, self.number))
            self.model.cases[ticket_id].heard_at = now
        if events:
            self.world.run(self.notifier.hear(events))

    def work(self) -> None:
        now = self.world.clock.now()
        if now >= self.minute + MINUTE:
            self.minute, self.stale = now, False
            self.world.run(self.notifier.look())
        elif now < self.minute:
            self.minute = now
        if not self.world.run(self.notifier.work()):
            self.model.disturbed_now(self.world.clock.now() + LEASE)
            self.start()

    def teardown(self) -> None:
        """In the end Slack is there, and whoever is to be told is told."""
        self.slack.state, self.model.slack_up, self.notifier.dies = "up", True, None
        self.model.slack_since = self.world.clock.now()
        self.stale = True
        self.pass_time(15 * MINUTE)


@pytest.fixture
def world() -> Iterator[HistoryWorld]:
    with databases_in_memory() as in_memory:
        world = HistoryWorld(in_memory.new("notifier"), tables.metadata)
        yield world
        world.close()


@pytest.mark.timeout(300)
def test_whoever_is_to_be_told_is_told_once_and_nobody_else(world: HistoryWorld) -> None:
    play(lambda: Histories(world), number=examples(48), steps=8)
