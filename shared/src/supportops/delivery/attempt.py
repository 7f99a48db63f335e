"""One call to a destination: ask first where in doubt, then deliver; every error becomes an outcome."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from supportops.delivery.destination import (
    AskableDestination,
    Delivery,
    Destination,
    DestinationSpec,
    Outcome,
    Snooze,
    TryAgain,
)
from supportops.delivery.retry import PAUSE, decide
from supportops.errors import DestinationPaused

NOT_STARTED = Snooze(timedelta(0), "not started")


@dataclass(frozen=True)
class Answers:
    """One outcome per delivery, in their order. `paused`: how long the whole destination is to wait."""

    outcomes: list[Outcome]
    paused: timedelta | None = None


@dataclass(frozen=True)
class _Failed:
    outcome: Outcome
    paused: timedelta | None


async def call(destination: Destination, batch: Sequence[Delivery]) -> Answers:
    """Ask "did it happen?" for the rows of unknown outcome, then make the call for the rest. Raises nothing.

    A row that could not be asked about stays in doubt and is not sent.
    """
    known: dict[str, Outcome] = {}
    for delivery in batch:
        if not delivery.uncertain or not isinstance(destination, AskableDestination):
            continue
        answer = await _guarded(destination.did_it_happen(delivery), destination.spec)
        if isinstance(answer, _Failed):
            known[delivery.id] = _in_doubt(answer.outcome)
            if answer.paused is not None:
                return Answers([known.get(d.id, NOT_STARTED) for d in batch], answer.paused)
        elif answer is not None:
            known[delivery.id] = answer
    rest = [delivery for delivery in batch if delivery.id not in known]
    sent = await _guarded(_deliver(destination, rest), destination.spec) if rest else []
    if isinstance(sent, _Failed):
        return Answers([known.get(d.id, sent.outcome) for d in batch], sent.paused)
    pauses = [each.paused for each in sent if isinstance(each, _Failed) and each.paused is not None]
    for delivery, each in zip(rest, sent, strict=True):
        known[delivery.id] = each.outcome if isinstance(each, _Failed) else each
    return Answers([known[delivery.id] for delivery in batch], max(pauses, default=None))


async def _deliver(destination: Destination, rest: Sequence[Delivery]) -> list[Outcome | _Failed]:
    outcomes = await destination.deliver(rest)
    if len(outcomes) != len(rest):
        raise ValueError(f"{len(outcomes)} outcomes for {len(rest)} deliveries")
    return [_failed(each) if isinstance(each, BaseException) else each for each in outcomes]


async def _guarded[T](calling: Awaitable[T], spec: DestinationSpec) -> T | _Failed:
    try:
        async with asyncio.timeout(spec.timeout.total_seconds()):
            return await calling
    except Exception as error:  # noqa: BLE001  # every error becomes an outcome, by the table in retry.py
        return _failed(error)


def _failed(error: BaseException) -> _Failed:
    paused = (error.after or PAUSE) if isinstance(error, DestinationPaused) else None
    return _Failed(decide(error), paused)


def _in_doubt(outcome: Outcome) -> Outcome:
    return replace(outcome, uncertain=True) if isinstance(outcome, TryAgain | Snooze) else outcome
