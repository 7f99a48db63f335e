"""What the end of a call says about its destination, beside what it means for the row."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from supportops.delivery.destination import Discard, Done, Outcome, Unknown
from supportops.errors import (
    Conflict,
    CredentialRefused,
    DestinationPaused,
    Forbidden,
    Permanent,
    Retryable,
    Undecodable,
)

PAUSE = timedelta(minutes=1)


class Sign(StrEnum):
    """The values are stored in the breaker's row and shown to operators."""

    ALIVE = "alive"
    REFUSED = "refused"
    """An answer, and a no to this one row."""
    FORBIDDEN = "forbidden"
    """A no that may be about this row or about the credential: many of them in a row are about the credential."""
    OUTAGE = "outage"
    BUG = "bug"
    PAUSE = "pause"
    """The other side (or our share of its calls) asks everybody to wait."""
    CREDENTIAL = "credential"
    NOTHING = "nothing"


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
        case CredentialRefused():
            return Signal(Sign.CREDENTIAL, ended.after or PAUSE)
        case DestinationPaused():
            return Signal(Sign.PAUSE, ended.after or PAUSE)
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
