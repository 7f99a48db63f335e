"""When is a ticket's survey due? The clock of docs/rules.md C3 as a pure state machine.

A step takes what is known of a ticket and one fact (solved, reopened) and says what to arm and what to cancel.
The newest fact decides, whatever the order in which facts arrive: an older or equal version changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from supportops.ticket_version import is_newer

SAME_SOLVE = timedelta(seconds=5)
"""Two roads may report one solve a little differently; within this it is the same solve."""


@dataclass(frozen=True)
class TicketState:
    """The status of a ticket: `version` of the newest fact, `solved_at` of the newest known solve."""

    status: Literal["unknown", "solved", "reopened"] = "unknown"
    version: str | None = None
    solved_at: datetime | None = None


@dataclass(frozen=True)
class Transition:
    """The next state, the solve whose survey is to be armed and the one whose survey is off."""

    state: TicketState
    arm: datetime | None = None
    cancel: datetime | None = None


def solved(state: TicketState, version: str, solved_at: datetime) -> Transition | None:
    """The ticket was solved at `solved_at`. None: this is no news.

    A solve of a ticket that is already solved is either the same one told by another road (the clock runs on),
    or a later one whose reopening we have not seen (the clock starts again).
    """
    if not is_newer(version, state.version):
        return None
    running = state.solved_at if state.status == "solved" else None
    if running is not None and same_solve(running, solved_at):
        return Transition(TicketState("solved", version, running))
    return Transition(TicketState("solved", version, solved_at), arm=solved_at, cancel=running)


def reopened(state: TicketState, version: str) -> Transition | None:
    """The ticket was reopened. None: this is no news."""
    if not is_newer(version, state.version):
        return None
    running = state.solved_at if state.status == "solved" else None
    return Transition(TicketState("reopened", version, state.solved_at), cancel=running)


def same_solve(one: datetime, other: datetime) -> bool:
    """Whether two moments tell of the same solve."""
    return abs(one - other) <= SAME_SOLVE
