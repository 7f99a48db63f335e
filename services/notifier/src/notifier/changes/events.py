"""What an event says was changed, by the kinds that the rules may name."""

from collections.abc import Callable, Mapping
from typing import Final

from notifier.changes.records import Changed, Changes, Value
from notifier.policy.kinds import UPDATES, Kind, assignment
from notifier.slack.text import one_line
from supportops.contracts import (
    Change,
    FeedbackReceived,
    TicketClosed,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from supportops.ticket_version import version_of

LONGEST = 200  # characters of a value
MOST_TAGS = 50
Reader = Callable[[TicketEvent], Changed]

# One name for everything that moves the status: solved and closed in one action are one change, to closed.
_STATUS = "status"


def changes_of(event: TicketEvent, wanted: frozenset[Kind]) -> Changes:
    """What `event` changed, as far as some rule wants to hear of it."""
    if isinstance(event, TicketUpdated):
        found = _updated(event) if event.zendesk_type in UPDATES else {}
    else:
        found = _of_type(event)
    return {name: change for name, change in found.items() if change.kind in wanted}


def rating(event: FeedbackReceived) -> Changed:
    """A vote, also one that was changed."""
    reason = one_line(event.reason)[:LONGEST] if event.reason else None
    return Changed("rated", version_of(event.rated_at), after=event.score, note=reason)


def _of_type(event: TicketEvent) -> Changes:
    version = event.version
    if isinstance(event, TicketSolved):
        return {_STATUS: Changed("solved", version, event.previous_status, "solved")}
    if isinstance(event, TicketClosed):
        return {_STATUS: Changed("closed", version, event.previous_status, "closed")}
    if isinstance(event, TicketReopened):
        return {_STATUS: Changed("reopened", version, "solved", event.current_status)}
    if isinstance(event, TicketMerged):
        return {"merged": Changed("merged", version, None, event.target_ticket_id)}
    return {kind: Changed(kind, version) for kind in _PLAIN.get(type(event), ())}


_PLAIN: Final[Mapping[type[TicketEvent], tuple[Kind, ...]]] = {
    TicketDeleted: ("deleted",),
    TicketUndeleted: ("restored",),
}


def _updated(event: TicketUpdated) -> Changes:
    kind = UPDATES[event.zendesk_type]
    if kind == "spam":
        return {kind: Changed(kind, event.version)}
    return {_name(kind, each): _changed(kind, event.version, each) for each in event.changes}


def _name(kind: Kind, change: Change) -> str:
    """What was changed; of custom fields each is a thing of its own."""
    return change.field.replace("custom_fields.", "field:") if kind == "field" else change.field


def _changed(kind: Kind, version: str, change: Change) -> Changed:
    before, after = _storable(change.before), _storable(change.after)
    return Changed(assignment(before, after) if kind == "assigned" else kind, version, before, after)


def _storable(value: str | bool | list[str] | None) -> Value:
    if isinstance(value, list):
        return [one_line(each)[:LONGEST] for each in value[:MOST_TAGS]]
    return one_line(value)[:LONGEST] if isinstance(value, str) else value
