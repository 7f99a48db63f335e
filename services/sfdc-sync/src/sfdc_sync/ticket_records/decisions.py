"""What happenings of a ticket have its record written, and what is done with it at the moment of the call. Pure.

A fact is one happening, on whatever road and however often we hear of it: its name, as it stands in the key of a
delivery, is derived from it alone. The intent is decided from what is known when the call is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Literal

from sfdc_sync.policy.ticket_records import Fact, TicketRecordPolicy
from sfdc_sync.ticket_records.fit import Value
from supportops.contracts import (
    TicketClosed,
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
    TicketUndeleted,
)

Known = Mapping[str, Value]
_PEOPLE: tuple[tuple[Fact, str], ...] = (("requester", "requester_id"), ("organization", "organization_id"))


def facts_of(policy: TicketRecordPolicy, event: TicketEvent, before: Known | None, after: Known) -> list[str]:
    """The facts that the rules want of `event`. `before`: what was known; None when nothing ever was."""
    found = [(kind, name) for kind, name in _own(event) if kind in policy.write_on]
    if before is not None and not isinstance(event, TicketCreated):
        found += [
            (kind, f"{kind}:{event.version}")
            for kind, source in _PEOPLE
            if kind in policy.write_on and source in after and after[source] != before.get(source)
        ]
    if policy.deleted == "keep":
        found = [(kind, name) for kind, name in found if kind != "deleted"]
    return [name for _, name in found]


def _own(event: TicketEvent) -> list[tuple[Fact, str]]:
    match event:
        case TicketCreated():
            return [("created", "created")]
        case TicketSolved():  # solved again later is another fact
            return [("solved", f"solved:{event.solved_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")]
        case TicketMerged():
            return [("merged", "merged")]
        case TicketDeleted(permanently=True):
            return [("deleted", "erased")]
        case TicketDeleted():
            return [("deleted", f"deleted:{event.version}")]
        case TicketUndeleted():
            return [("undeleted", f"undeleted:{event.version}")]
        case _:
            return []


def implied(event: TicketEvent) -> dict[str, Value]:
    """What the kind of event itself says, for roads whose snapshot is partial."""
    match event:
        case TicketSolved():
            return {"status": "solved", "solved_at": event.solved_at.isoformat()}
        case TicketDeleted():
            return {"status": "deleted", "deleted": True}
        case TicketUndeleted():
            return {"deleted": False}
        case TicketMerged():
            return {"merged_into_id": event.target_ticket_id} if event.target_ticket_id else {}
        case TicketReopened():
            return {"status": event.current_status, "solved_at": None}
        case TicketClosed():
            return {"status": "closed"}
        case _:
            return {}


CHANGES = ("requester", "organization", "account", "deleted", "erased")
"""Facts that change a record and make none."""


class Action(StrEnum):
    """Write the newest state, put the record into the bin, or nothing."""

    WRITE = "write"
    REMOVE = "remove"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Intent:
    """What to do, and where it is nothing why."""

    action: Action
    reason: str = ""


@dataclass(frozen=True)
class Ticket:
    """A ticket as we know it now. `written`: the revision that Salesforce holds; 0 when it holds no record.

    `record_id`: of the record that is there; empty when there is none, or it was removed. `account_id`: the account
    that it names.
    """

    ticket_id: str
    known: Mapping[str, Value]
    version: str
    revision: int
    erased: bool
    written: int
    record_id: str = ""
    account_id: str = ""

    @property
    def deleted(self) -> bool:
        """Whether Zendesk has deleted it, for a while or for good."""
        return self.erased or self.known.get("deleted") is True


def intent_of(ticket: Ticket, fact: str, deleted: Literal["keep", "mark", "delete"]) -> Intent:
    """`fact`: what the delivery was scheduled for, such as `solved:2026-…`; `deleted`: the rule for deleted tickets."""
    if ticket.deleted:
        return _of_deleted(ticket, deleted)
    if not ticket.record_id:
        if fact.partition(":")[0] in CHANGES:
            return Intent(Action.NOTHING, "there is no record yet, and this change alone makes none")
        return Intent(Action.WRITE)
    if ticket.account_id and account_of_fact(fact) == ticket.account_id:
        return Intent(Action.NOTHING, "its record names this account already")
    if ticket.revision <= ticket.written:
        return Intent(Action.NOTHING, "stale: Salesforce already holds this state or a newer one")
    return Intent(Action.WRITE)


def account_fact(account_id: str, written: int) -> str:
    """The fact that the record of revision `written` is to name another account: once for each that was written."""
    return f"account:{account_id}:{written}"


def account_of_fact(fact: str) -> str:
    """The account that such a fact is about; empty for another one."""
    kind, _, rest = fact.partition(":")
    return rest.partition(":")[0] if kind == "account" else ""


def _of_deleted(ticket: Ticket, deleted: str) -> Intent:
    kind = "permanently deleted" if ticket.erased else "deleted"
    if not ticket.record_id:
        return Intent(Action.NOTHING, f"the ticket is {kind}, and has no record")
    if deleted == "keep":
        return Intent(Action.NOTHING, f"the ticket is {kind}; the rules keep its record as it is")
    if deleted == "delete":
        return Intent(Action.REMOVE)
    if ticket.revision <= ticket.written:
        return Intent(Action.NOTHING, f"stale: Salesforce already knows that the ticket is {kind}")
    return Intent(Action.WRITE)
