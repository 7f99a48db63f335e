"""Ticket events, version 1, in Zendesk's words (docs/vendors/zendesk.md#ticket-events).

Ids are strings of digits, statuses and priorities lower-case REST words, moments aware UTC. `ticket` is a
snapshot taken near the event, not the state now: effects that people see are decided from a fresh read.
"""

from typing import ClassVar, Literal

from pydantic import Field

from supportops.contracts.envelope import Event, Part, UtcDatetime, ZendeskId

ChangeValue = str | bool | list[str] | None


class TicketSnapshot(Part):
    """What the source knew of the ticket. Every field may be absent (unknown) or null (known to be empty)."""

    status: str | None = Field(default=None, description="new open pending hold solved closed deleted ...")
    priority: str | None = Field(default=None, description="low normal high urgent")
    type: str | None = Field(default=None, description="problem incident question task")
    subject: str | None = None
    description: str | None = Field(default=None, description="the first comment, for ever")
    tags: list[str] | None = None
    is_public: bool | None = Field(default=None, description="false when no comment is public")
    requester_id: str | None = None
    submitter_id: str | None = None
    assignee_id: str | None = None
    group_id: str | None = None
    organization_id: str | None = None
    brand_id: str | None = None
    form_id: str | None = None
    external_id: str | None = None
    custom_status_id: str | None = None
    via_channel: str | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None


class TicketEvent(Event):
    """What every ticket event carries."""

    topic: ClassVar[str] = "zendesk.tickets"

    account_id: str
    ticket_id: ZendeskId
    version: str = Field(description="sortable (supportops.ticket_version): which of two events is newer")
    road: Literal["native", "trigger", "export"] = "native"
    actor_id: str | None = Field(default=None, description="who caused it; not always a person or a number")
    own_action: bool = Field(default=False, description="the actor is one of our integration users")
    sequence_id: str | None = Field(default=None, description="events of one agent action share it")
    sequence_position: int | None = None
    ticket: TicketSnapshot = TicketSnapshot()

    def knows(self, field: str) -> bool:
        """True if the ticket's (or else the event's) `field` was present, also when null."""
        if field in TicketSnapshot.model_fields:
            return field in self.ticket.model_fields_set
        return field in self.model_fields_set


class TicketCreated(TicketEvent):
    """A ticket was created; when it is solved already, a solved event follows."""

    type: ClassVar[str] = "support.ticket.created.v1"


class TicketSolved(TicketEvent):
    """A ticket was solved. Semantic key: (ticket_id, solved_at); within 5 s across roads it is the same."""

    type: ClassVar[str] = "support.ticket.solved.v1"
    solved_at: UtcDatetime
    previous_status: str | None = None


class TicketReopened(TicketEvent):
    """A ticket went from solved to anything but closed, deleted, archived or scrubbed."""

    type: ClassVar[str] = "support.ticket.reopened.v1"
    current_status: str


class TicketClosed(TicketEvent):
    """A ticket was closed: it refuses almost every change from now on."""

    type: ClassVar[str] = "support.ticket.closed.v1"
    previous_status: str | None = None


class Comment(Part):
    """A comment. `is_public` is False unless the source said public: unknown counts as private."""

    id: str = Field(description="semantic key of the comment across roads")
    body: str | None = None
    is_public: bool = False
    author_id: str | None = None
    author_is_agent: bool | None = None
    author_name: str | None = None


class TicketCommented(TicketEvent):
    """A comment, public or private, was added."""

    type: ClassVar[str] = "support.ticket.commented.v1"
    comment: Comment


class TicketRated(TicketEvent):
    """A hint that the satisfaction of this ticket changed: the truth is read by REST."""

    type: ClassVar[str] = "support.ticket.rated.v1"
    score: str | None = Field(default=None, description="good or bad; other text is kept as it is")
    comment: str | None = None


class TicketSlaChanged(TicketEvent):
    """A hint that the SLA of this ticket changed: the truth is read by REST."""

    type: ClassVar[str] = "support.ticket.sla_changed.v1"
    what: str = Field(description="Zendesk's name of the change, e.g. next_sla_breach_changed")


class TicketMerged(TicketEvent):
    """This ticket was merged into another one."""

    type: ClassVar[str] = "support.ticket.merged.v1"
    target_ticket_id: ZendeskId | None = None


class TicketDeleted(TicketEvent):
    """A ticket was deleted; REST answers 404 from now on."""

    type: ClassVar[str] = "support.ticket.deleted.v1"
    permanently: bool = False


class TicketUndeleted(TicketEvent):
    """A deleted ticket was restored."""

    type: ClassVar[str] = "support.ticket.undeleted.v1"


class Change(Part):
    """One field, before and after; either may be absent where the source does not tell."""

    field: str
    before: ChangeValue = None
    after: ChangeValue = None


class TicketUpdated(TicketEvent):
    """Something else about a ticket changed: which fields, before and after.

    For lists (tags, followers, e-mail CCs) `before` holds what was taken away and `after` what was added.
    """

    type: ClassVar[str] = "support.ticket.updated.v1"
    zendesk_type: str = Field(description="Zendesk's name, e.g. tags_changed")
    changes: list[Change] = Field(default_factory=list)


TICKET_EVENTS: tuple[type[TicketEvent], ...] = (
    TicketCreated,
    TicketSolved,
    TicketReopened,
    TicketClosed,
    TicketCommented,
    TicketRated,
    TicketSlaChanged,
    TicketMerged,
    TicketDeleted,
    TicketUndeleted,
    TicketUpdated,
)
