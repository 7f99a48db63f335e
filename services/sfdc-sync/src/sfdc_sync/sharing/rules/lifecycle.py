"""The life of a request: who may do what when. A second person approves, never whoever asked (handbook §2)."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sfdc_sync.sharing.rules.options import Option
from supportops.errors import Permanent


class State(StrEnum):
    """Where a request stands; the values stand in rows."""

    CHECKING = "checking"
    ASKED = "asked"
    REFUSED = "refused"
    EXPIRED = "expired"
    APPROVED = "approved"
    APPLIED = "applied"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class Action(StrEnum):
    """What happens to a request; the values stand in the audit log."""

    ASK = "asked"
    CHECK = "checked"
    LOOK_AGAIN = "looked_again"
    REFUSE = "refused"
    EXPIRE = "expired"
    APPROVE = "approved"
    APPLY = "applied"
    FAIL = "failed"
    UNDO = "undo_asked"
    UNDONE = "undone"


OPEN: Final = frozenset({State.CHECKING, State.ASKED, State.APPROVED, State.UNDOING})
"""Somebody or something is still to act: an organization has one of them at a time."""
IN_FORCE: Final = frozenset({State.APPLIED, State.UNDOING, State.FAILED})
"""What it set may stand in Zendesk."""

_MOVES: Final[Mapping[Action, tuple[frozenset[State], State]]] = {
    Action.CHECK: (frozenset({State.CHECKING, State.ASKED}), State.ASKED),
    Action.LOOK_AGAIN: (frozenset({State.APPROVED}), State.ASKED),
    Action.REFUSE: (frozenset({State.CHECKING, State.ASKED, State.APPROVED}), State.REFUSED),
    Action.EXPIRE: (frozenset({State.CHECKING, State.ASKED}), State.EXPIRED),
    Action.APPROVE: (frozenset({State.ASKED}), State.APPROVED),
    Action.APPLY: (frozenset({State.APPROVED, State.FAILED}), State.APPLIED),
    Action.FAIL: (frozenset({State.APPROVED, State.UNDOING, State.FAILED}), State.FAILED),
    Action.UNDO: (frozenset({State.APPLIED, State.FAILED}), State.UNDOING),
    Action.UNDONE: (frozenset({State.UNDOING, State.FAILED}), State.UNDONE),
}


class NotAllowed(Permanent):
    """The request cannot do that now, or not for this person; the message says why, for people."""


@dataclass(frozen=True)
class Request:
    """A request as it stands; ids are Zendesk's. `seen`: names what an approver is shown, None before it is known."""

    number: int
    organization_id: str
    ticket_id: str
    option: Option
    selected: tuple[str, ...]
    requested_by: str
    state: State
    requested_at: datetime
    decided_by: str | None = None
    reason: str = ""
    seen: str | None = None


def moved(request: Request, action: Action) -> State:
    """The state after `action`. Raises NotAllowed where it makes no sense."""
    allowed, after = _MOVES[action]
    if request.state not in allowed:
        raise NotAllowed(f"request {request.number} is {request.state}: it cannot be {action} any more")
    return after


def approve(request: Request, by: str, seen: str | None) -> State:
    """The state after the approval of `by`, who was shown what `seen` names (None: not asked). Raises NotAllowed."""
    after = moved(request, Action.APPROVE)
    if same_person(by, request.requested_by):
        raise NotAllowed(f"{by} has asked for it: a second person approves (docs/sharing.md)")
    if seen is not None and seen != request.seen:
        raise NotAllowed(
            f"what request {request.number} would change was read again meanwhile: look once more"
        )
    return after


def is_over(request: Request, now: datetime, patience: timedelta) -> bool:
    """Whether it has waited for an answer too long."""
    return request.state in _MOVES[Action.EXPIRE][0] and request.requested_at + patience <= now


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, however they are spelled."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split()).removeprefix("@")
