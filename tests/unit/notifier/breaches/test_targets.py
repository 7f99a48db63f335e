"""What became of a target that people were told of."""

from datetime import UTC, datetime, timedelta

from notifier.breaches.targets import Reading, Target, TargetState, Told, metric_word, state_of, target_key
from tests.support.for_each import for_each

HOUR = timedelta(hours=1)
BREACH = datetime(2026, 3, 2, 11, tzinfo=UTC)
TOLD_AT = BREACH - 2 * HOUR
REPLY = "first_reply_time"
RUNS = Target(REPLY, "active", BREACH)
S = TargetState


def reading(*targets: Target, status: str = "open", gone: str | None = None) -> Reading:
    return Reading("7", BREACH, status=status, targets=targets, gone=gone)


@for_each(
    "was, reads, replied, now, expected",
    [
        (S.OPEN, reading(RUNS), None, -HOUR, S.OPEN),
        (S.OPEN, reading(RUNS), None, 0 * HOUR, S.BREACHED),
        (S.OPEN, reading(Target(REPLY, "breached", BREACH)), None, HOUR, S.BREACHED),
        (S.OPEN, reading(Target(REPLY, "achieved", BREACH)), None, -HOUR, S.ANSWERED),
        (S.OPEN, reading(Target(REPLY, "achieved", BREACH)), None, HOUR, S.ANSWERED),  # heard of late
        (S.BREACHED, reading(Target(REPLY, "achieved", BREACH)), None, HOUR, S.ANSWERED_LATE),
        (S.OPEN, reading(Target(REPLY, "paused", BREACH), status="pending"), -HOUR, 0 * HOUR, S.ANSWERED),
        (S.BREACHED, reading(), HOUR, 2 * HOUR, S.ANSWERED_LATE),
        (
            S.OPEN,
            reading(Target(REPLY, "paused", BREACH)),
            -3 * HOUR,
            -HOUR,
            S.PAUSED,
        ),  # that reply was before
        (S.OPEN, reading(status="pending"), None, -HOUR, S.PAUSED),
        (S.PAUSED, reading(RUNS), None, -HOUR, S.OPEN),
        (S.OPEN, reading(Target(REPLY, "active", BREACH + HOUR)), None, -HOUR, S.MOVED),
        (S.OPEN, reading(Target(REPLY, "active", BREACH + HOUR)), -HOUR, 0 * HOUR, S.ANSWERED),
        (S.OPEN, reading(), None, -HOUR, S.WITHDRAWN),
        (S.OPEN, reading(status="solved"), None, -HOUR, S.ANSWERED),
        (S.OPEN, reading(gone="deleted", status="solved"), None, -HOUR, S.WITHDRAWN),
        (S.ANSWERED, reading(), None, 9 * HOUR, S.ANSWERED),
        (S.ANSWERED, reading(RUNS), None, -HOUR, S.OPEN),
    ],
)
def test_states(
    was: TargetState, reads: Reading, replied: timedelta | None, now: timedelta, expected: TargetState
) -> None:
    told = Told("7", REPLY, BREACH, TOLD_AT, was)
    replied_at = None if replied is None else BREACH + replied
    assert state_of(told, reads, replied_at, BREACH + now) is expected


def test_keys_are_made_of_words_and_whole_seconds() -> None:
    assert metric_word("Weird:Metric |x") == "weird_metric_x"
    late = RUNS.breach_at.replace(microsecond=5) if RUNS.breach_at else None
    assert target_key("7", Target(REPLY, "active", late)) == f"7:{REPLY}:20260302T110000Z"
