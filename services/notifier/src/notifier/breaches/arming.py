"""Which notices a reading of a ticket asks for, and whether one that is due goes out (docs/rules.md N1, N2). Pure.

A notice is (target, step). The same question is asked when a target is read and when a notice is due: is it still
wanted? So whatever happened meanwhile, and in whatever order it was heard of, the answer follows from what is so now.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from notifier.breaches.targets import Reading, Target, target_key
from notifier.policy.breaches import BREACHED, BreachRule, LeadStep
from supportops.business_hours import BusinessHours, NoBusinessHours
from supportops.config.durations import format_duration


class NoticeState(StrEnum):
    """PLANNED: waits for its moment. POSTED: people were told. Decided against: NO (may be wanted again), SUPERSEDED by
    a later step (never again), HELD while somebody has taken the target, or it is to be quiet. CANCELLED before it was
    due.
    """

    PLANNED = "planned"
    POSTED = "posted"
    NO = "no"
    SUPERSEDED = "superseded"
    HELD = "held"
    CANCELLED = "cancelled"


OVER = frozenset({NoticeState.POSTED, NoticeState.SUPERSEDED})


@dataclass(frozen=True)
class Notice:
    """One message that is to be: a step of a target, at its moment."""

    key: str
    target: str
    ticket_id: str
    metric: str
    breach_at: datetime
    step: str
    due_at: datetime


@dataclass(frozen=True)
class Known:
    """What the records say of a notice."""

    state: NoticeState
    due_at: datetime
    target: str
    step: str


@dataclass(frozen=True)
class Refusal:
    """Why a notice does not go out; `state`: what it is from now on."""

    reason: str
    state: NoticeState = NoticeState.NO


@dataclass(frozen=True)
class Quiet:
    """Nothing is said before `until`: a silence, or quiet hours. `why` is for people."""

    until: datetime
    why: str


@dataclass(frozen=True)
class Plan:
    """`wanted`: by key, those that are to be posted, now or later. `refused`: known or new ones that are not."""

    wanted: Mapping[str, Notice]
    refused: Mapping[str, tuple[Notice | None, Refusal]]


@dataclass(frozen=True)
class Situation:
    """What a plan follows from. `taken`: targets that somebody has taken; `objection`: why no rule concerns the ticket,
    when `rule` is None; `quiet`: what keeps its notices back for a while.
    """

    reading: Reading
    rule: BreachRule | None
    objection: str
    known: Mapping[str, Known]
    taken: frozenset[str] = frozenset()
    hours: BusinessHours | None = None
    repeat_at_most: int = 24
    quiet: Quiet | None = None

    def holds(self, target: str, now: datetime) -> str | None:
        """Why nothing is said of a target now, although a notice is due; what is held is decided anew at the end."""
        if target in self.taken:
            return "somebody has taken it on"
        return self.quiet.why if self.quiet is not None and self.quiet.until > now else None


def plan(now_is: Situation, now: datetime) -> Plan:
    """The notices that this situation asks for."""
    wanted: dict[str, Notice] = {}
    refused: dict[str, tuple[Notice | None, Refusal]] = {}
    if now_is.rule is not None and now_is.reading.gone is None:
        for target in now_is.reading.running().values():
            if now_is.rule.metrics and target.metric not in now_is.rule.metrics:
                continue
            for notice, refusal in _of_target(target, now_is.rule, now_is, now):
                if refusal is None:
                    wanted[notice.key] = notice
                elif notice.key not in now_is.known or now_is.known[notice.key].state is NoticeState.PLANNED:
                    refused[notice.key] = notice, refusal
    for key, known in now_is.known.items():
        if known.state is NoticeState.PLANNED and key not in wanted and key not in refused:
            refused[key] = None, Refusal(_why(known, now_is))
    return Plan({key: each for key, each in wanted.items() if _may_be(key, now_is, now)}, refused)


def decide(notice: str, now_is: Situation, now: datetime) -> Refusal | None:
    """Whether a notice that is due goes out: None, or why not."""
    asked = plan(now_is, now)
    if notice not in asked.wanted:
        return (
            asked.refused[notice][1] if notice in asked.refused else Refusal("it is not asked for any more")
        )
    wanted = asked.wanted[notice]
    if wanted.due_at > now:
        return Refusal("its moment has moved")
    why = now_is.holds(wanted.target, now)
    return Refusal(why, NoticeState.HELD) if why is not None else None


def due_at(step: LeadStep, breach_at: datetime, rule: BreachRule, hours: BusinessHours | None) -> datetime:
    """The moment of a step before a breach. Where business hours cannot be counted, calendar time counts."""
    if step.kind != "before":
        return breach_at
    if rule.hours == "business" and hours is not None:
        try:
            return hours.before(breach_at, step.length)
        except NoBusinessHours:
            return breach_at - step.length
    return breach_at - step.length


def _of_target(
    target: Target, rule: BreachRule, now_is: Situation, now: datetime
) -> Iterator[tuple[Notice, Refusal | None]]:
    assert target.breach_at is not None  # noqa: S101  # nosec B101  # it runs
    leads = [_lead(step, target, rule, now_is) for step in rule.of_kind("before")]
    before = sorted(leads, key=lambda notice: notice.due_at)
    breached = _notice(now_is, target, BREACHED, target.breach_at)
    if target.breach_at > now:
        yield from _before_the_breach(before, now)
        if any(rule.of_kind("breached")) or any(rule.of_kind("every")):
            yield breached, None
        return
    for notice in before:
        yield notice, Refusal("the target is breached already", NoticeState.SUPERSEDED)
    states = {known.step: known.state for known in now_is.known.values() if known.target == breached.target}
    told = NoticeState.POSTED in states.values()
    if any(rule.of_kind("breached")) or any(rule.of_kind("every")) or not told:
        yield from _after_the_breach(breached, states, rule, now_is, now)


def _lead(step: LeadStep, target: Target, rule: BreachRule, now_is: Situation) -> Notice:
    """The notice of a step before the breach. What was planned by hours that are not known now stays."""
    assert target.breach_at is not None  # noqa: S101  # nosec B101  # it runs
    notice = _notice(now_is, target, step.name, due_at(step, target.breach_at, rule, now_is.hours))
    known = now_is.known.get(notice.key)
    stays = rule.hours == "business" and now_is.hours is None
    if stays and known is not None and known.state is NoticeState.PLANNED:
        return replace(notice, due_at=known.due_at)
    return notice


def _before_the_breach(before: list[Notice], now: datetime) -> Iterator[tuple[Notice, Refusal | None]]:
    """Of the steps whose moment has passed only the last one is still worth a message."""
    past = [each for each in before if each.due_at <= now]
    for notice in past[:-1]:
        yield notice, Refusal(f"the later step {past[-1].step} is due", NoticeState.SUPERSEDED)
    for notice in (*past[-1:], *before[len(past) :]):
        yield notice, None


def _after_the_breach(
    breached: Notice, states: Mapping[str, NoticeState], rule: BreachRule, now_is: Situation, now: datetime
) -> Iterator[tuple[Notice, Refusal | None]]:
    """The breached notice once, then one at a time: the next repetition is asked for when the last one is over."""
    yield breached, None
    every = next(rule.of_kind("every"), None)
    if every is None or states.get(BREACHED) not in OVER | {NoticeState.HELD}:
        return
    passed = (now - breached.due_at) // every.length
    numbers = [n for n in range(1, now_is.repeat_at_most + 1) if _repeated(n, every) in states]
    running = [n for n in numbers if states[_repeated(n, every)] is NoticeState.PLANNED]
    number = running[-1] if running else max(passed + 1, (numbers or [0])[-1] + 1)
    if number <= now_is.repeat_at_most:
        yield (
            _notice(
                now_is,
                _target_of(breached),
                _repeated(number, every),
                breached.due_at + number * every.length,
            ),
            None,
        )


def _repeated(number: int, every: LeadStep) -> str:
    return f"{BREACHED}+{format_duration(number * every.length)}"


def _target_of(notice: Notice) -> Target:
    return Target(notice.metric, "active", notice.breach_at)


def _notice(now_is: Situation, target: Target, step: str, due: datetime) -> Notice:
    assert target.breach_at is not None  # noqa: S101  # nosec B101  # it runs
    key = target_key(now_is.reading.ticket_id, target)
    return Notice(f"{key}:{step}", key, now_is.reading.ticket_id, target.metric, target.breach_at, step, due)


def _may_be(key: str, now_is: Situation, now: datetime) -> bool:
    """Whether a wanted notice may still be posted: what is over stays so, what is held waits for the end of that."""
    known = now_is.known.get(key)
    if known is None or known.state not in OVER | {NoticeState.HELD}:
        return True
    return known.state is NoticeState.HELD and now_is.holds(known.target, now) is None


def _why(known: Known, now_is: Situation) -> str:
    """Why a planned notice is not asked for any more, for people."""
    reading = now_is.reading
    if reading.gone is not None:
        return reading.gone
    if now_is.rule is None:
        return now_is.objection
    if known.target in reading.running():
        return f"the rule {now_is.rule.name} has no such step or metric any more"
    metric = known.target.split(":")[1]
    stages = {each.stage: each.breach_at for each in reading.targets if each.metric == metric}
    if running := [each.breach_at for each in reading.targets if each.metric == metric and each.runs]:
        return f"the target moved to {running[0]:%Y-%m-%d %H:%M} UTC"
    return f"the target is {next(iter(stages))}" if stages else "the target was withdrawn"
