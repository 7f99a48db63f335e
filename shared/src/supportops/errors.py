"""What can go wrong, named for what to do next.

SupportOpsError
├── Retryable            try again, after `after` when the other side named a time; nothing happened outside
│   ├── UnknownOutcome   try again, but ask "did it happen?" first: the call may have had its effect
│   ├── Conflict         the thing changed since it was read: read and decide again
│   └── DestinationPaused  the whole destination waits (quota); no attempt is used up
│       ├── DestinationAway    nobody is there for any row: waits as well, and is an outage
│       └── CredentialRefused  the login is wrong for every row: waits as well, and somebody is told
├── Permanent            give up on this piece of work; the reason is kept
│   ├── NotFound         what it is about is not there
│   ├── Unreadable       it is there, and is not what its vendor documents
│   ├── Forbidden        the credential may not do this
│   └── Refused          the broker will never take this record (too large, no such topic, no right)
├── Undecodable          the record cannot be read by anyone: dead letter at once
└── TooManyDeadLetters   the partition is closed: a bad deploy must not empty a topic into the dead letters

Anything else that escapes is our own bug: tried a few times, then given up on, loudly.
"""

from datetime import timedelta


class SupportOpsError(Exception):
    """Root of the tree above."""


class Retryable(SupportOpsError):
    """Nothing happened outside; try again, not before `after` has passed when it is given."""

    def __init__(self, message: str, after: timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after


class UnknownOutcome(Retryable):
    """The call may have had its effect: the next attempt asks `did_it_happen` first."""


class DestinationPaused(Retryable):
    """Quota or login trouble: every row of the destination waits, and no attempt is used up."""


class DestinationAway(DestinationPaused):
    """Nobody is there for any row (no token is to be had, say): an outage that one call has found for all."""


class CredentialRefused(DestinationPaused):
    """The other side does not accept who we are, or what we may do: for every row, until somebody changes it."""


class Permanent(SupportOpsError):
    """Trying again cannot help."""


class Undecodable(SupportOpsError):
    """A record that no retry will make readable."""


class TooManyDeadLetters(SupportOpsError):
    """The ceiling of dead letters in a row was reached; the partition is closed instead of emptied."""


class Forbidden(Permanent):
    """403: the credential may not do this; one row's matter, or everybody's when it is said again and again."""


class NotFound(Permanent):
    """404: deleted, or never ours to see."""


class Refused(Permanent):
    """The broker will never take this record. `too_large`: because of its size alone."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


class Unreadable(Permanent):
    """A row that came and is not what its vendor documents. It is there: nothing else is known of it."""


class Conflict(Retryable):
    """409: the thing changed since we read it. Read again, decide again, a few times."""


def summary(error: BaseException) -> str:
    """Type and first line: what follows in a database's message are statements and customers' values."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}"[:300]
