"""The readiness probe of a destination: its breaker, since when, and what to do."""

from datetime import datetime, timedelta

from sqlalchemy import select

from supportops.config.durations import format_duration
from supportops.delivery.outages.breaker import OUTAGE_ROWS, Breaker
from supportops.delivery.outages.rows import breaker_of
from supportops.delivery.signs import Sign
from supportops.observability.health import ProbeResult
from supportops.observability.metrics import Recorder
from supportops.store import Store
from supportops.store.tables import ENGINE, waiting

EXPECTED_WAIT = timedelta(minutes=2)
"""How long a wait that the other side asked for (a quota) is business as usual."""
_REMEDIES = {
    Sign.OUTAGE: "it is tried by itself",
    Sign.PAUSE: "it is tried by itself",
    Sign.CREDENTIAL: "mend the credential or its rights (run `doctor`); it is tried by itself",
    Sign.BUG: "a mistake of ours: see the log; after a fix run `deliveries resume {destination}`",
}


class DestinationProbe:
    """Content while rows of a destination flow, and are not all refused."""

    def __init__(self, store: Store, destination: str, metrics: Recorder) -> None:
        self.name = f"destination:{destination}"
        self._store, self._destination, self._metrics = store, destination, metrics

    async def __call__(self) -> ProbeResult:
        breaker = await breaker_of(self._store, self._destination)
        self._metrics.gauge("destination_open", float(breaker.is_open), destination=self._destination)
        self._metrics.gauge("destination_refusals", float(breaker.refusals), destination=self._destination)
        now = self._store.clock.now()
        held = await holds_somebody_up(self._store, breaker, now)
        idle = "" if held or not breaker.is_open else "; nothing waits for it"
        return ProbeResult(self.name, ok=not held, detail=standing(breaker, now, public=True) + idle)


async def holds_somebody_up(store: Store, breaker: Breaker, now: datetime) -> bool:
    """Whether an operator should look at a destination now.

    One that was away, and that nothing waits for any more (its rows were cancelled), is tried by nobody: whether it is
    back the next row will tell, and until then there is nothing to mend.
    """
    if not needs_attention(breaker, now) or breaker.refuses_all or not breaker.is_open:
        return needs_attention(breaker, now)
    return breaker.cause not in (Sign.OUTAGE, Sign.PAUSE) or await _anything_waits(store, breaker.destination)


async def _anything_waits(store: Store, destination: str) -> bool:
    d = ENGINE.deliveries
    query = select(d.c.id).where(waiting(d), d.c.destination == destination).limit(1)
    async with store.reading() as conn:
        return (await conn.execute(query)).first() is not None


def needs_attention(breaker: Breaker, now: datetime) -> bool:
    """Whether the breaker itself says so: anything but a short wait that was asked for.

    Calls that all fail are an outage to look at, also where one row alone is tried, as in the one channel of a feed:
    that does not open the breaker, for it may be the row.
    """
    if breaker.is_open and breaker.cause is Sign.PAUSE and breaker.since is not None:
        return breaker.refuses_all or now - breaker.since > EXPECTED_WAIT
    return breaker.is_open or breaker.refuses_all or _all_fail(breaker)


def _all_fail(breaker: Breaker) -> bool:
    return breaker.cause is Sign.OUTAGE and breaker.run >= OUTAGE_ROWS


def standing(breaker: Breaker, now: datetime, *, public: bool = False) -> str:
    """How a destination stands, in a line for operators.

    `public`: without reasons, which a vendor may have worded, with a customer's words in them.
    """
    if breaker.is_open and breaker.cause is not None:
        since = _since(breaker.since, now)
        remedy = _REMEDIES[breaker.cause].format(destination=breaker.destination)
        why = breaker.cause.value if public else f"{breaker.cause}: {breaker.reason}"
        return f"waits {since} ({why}); {remedy}, next at {breaker.probe_at:%H:%M:%S} UTC"
    if breaker.refuses_all:
        since = _since(breaker.refused_since, now)
        why = "" if public else f": {breaker.refusal}"
        return f"{breaker.refusals} rows refused one after the other {since}{why}; run `doctor`"
    if breaker.run:
        why = "" if public else f": {breaker.reason}"
        since = f" {_since(breaker.since, now)}; it is tried by itself" if _all_fail(breaker) else ""
        return f"{breaker.run} calls failed one after the other ({breaker.cause}{why}){since}"
    return "flows"


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "for a while"
    age = timedelta(seconds=max(0, round((now - moment).total_seconds())))
    return f"since {moment:%Y-%m-%d %H:%M:%S} UTC ({format_duration(age)})"
