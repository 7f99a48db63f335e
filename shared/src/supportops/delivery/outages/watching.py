"""What the ends of calls do to breakers, and what an open breaker means for the rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import random

from supportops.delivery.destination import Discard, Outcome, Snooze, TryAgain
from supportops.delivery.final_write import Completed
from supportops.delivery.outages import rows as breakers
from supportops.delivery.outages.breaker import Breaker, Observation, observe, wait_of
from supportops.delivery.retry import plan
from supportops.delivery.signs import Sign
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Transaction

LONGEST = timedelta(days=7)
"""How long a row that is due is tried for which nobody ever answers; no outage of a vendor was ever as long."""
_log = get_logger("supportops.courier")


@dataclass(frozen=True)
class Watched:
    """Rows with their outcomes planned, and the breakers that changed, before and after."""

    rows: list[Completed]
    changes: list[tuple[Breaker, Breaker]]


async def watch(tx: Transaction, rows: Sequence[Completed]) -> Watched:
    """Let the breakers know how these calls ended, and plan what becomes of the rows.

    A destination without trouble costs no statement.
    """
    changes: dict[str, tuple[Breaker, Breaker]] = {}
    for name in sorted({row.delivery.destination for row in rows if _matters(row)}):
        before = await breakers.lock(tx, name)
        mine = [row for row in rows if row.delivery.destination == name]
        after = observe(before, _observations(mine), tx.now)
        await breakers.save(tx, after)
        changes[name] = before, after
    planned = [replace(row, outcome=_planned(row, changes, tx.now)) for row in rows]
    return Watched(planned, list(changes.values()))


def log_change(before: Breaker, after: Breaker, metrics: Recorder) -> None:
    """What an operator should hear of, once."""
    metrics.gauge("destination_open", float(after.is_open), destination=after.destination)
    metrics.gauge("destination_refusals", float(after.refusals), destination=after.destination)
    about = {"destination": after.destination, "cause": after.cause, "reason": after.reason}
    if after.is_open and (not before.is_open or before.cause is not after.cause):
        stopped = after.cause in (Sign.BUG, Sign.CREDENTIAL)
        log = _log.error if stopped else _log.warning
        log("destination.stopped" if stopped else "destination.waits", next_try=after.probe_at, **about)
    if before.is_open and not after.is_open:
        _log.warning("destination.flows", destination=after.destination, waited_since=before.since)
    if after.refuses_all and not before.refuses_all:
        _log.error(
            "destination.refuses_all",
            destination=after.destination,
            rows=after.refusals,
            reason=after.refusal,
            since=after.refused_since,
        )


def _matters(row: Completed) -> bool:
    return row.troubled or row.probe or row.is_trouble


def _observations(rows: Sequence[Completed]) -> list[Observation]:
    """One per call and sign, refusals one per row: an error that stands for a whole batch is one failure."""
    seen: set[tuple[str, datetime, Sign]] = set()
    found: list[Observation] = []
    for row in rows:
        call = (row.delivery.token, row.started_at, row.signal.sign)
        if row.signal.sign in (Sign.REFUSED, Sign.FORBIDDEN) or row.spec.batch == 1 or call not in seen:
            found.append(_observation(row))
        seen.add(call)
    return found


def _observation(row: Completed) -> Observation:
    reason = str(getattr(row.outcome, "reason", ""))
    return Observation(row.delivery.key, row.signal.sign, reason, row.signal.after, row.probe)


def _planned(row: Completed, changes: dict[str, tuple[Breaker, Breaker]], now: datetime) -> Outcome:
    """The schedule's next step; a failure that the destination's breaker takes upon itself costs no attempt."""
    jitter, outcome = random(), row.outcome  # noqa: S311  # no secret  # nosec B311
    change = changes.get(row.delivery.destination)
    if (
        change is None
        or not isinstance(outcome, TryAgain)
        or not change[1].spares(_observation(row), change[0])
    ):
        return plan(outcome, row.delivery.attempts, row.spec.schedule, jitter)
    failing_since = (
        change[1].since or now
    )  # who is tried late (after a stop, or by hand) waits as long as others
    if now - max(row.delivery.due_at, failing_since) > LONGEST:
        return Discard(f"gave up, nobody answered for {LONGEST.days} days: {outcome.reason}")
    wait = wait_of(change[1], row.signal.sign) * (1 + jitter / 4)
    return Snooze(max(wait, outcome.after or timedelta()), outcome.reason, outcome.uncertain)
