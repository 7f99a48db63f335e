"""SLA targets as the notifier sees them, and what became of each that people were told of. Pure.

A target is (ticket, metric, `breach_at`): a `breach_at` that moves is a new target (docs/vendors/zendesk.md#sla).
"""

import re
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from notifier.policy.breaches import TicketFacts

RUNNING = frozenset({"active", "breached"})
REACHED = frozenset({"achieved", "fulfilled"})
ENDED = frozenset({"solved", "closed"})
_ODD = re.compile(r"[^a-z0-9_]+")


class Target(msgspec.Struct, frozen=True):
    """One target as it was read. `stage`: Zendesk's word for it."""

    metric: str
    stage: str
    breach_at: datetime | None = None

    @property
    def runs(self) -> bool:
        """Whether its clock runs, or has run out, at `breach_at`; the stage comes before the moment."""
        return self.stage in RUNNING and self.breach_at is not None


class Reading(msgspec.Struct, frozen=True):
    """A ticket and its targets as Zendesk showed them at `read_at`. `gone`: why there is nothing to see any more."""

    ticket_id: str
    read_at: datetime
    status: str = ""
    tags: tuple[str, ...] = ()
    form: str = ""
    priority: str = ""
    subject: str = ""
    assignee_id: str | None = None
    organization_id: str | None = None
    targets: tuple[Target, ...] = ()
    gone: str | None = None

    @property
    def facts(self) -> TicketFacts:
        """What rules look at."""
        return TicketFacts(self.status, frozenset(self.tags), self.form, self.priority)

    def running(self) -> dict[str, Target]:
        """The targets whose clock runs, by key."""
        return {target_key(self.ticket_id, each): each for each in self.targets if each.runs}


class TargetState(StrEnum):
    """What a message about a target says of it, and the ledger counts."""

    OPEN = "open"
    ANSWERED = "answered"
    ANSWERED_LATE = "answered_late"
    BREACHED = "breached"
    PAUSED = "paused"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"


SETTLED = frozenset({TargetState.ANSWERED, TargetState.ANSWERED_LATE})
ALIVE = frozenset({TargetState.OPEN, TargetState.BREACHED})


class Told(msgspec.Struct, frozen=True):
    """A target that people were told of. `told_at`: the first notice; `state`: as it was known last."""

    ticket_id: str
    metric: str
    breach_at: datetime
    told_at: datetime
    state: TargetState = TargetState.OPEN


def target_key(ticket_id: str, target: Target) -> str:
    """`ticket:metric:breach_at`, the semantic key of a target."""
    return key_of(ticket_id, target.metric, target.breach_at or datetime.max.replace(tzinfo=UTC))


def key_of(ticket_id: str, metric: str, breach_at: datetime) -> str:
    """The same from its parts; whole seconds, as Zendesk writes them."""
    return f"{ticket_id}:{metric}:{breach_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def metric_word(text: str) -> str:
    """A metric's name as a word that may stand in keys."""
    return _ODD.sub("_", text.lower())[:60]


def state_of(told: Told, reading: Reading, replied_at: datetime | None, now: datetime) -> TargetState:
    """What became of a target. `replied_at`: the last public reply of an agent, if any is known."""
    if key_of(told.ticket_id, told.metric, told.breach_at) in reading.running():
        return TargetState.BREACHED if told.breach_at <= now else TargetState.OPEN
    if told.state in SETTLED:
        return told.state
    if replied_at is not None and replied_at >= told.told_at:
        return TargetState.ANSWERED if replied_at < told.breach_at else TargetState.ANSWERED_LATE
    if _is_answered(told.metric, reading):
        late = told.state is TargetState.BREACHED
        return TargetState.ANSWERED_LATE if late else TargetState.ANSWERED
    return _unanswered(told, reading)


def _unanswered(told: Told, reading: Reading) -> TargetState:
    if reading.gone is not None:
        return TargetState.WITHDRAWN
    others = [each for each in reading.targets if each.metric == told.metric]
    if any(each.runs for each in others):
        return TargetState.MOVED
    waits = reading.status in ("pending", "hold") or any(each.stage == "paused" for each in others)
    return TargetState.PAUSED if waits else TargetState.WITHDRAWN


def _is_answered(metric: str, reading: Reading) -> bool:
    if reading.gone is not None:
        return False
    mine = [each for each in reading.targets if each.metric == metric]
    reached = any(each.stage in REACHED for each in mine) and not any(each.runs for each in mine)
    return reading.status in ENDED or reached
