"""What is said where there is nothing to answer."""

from typing import Literal

Why = Literal["expired", "tampered", "unknown", "superseded", "unreadable", "too_long", "away"]


class Refused(Exception):
    """The page says why instead: `why` names the texts (`why` the title, `why`_text below it), `status` the answer."""

    def __init__(self, status: int, why: Why) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


def expired() -> Refused:
    """The link's time is over."""
    return Refused(410, "expired")


def tampered() -> Refused:
    """The link is not one of ours."""
    return Refused(400, "tampered")


def unknown() -> Refused:
    """Ours, but there is no such survey: never sent, or its requester was erased."""
    return Refused(404, "unknown")


def superseded() -> Refused:
    """The ticket was asked anew for a later solve."""
    return Refused(410, "superseded")
