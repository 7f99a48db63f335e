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
from supportops.delivery.retry import decide
from supportops.delivery.signs import QUIET, WAITS, Signal, signal_of

NOT_STARTED = Snooze(timedelta(0), "not started")


@dataclass(frozen=True)
class Ended:
    """How the call of one delivery ended, and what that says about the destination."""

    outcome: Outcome
    signal: Signal = QUIET

    @property
    def paused(self) -> bool:
        """Whether the destination as a whole is to wait."""
        return self.signal.sign in WAITS


UNTOUCHED = Ended(NOT_STARTED)


async def call(destination: Destination, batch: Sequence[Delivery]) -> list[Ended]:
    """Ask "did it happen?" for the rows of unknown outcome, then make the call for the rest. Raises nothing.

    A row that could not be asked about stays in doubt and is not sent.
    """
    known: dict[str, Ended] = {}
    for delivery in batch:
        if not delivery.uncertain or not isinstance(destination, AskableDestination):
            continue
        answer = await _guarded(destination.did_it_happen(delivery), destination.spec)
        if isinstance(answer, Ended):
            known[delivery.id] = replace(answer, outcome=_in_doubt(answer.outcome))
            if answer.paused:
                return [known.get(each.id, UNTOUCHED) for each in batch]
        elif answer is not None:
            known[delivery.id] = Ended(answer, signal_of(answer))
    rest = [delivery for delivery in batch if delivery.id not in known]
    sent = await _guarded(_deliver(destination, rest), destination.spec) if rest else []
    ended = [sent] * len(rest) if isinstance(sent, Ended) else sent
    known |= {delivery.id: each for delivery, each in zip(rest, ended, strict=True)}
    return [known[delivery.id] for delivery in batch]


async def _deliver(destination: Destination, rest: Sequence[Delivery]) -> list[Ended]:
    outcomes = await destination.deliver(rest)
    if len(outcomes) != len(rest):
        raise ValueError(f"{len(outcomes)} outcomes for {len(rest)} deliveries")
    return [
        _failed(each) if isinstance(each, BaseException) else Ended(each, signal_of(each))
        for each in outcomes
    ]


async def _guarded[T](calling: Awaitable[T], spec: DestinationSpec) -> T | Ended:
    try:
        async with asyncio.timeout(spec.timeout.total_seconds()):
            return await calling
    except Exception as error:  # noqa: BLE001  # every error becomes an outcome, by the table in retry.py
        return _failed(error)


def _failed(error: BaseException) -> Ended:
    return Ended(decide(error), signal_of(error))


def _in_doubt(outcome: Outcome) -> Outcome:
    return replace(outcome, uncertain=True) if isinstance(outcome, TryAgain | Snooze) else outcome
