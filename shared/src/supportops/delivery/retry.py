"""What to do about an error: a pure function, so that its test is a table."""

from dataclasses import replace
from datetime import timedelta

from supportops.delivery.destination import Discard, Outcome, Snooze, TryAgain
from supportops.delivery.signs import PAUSE
from supportops.errors import DestinationPaused, Permanent, Retryable, Undecodable, UnknownOutcome

BUG_WAIT = timedelta(seconds=5)
MOMENT = timedelta(seconds=1)


def decide(error: BaseException) -> Outcome:
    """The outcome that `error` stands for, before the schedule is looked at."""
    match error:
        case DestinationPaused():
            return Snooze(error.after or PAUSE, str(error))
        case UnknownOutcome():
            return TryAgain(error.after, str(error), uncertain=True)
        case Retryable():
            return TryAgain(error.after, str(error))
        case Permanent() | Undecodable():
            return Discard(str(error))
        case TimeoutError():
            return TryAgain(None, "no answer in time", uncertain=True)
        case _:
            return TryAgain(BUG_WAIT, f"{type(error).__name__}: {error}", uncertain=True)


def plan(outcome: Outcome, attempts: int, schedule: tuple[timedelta, ...], jitter: float) -> Outcome:
    """Fill in the wait of a TryAgain, or turn it into a Discard when the schedule is used up.

    `attempts` counts the one that just ended; `jitter` is a random number in [0, 1), added last: up to a quarter of
    the scheduled wait. A wait that the other side named is kept, never shortened by ours. A snooze does not use the
    schedule up.
    """
    if isinstance(outcome, Snooze) and outcome.after is None:
        return replace(outcome, after=MOMENT)
    if not isinstance(outcome, TryAgain):
        return outcome
    if attempts > len(schedule):
        return Discard(f"gave up after {attempts} attempts: {outcome.reason}")
    scheduled = schedule[attempts - 1]
    after = outcome.after if outcome.after is not None else scheduled * (1 + jitter / 4)
    return TryAgain(after, outcome.reason, outcome.uncertain)
