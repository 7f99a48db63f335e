"""Which notices a situation asks for: a table of situations."""

from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.breaches.arming import Known, NoticeState, Plan, Quiet, Refusal, Situation, decide, plan
from notifier.breaches.targets import Reading, Target
from notifier.policy.breaches import BreachRule
from supportops.business_hours import BusinessHours
from tests.support.for_each import for_each

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BREACH = datetime(2026, 3, 2, 11, tzinfo=UTC)  # a Monday
TARGET = "7:first_reply_time:20260302T110000Z"
FULL = ("2h", "30m", "breached", "every 1h")


def rule(*steps: str, **values: Any) -> BreachRule:
    return BreachRule.model_validate(
        {"name": "premium", "channel": "C1", "title": "Notice", "steps": steps or ("2h",)} | values
    )


def reading(*targets: Target, **values: Any) -> Reading:
    shown = targets or (Target("first_reply_time", "active", BREACH),)
    return Reading("7", BREACH - 10 * HOUR, status="open", targets=shown, **values)


def known(**states: str) -> dict[str, Known]:
    """What is on record, by step (`_2h`, `breached`)."""
    steps = {name.strip("_").replace("_plus_", "+"): NoticeState(state) for name, state in states.items()}
    return {f"{TARGET}:{step}": Known(state, BREACH, TARGET, step) for step, state in steps.items()}


def shown(found: Plan) -> tuple[dict[str, timedelta], dict[str, NoticeState]]:
    """Steps that are wanted, with the time between their moment and the breach; steps that are not, and their state."""
    wanted = {each.step: each.breach_at - each.due_at for each in found.wanted.values()}
    refused = {key.removeprefix(f"{TARGET}:"): refusal.state for key, (_, refusal) in found.refused.items()}
    return wanted, refused


def asked(
    rule: BreachRule | None, before: timedelta, records: dict[str, Known] | None = None, **more: Any
) -> Plan:
    """The plan so long before the breach."""
    given = more.pop("reading", reading())
    return plan(Situation(given, rule, "no rule concerns it", records or {}, **more), BREACH - before)


NO, OVER = NoticeState.NO, NoticeState.SUPERSEDED


@for_each(
    "steps, before, records, wanted, refused",
    [
        (("2h",), 5 * HOUR, {}, {"2h": 2 * HOUR}, {}),
        (("2h",), HOUR, {}, {"2h": 2 * HOUR}, {}),  # found late: at once
        (("2h",), HOUR, {"_2h": "posted"}, {}, {}),
        (("2h",), HOUR, {"_2h": "no"}, {"2h": 2 * HOUR}, {}),  # it was paused at its moment, and runs again
        (("2h",), 5 * HOUR, {"_2h": "cancelled"}, {"2h": 2 * HOUR}, {}),
        (("2h",), -HOUR, {}, {"breached": 0 * HOUR}, {"2h": OVER}),  # found breached: that, once
        (("2h",), -HOUR, {"_2h": "posted"}, {}, {}),
        (("2h",), -HOUR, {"_2h": "planned"}, {"breached": 0 * HOUR}, {"2h": OVER}),  # Slack was away
        (("2h",), -HOUR, {"breached": "posted", "_2h": "superseded"}, {}, {}),
        (("2h", "30m"), 3 * HOUR, {}, {"2h": 2 * HOUR, "30m": 30 * MINUTE}, {}),
        (("30m", "2h"), HOUR, {"_2h": "posted"}, {"30m": 30 * MINUTE}, {}),
        (("2h", "30m"), 10 * MINUTE, {}, {"30m": 30 * MINUTE}, {"2h": OVER}),
        (("2h", "30m"), 10 * MINUTE, {"_2h": "planned"}, {"30m": 30 * MINUTE}, {"2h": OVER}),
        (("2h", "breached"), HOUR, {"_2h": "posted"}, {"breached": 0 * HOUR}, {}),
        (FULL, -10 * MINUTE, {"_2h": "posted", "_30m": "posted"}, {"breached": 0 * HOUR}, {}),
        (FULL, -10 * MINUTE, {"_30m": "posted", "_2h": "posted", "breached": "posted"}, {"breached+1h": -HOUR}, {}),
        (FULL, -61 * MINUTE, {"_2h": "posted", "_30m": "posted", "breached": "posted", "breached_plus_1h": "planned"},
         {"breached+1h": -HOUR}, {}),
        (FULL, -62 * MINUTE, {"_2h": "posted", "_30m": "posted", "breached": "posted", "breached_plus_1h": "posted"},
         {"breached+2h": -2 * HOUR}, {}),
        (FULL, -250 * MINUTE, {"_2h": "posted", "_30m": "posted", "breached": "posted", "breached_plus_1h": "posted"},
         {"breached+5h": -5 * HOUR}, {}),  # we were away: what was missed is not made up for
    ],
)  # fmt: skip
def test_steps(
    steps: tuple[str, ...],
    before: timedelta,
    records: dict[str, str],
    wanted: dict[str, timedelta],
    refused: dict[str, NoticeState],
) -> None:
    assert shown(asked(rule(*steps), before, known(**records))) == (wanted, refused)


def test_repetitions_end() -> None:
    records = known(
        _2h="posted", _30m="posted", breached="posted", breached_plus_1h="posted", breached_plus_2h="posted"
    )
    found = asked(rule(*FULL), -125 * MINUTE, records, repeat_at_most=2)
    assert shown(found) == ({}, {})


PLANNED = known(_2h="planned")
MOVED = Target("first_reply_time", "active", BREACH + HOUR)


@for_each(
    "now_reads, who, reason",
    [
        (reading(Target("first_reply_time", "paused", BREACH)), rule(), "the target is paused"),
        (reading(Target("first_reply_time", "achieved", BREACH)), rule(), "the target is achieved"),
        (reading(Target("other", "active", BREACH)), rule(), "the target was withdrawn"),
        (reading(MOVED), rule(), "the target moved to 2026-03-02 12:00 UTC"),
        (reading(gone="the ticket was deleted"), rule(), "the ticket was deleted"),
        (reading(), None, "no rule concerns it"),
        (reading(), rule("1h"), "the rule premium has no such step or metric any more"),
        (
            reading(),
            rule(metrics=["resolution_time"]),
            "the rule premium has no such step or metric any more",
        ),
    ],
)
def test_what_is_not_asked_for_any_more_says_why(
    now_reads: Reading, who: BreachRule | None, reason: str
) -> None:
    found = asked(who, 3 * HOUR, PLANNED, reading=now_reads)
    assert found.refused[f"{TARGET}:2h"][1].reason == reason
    refusal = decide(
        f"{TARGET}:2h", Situation(now_reads, who, "no rule concerns it", PLANNED), BREACH - 2 * HOUR
    )
    assert refusal is not None
    assert refusal.reason == reason


def test_a_moved_target_is_a_new_one() -> None:
    found = asked(rule(), 3 * HOUR, PLANNED, reading=reading(MOVED))
    assert list(found.wanted) == ["7:first_reply_time:20260302T120000Z:2h"]


def test_the_earliest_of_several_targets_hides_none() -> None:
    both = reading(
        Target("a", "active", BREACH), Target("b", "active", BREACH + HOUR), Target("c", "achieved", BREACH)
    )
    assert [key.split(":")[1] for key in asked(rule(), 9 * HOUR, reading=both).wanted] == ["a", "b"]


def test_a_lead_in_business_hours_warns_on_friday_of_a_breach_on_monday() -> None:
    office = BusinessHours(UTC, tuple((day * 1440 + 600, day * 1440 + 1080) for day in range(1, 6)))
    (notice,) = asked(rule(hours="business"), 80 * HOUR, hours=office).wanted.values()
    assert notice.due_at == datetime(2026, 2, 27, 17, tzinfo=UTC)
    key, record = notice.key, Known(NoticeState.PLANNED, notice.due_at, TARGET, "2h")
    for hours, planned, reason in (
        (None, {key: record}, None),  # Zendesk tells no hours now: what was planned by them stays
        (office, {key: record}, None),
        (None, {}, "its moment has moved"),
        (BusinessHours(UTC, ()), {key: record}, "its moment has moved"),
    ):
        now_is = Situation(reading(), rule(hours="business"), "", planned, hours=hours)
        refusal = decide(key, now_is, notice.due_at)
        assert (refusal and refusal.reason) == reason
    (notice,) = asked(rule(hours="business"), 80 * HOUR, hours=BusinessHours(UTC, ())).wanted.values()
    assert notice.due_at == BREACH - 2 * HOUR  # a schedule without hours cannot be counted


TAKEN = frozenset({TARGET})


def test_what_is_taken_is_quiet_until_that_ends() -> None:
    step = f"{TARGET}:30m"
    records = known(_2h="posted", _30m="planned")
    taken = Situation(reading(), rule("2h", "30m"), "", records, taken=TAKEN)
    refusal = decide(step, taken, BREACH - 30 * MINUTE)
    assert refusal is not None
    assert refusal.state is NoticeState.HELD
    held = known(_2h="posted", _30m="held")
    assert asked(rule("2h", "30m"), 20 * MINUTE, held, taken=TAKEN).wanted == {}
    assert list(asked(rule("2h", "30m"), 20 * MINUTE, held).wanted) == [step]


def test_what_falls_into_a_quiet_time_is_decided_anew_at_its_end_as_one() -> None:
    quiet = Quiet(BREACH - 20 * MINUTE, "silenced (upgrade)")
    steps, records = rule("2h", "30m", "breached"), known(_2h="planned", _30m="planned")
    refusal = decide(f"{TARGET}:2h", Situation(reading(), steps, "", records, quiet=quiet), BREACH - 2 * HOUR)
    assert refusal == Refusal("silenced (upgrade)", NoticeState.HELD)
    held = known(_2h="held", _30m="held", breached="planned")
    assert list(asked(steps, 25 * MINUTE, held, quiet=quiet).wanted) == [f"{TARGET}:breached"]
    assert list(asked(steps, 20 * MINUTE, held, quiet=quiet).wanted) == [
        f"{TARGET}:30m",
        f"{TARGET}:breached",
    ]


def test_a_moment_that_has_moved_is_not_now() -> None:
    refusal = decide(f"{TARGET}:2h", Situation(reading(), rule(), "", PLANNED), BREACH - 3 * HOUR)
    assert refusal is not None
    assert refusal.reason == "its moment has moved"
    assert decide(f"{TARGET}:2h", Situation(reading(), rule(), "", PLANNED), BREACH - 2 * HOUR) is None
