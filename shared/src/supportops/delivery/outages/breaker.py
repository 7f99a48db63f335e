"""When a destination is left alone, and when it is tried again: one law for every outage, a pure state machine.

closed     rows flow. Failures of one cause without a success between them are counted, and which rows had them.
open       nobody is called before `probe_at`; waiting costs no row an attempt.
half_open  one row is out to see. Its success closes the breaker and the backlog flows; its failure opens it anew.

What opens it: an outage that different rows had one after the other (`OUTAGE_ROWS`), an unknown error of ours over
different rows (`BUG_ROWS`), at once a wait that the other side asks for, a credential that it refuses or an outage that
is everybody's (no token is to be had), and a 403 that different rows had for one reason (`REFUSALS`). A row's own
refusal never does: the other side has answered. Many refusals for one reason only raise an alarm.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from supportops.delivery.signs import Sign

State = Literal["closed", "open", "half_open"]
OUTAGE_ROWS = 3
BUG_ROWS = 5
REFUSALS = 5
KEYS = 20  # different rows remembered of one run
SKEW = timedelta(seconds=5)  # a moment of ours that lies further ahead was written by a clock that was wrong
_STEPS = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 15, 20))
_BUG_STEPS = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300))


@dataclass(frozen=True)
class Observation:
    """What the end of one call says. `probe`: it was sent out to see; `after`: the wait that was asked for."""

    key: str
    sign: Sign
    reason: str
    after: timedelta | None = None
    probe: bool = False


@dataclass(frozen=True)
class Breaker:
    """The state of one destination. `cause` is what `run` counts while closed, what it was opened for else;
    `failing`: the keys of rows that failed in this run."""

    destination: str
    state: State = "closed"
    cause: Sign | None = None
    since: datetime | None = None
    reason: str | None = None
    probe_at: datetime | None = None
    probes: int = 0
    run: int = 0
    failing: tuple[str, ...] = ()
    refusals: int = 0
    refusal: str | None = None
    refused_since: datetime | None = None
    changed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether rows wait (also while one is out to see)."""
        return self.state != "closed"

    @property
    def refuses_all(self) -> bool:
        """Whether so many rows were refused for one reason that somebody should know."""
        return self.refusals >= REFUSALS

    def next_probe(self, now: datetime) -> datetime:
        """When the next row may be sent out; what a clock that was ahead has written does not count."""
        if self.probe_at is None or self.changed_at is None or self.changed_at > now + SKEW:
            return now
        return self.probe_at

    def spares(self, observation: Observation, before: "Breaker") -> bool:
        """Whether the failure costs the row no attempt: the destination is down, not the row wrong.

        `before`: the breaker as it was. A row that fails again although nobody has succeeded meanwhile is spared too,
        so that an outage costs the only row of a destination no more than the attempt that found it.
        """
        if observation.sign is Sign.BUG:
            return self.is_open
        return observation.sign is Sign.OUTAGE and (self.is_open or observation.key in before.failing)


def observe(breaker: Breaker, observations: Iterable[Observation], now: datetime) -> Breaker:
    """The breaker after these ends of calls, in their order."""
    for each in observations:
        breaker = _after(breaker, each, now)
    return replace(breaker, changed_at=now)


def wait_of(breaker: Breaker, sign: Sign = Sign.OUTAGE) -> timedelta:
    """How long until the next look: seconds at first, growing to 20 (a bug of ours: to five minutes)."""
    steps = _BUG_STEPS if sign is Sign.BUG else _STEPS
    failures = breaker.probes if breaker.is_open else breaker.run
    return steps[min(max(failures - 1, 0), len(steps) - 1)]


def same_reason(reason: str) -> str:
    """A reason without what differs from row to row: numbers and identifiers."""
    return re.sub(r"\b\w*\d\w*\b", "#", reason)[:200]


def _after(breaker: Breaker, seen: Observation, now: datetime) -> Breaker:
    match seen.sign:
        case Sign.ALIVE:
            return _alive(breaker, seen)
        case Sign.REFUSED:
            return _refused(_alive(breaker, seen, keep_refusals=True), seen, now)
        case Sign.FORBIDDEN:
            refused = _refused(_alive(breaker, seen, keep_refusals=True), seen, now)
            about_us = replace(seen, sign=Sign.CREDENTIAL)
            return _asked_to_wait(refused, about_us, now) if refused.refuses_all else refused
        case Sign.NOTHING:
            released = breaker.state == "half_open" and seen.probe
            return replace(breaker, state="open", probe_at=now) if released else breaker
        case Sign.AWAY:
            return _asked_to_wait(breaker, replace(seen, sign=Sign.OUTAGE), now)
        case Sign.PAUSE | Sign.CREDENTIAL:
            return _asked_to_wait(breaker, seen, now)
        case Sign.OUTAGE | Sign.BUG:
            return _failed(breaker, seen, now)


def _alive(breaker: Breaker, seen: Observation, *, keep_refusals: bool = False) -> Breaker:
    """The other side answered. A call that began before the opening says nothing about what came after it."""
    if breaker.is_open and not seen.probe:
        return breaker
    fresh = Breaker(breaker.destination)
    if keep_refusals:
        return replace(
            fresh,
            refusals=breaker.refusals,
            refusal=breaker.refusal,
            refused_since=breaker.refused_since,
        )
    return fresh


def _refused(breaker: Breaker, seen: Observation, now: datetime) -> Breaker:
    reason = same_reason(seen.reason)
    if breaker.refusal != reason:
        return replace(breaker, refusals=1, refusal=reason, refused_since=now)
    return replace(breaker, refusals=breaker.refusals + 1)


def _asked_to_wait(breaker: Breaker, seen: Observation, now: datetime) -> Breaker:
    until = now + (seen.after or wait_of(breaker))
    if breaker.state == "open" and breaker.probe_at is not None:
        until = max(until, breaker.probe_at)  # a shorter wait does not end a longer one
    known = breaker.is_open and breaker.cause is seen.sign
    return replace(
        breaker,
        state="open",
        cause=seen.sign,
        since=breaker.since if known else now,
        reason=seen.reason,
        probe_at=until,
        probes=breaker.probes + 1 if known else 1,
    )


def _failed(breaker: Breaker, seen: Observation, now: datetime) -> Breaker:
    if breaker.is_open:
        return _probe_failed(breaker, seen, now) if seen.probe else breaker
    if breaker.cause is not seen.sign:
        breaker = replace(breaker, cause=seen.sign, since=now, run=0, failing=())
    keys = breaker.failing if seen.key in breaker.failing else (*breaker.failing, seen.key)[-KEYS:]
    breaker = replace(breaker, run=breaker.run + 1, failing=keys, reason=seen.reason)
    if len(keys) < (BUG_ROWS if seen.sign is Sign.BUG else OUTAGE_ROWS):
        return breaker
    opened = replace(breaker, state="open", since=now, probes=1)
    return replace(opened, probe_at=now + max(wait_of(opened, seen.sign), seen.after or timedelta()))


def _probe_failed(breaker: Breaker, seen: Observation, now: datetime) -> Breaker:
    known = breaker.cause is seen.sign
    failed = replace(
        breaker,
        state="open",
        cause=seen.sign,
        reason=seen.reason,
        probes=breaker.probes + 1 if known else 1,
    )
    return replace(failed, probe_at=now + max(wait_of(failed, seen.sign), seen.after or timedelta()))
