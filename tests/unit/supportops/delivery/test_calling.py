"""One call to a destination: who is asked first, who is sent, and what an error at each step means."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Snooze, TryAgain
from supportops.delivery.attempt import NOT_STARTED, Ended, call
from supportops.delivery.retry import BUG_WAIT
from supportops.delivery.signs import Sign, Signal
from supportops.errors import DestinationAway, DestinationPaused, Permanent, Retryable
from tests.support.engine import MONDAY, FakeDestination
from tests.support.for_each import for_each

MINUTE = timedelta(minutes=1)
SPEC = DestinationSpec("slack", batch=9, timeout=timedelta(milliseconds=20))
SURE = Delivery("id-a", "slack", "lane", "a", 1, {}, 1, MONDAY, MONDAY, MONDAY, False, "token")
DOUBT = replace(SURE, id="id-b", key="b", uncertain=True)


def outcomes(answers: Sequence[Ended]) -> list[Outcome]:
    return [each.outcome for each in answers]


def signs(answers: Sequence[Ended]) -> list[Sign]:
    return [each.signal.sign for each in answers]


class Mixed(FakeDestination):
    """Some rows of a batch fail, others do not."""

    def __init__(self, spec: DestinationSpec, told: Sequence[Outcome | BaseException]) -> None:
        super().__init__(spec)
        self.told = told

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Any]:
        return self.told[: len(deliveries)]


async def test_who_is_certain_is_sent_without_asking() -> None:
    slack = FakeDestination(SPEC, answer=lambda delivery: Done({"key": delivery.key}))
    answers = await call(slack, [SURE])
    assert outcomes(answers) == [Done({"key": "a"})]
    assert (slack.asked, slack.keys, signs(answers)) == ([], ["a"], [Sign.ALIVE])


async def test_what_happened_already_is_not_sent_again_and_its_neighbours_are() -> None:
    slack = FakeDestination(SPEC, answer=lambda _: Done({"sent": 1}), ask=lambda _: Done({"found": 1}))
    answers = await call(slack, [DOUBT, SURE])
    assert outcomes(answers) == [Done({"found": 1}), Done({"sent": 1})]
    assert (slack.asked, slack.keys) == (["b"], ["a"])


async def test_what_did_not_happen_is_sent() -> None:
    slack = FakeDestination(SPEC)
    await call(slack, [DOUBT])
    assert (slack.asked, slack.keys) == (["b"], ["b"])


@for_each(
    "error, outcome",
    [
        (Retryable("503"), TryAgain(None, "503", uncertain=True)),
        (KeyError("bug"), TryAgain(BUG_WAIT, "KeyError: 'bug'", uncertain=True)),
        (Permanent("no access"), Discard("no access")),
    ],
)
async def test_who_cannot_be_asked_about_stays_in_doubt_and_is_not_sent(
    error: Exception, outcome: Outcome
) -> None:
    slack = FakeDestination(SPEC, ask=raising(error))
    answers = await call(slack, [SURE, DOUBT])
    assert outcomes(answers) == [Done(), outcome]
    assert slack.keys == ["a"]


async def test_a_pause_heard_while_asking_keeps_everyone_and_every_doubt() -> None:
    slack = FakeDestination(SPEC, ask=raising(DestinationPaused("quota", MINUTE)))
    answers = await call(slack, [SURE, DOUBT])
    assert answers[1].signal == Signal(Sign.PAUSE, MINUTE)
    assert outcomes(answers) == [NOT_STARTED, Snooze(MINUTE, "quota", uncertain=True)]
    assert slack.keys == []


async def test_nobody_is_called_after_one_has_found_that_no_one_is_there() -> None:
    slack = FakeDestination(SPEC, ask=raising(DestinationAway("no token", MINUTE)))
    answers = await call(slack, [SURE, DOUBT])
    assert answers[1].signal == Signal(Sign.AWAY, MINUTE)
    assert outcomes(answers) == [NOT_STARTED, Snooze(MINUTE, "no token", uncertain=True)]
    assert slack.keys == []


async def test_a_pause_heard_while_sending_pauses_the_destination() -> None:
    slack = FakeDestination(SPEC, answer=raising(DestinationPaused("login")))
    answers = await call(slack, [SURE])
    assert answers[0].signal == Signal(Sign.PAUSE, MINUTE)
    assert outcomes(answers) == [Snooze(MINUTE, "login")]


async def test_an_error_while_sending_stands_for_all_that_were_sent() -> None:
    slack = FakeDestination(SPEC, answer=raising(Retryable("503")), ask=lambda _: Cancel("found"))
    answers = await call(slack, [SURE, DOUBT, replace(SURE, id="id-c")])
    assert outcomes(answers) == [TryAgain(None, "503"), Cancel("found"), TryAgain(None, "503")]


async def test_an_error_in_the_place_of_an_outcome_stands_for_that_row_alone() -> None:
    slack = Mixed(SPEC, [Done({"sent": 1}), Retryable("503"), DestinationPaused("quota", MINUTE)])
    rows = [replace(SURE, id=name, key=name) for name in ("a", "b", "c")]
    answers = await call(slack, rows)
    assert outcomes(answers) == [
        Done({"sent": 1}),
        TryAgain(None, "503"),
        Snooze(MINUTE, "quota"),
    ]
    assert signs(answers) == [Sign.ALIVE, Sign.OUTAGE, Sign.PAUSE]


async def test_no_answer_in_time_is_an_unknown_outcome() -> None:
    async def hang(_delivery: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Done()

    answers = await call(FakeDestination(SPEC, answer=hang), [SURE])
    assert outcomes(answers) == [TryAgain(None, "no answer in time", uncertain=True)]


async def test_a_wrong_number_of_outcomes_is_a_bug_and_leaves_all_in_doubt() -> None:
    class Miscounts(FakeDestination):
        async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
            return [Done()]

    answers = await call(Miscounts(SPEC), [SURE, replace(SURE, id="id-c")])
    assert (
        outcomes(answers)
        == [TryAgain(BUG_WAIT, "ValueError: 1 outcomes for 2 deliveries", uncertain=True)] * 2
    )


async def test_nothing_to_call_is_no_call() -> None:
    slack = FakeDestination(SPEC)
    assert outcomes(await call(slack, [])) == []
    assert slack.calls == []


def raising(error: Exception) -> "Raises":
    return Raises(error)


class Raises:
    """Answers with an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, _delivery: Delivery) -> Outcome:
        raise self.error
