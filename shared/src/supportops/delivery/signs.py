"""What the end of a call says about its destination, beside what it means for the row."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from supportops.delivery.destination import Discard, Done, Outcome, Unknown
from supportops.errors import (
    Conflict,
    CredentialRefused,
    DestinationAway,
    DestinationPaused,
    Forbidden,
    Permanent,
    Retryable,
    Undecodable,
)

PAUSE = timedelta(minutes=1)


class Sign(StrEnum):
    """The values are stored in the breaker's row (but for ALIVE, FORBIDDEN, AWAY, NOTHING) and shown to operators."""

    ALIVE = "alive"
    REFUSED = "refused"
    """An answer, and a no to this one row."""
    FORBIDDEN = "forbidden"
    """A no that may be about this row or about the credential: many of them in a row are about the credential."""
    OUTAGE = "outage"
    BUG = "bug"
    AWAY = "away"
    """An outage that one call has found for all rows; the breaker's row says outage."""
    PAUSE = "pause"
    """The other side (or our share of its calls) asks everybody to wait."""
    CREDENTIAL = "credential"
    NOTHING = "nothing"


WAITS = frozenset({Sign.AWAY, Sign.PAUSE, Sign.CREDENTIAL})
"""Signs for which every row of the destination waits, and none has used up an attempt."""


@dataclass(frozen=True)
class Signal:
    """A sign, and the wait that came with it."""

    sign: Sign = Sign.NOTHING
    after: timedelta | None = None


QUIET = Signal()


def signal_of(ended: Outcome | BaseException) -> Signal:
    """What an outcome or an error says about the destination."""
    match ended:
        case Done():
            return Signal(Sign.ALIVE)
        case Forbidden():
            return Signal(Sign.FORBIDDEN)
        case Discard() | Unknown() | Permanent() | Undecodable():
            return Signal(Sign.REFUSED)
        case DestinationPaused():
            return _wait(ended)
        case Conflict():
            return QUIET
        case Retryable():
            return Signal(Sign.OUTAGE, ended.after)
        case TimeoutError():
            return Signal(Sign.OUTAGE)
        case BaseException():
            return Signal(Sign.BUG)
        case _:
            return QUIET


def _wait(ended: DestinationPaused) -> Signal:
    match ended:
        case CredentialRefused():
            return Signal(Sign.CREDENTIAL, ended.after or PAUSE)
        case DestinationAway():
            return Signal(Sign.AWAY, ended.after)
        case _:
            return Signal(Sign.PAUSE, ended.after or PAUSE)
