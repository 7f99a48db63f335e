"""What an error means for a delivery, and when it is tried again: two tables."""

from datetime import timedelta

from supportops.delivery import Cancel, Discard, Done, Outcome, Snooze, TryAgain
from supportops.delivery.destination import SCHEDULE
from supportops.delivery.retry import BUG_WAIT, decide, plan
from supportops.delivery.signs import PAUSE
from supportops.errors import DestinationPaused, Permanent, Retryable, Undecodable, UnknownOutcome
from tests.support.for_each import for_each

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@for_each(
    "error, outcome",
    [
        (Retryable("503"), TryAgain(None, "503")),
        (Retryable("429", after=MINUTE), TryAgain(MINUTE, "429")),
        (UnknownOutcome("dropped"), TryAgain(None, "dropped", uncertain=True)),
        (UnknownOutcome("502", after=MINUTE), TryAgain(MINUTE, "502", uncertain=True)),
        (DestinationPaused("login"), Snooze(PAUSE, "login")),
        (DestinationPaused("quota", after=MINUTE), Snooze(MINUTE, "quota")),
        (Permanent("no such field"), Discard("no such field")),
        (Undecodable("not JSON"), Discard("not JSON")),
        (TimeoutError(), TryAgain(None, "no answer in time", uncertain=True)),
        (KeyError("a bug of ours"), TryAgain(BUG_WAIT, "KeyError: 'a bug of ours'", uncertain=True)),
    ],
)
def test_an_error_is_an_outcome(error: Exception, outcome: Outcome) -> None:
    assert decide(error) == outcome


@for_each(
    "outcome, attempts, planned",
    [
        (TryAgain(None, "503"), 1, TryAgain(SECOND, "503")),
        (TryAgain(None, "503"), 2, TryAgain(MINUTE, "503")),
        (TryAgain(None, "503"), 3, Discard("gave up after 3 attempts: 503")),
        (TryAgain(5 * MINUTE, "429"), 1, TryAgain(5 * MINUTE, "429")),
        (TryAgain(timedelta(0), "429"), 1, TryAgain(timedelta(0), "429")),
        (TryAgain(5 * MINUTE, "429"), 3, Discard("gave up after 3 attempts: 429")),
        (TryAgain(None, "?", uncertain=True), 1, TryAgain(SECOND, "?", uncertain=True)),
        (Snooze(MINUTE, "quota"), 99, Snooze(MINUTE, "quota")),
        (Snooze(None, "lost race"), 99, Snooze(SECOND, "lost race")),
        (Done({"id": 1}), 99, Done({"id": 1})),
        (Cancel("closed"), 99, Cancel("closed")),
        (Discard("400"), 1, Discard("400")),
    ],
)
def test_the_schedule_fills_in_the_wait_or_ends_it(outcome: Outcome, attempts: int, planned: Outcome) -> None:
    assert plan(outcome, attempts, (SECOND, MINUTE), jitter=0.0) == planned


def test_jitter_adds_up_to_a_quarter_and_never_to_a_wait_that_was_asked_for() -> None:
    assert plan(TryAgain(None, "503"), 2, (SECOND, MINUTE), jitter=1.0) == TryAgain(75 * SECOND, "503")
    assert plan(TryAgain(MINUTE, "429"), 2, (SECOND, MINUTE), jitter=1.0) == TryAgain(MINUTE, "429")


def test_a_snooze_waits_even_without_a_schedule() -> None:
    planned = plan(Snooze(None, "lost race"), 1, (), jitter=0.0)
    assert isinstance(planned, Snooze)
    assert planned.after == SECOND


def test_the_usual_schedule_gives_up_after_eight_attempts() -> None:
    outcomes = [plan(TryAgain(None, "503"), attempt, SCHEDULE, 0.0) for attempt in range(1, 9)]
    assert [type(outcome) for outcome in outcomes] == [TryAgain] * 7 + [Discard]
