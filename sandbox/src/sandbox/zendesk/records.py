"""The account's records. Ids are numbers and enums lower case, as in REST; times are nanoseconds since the epoch."""

from dataclasses import dataclass, field
from typing import Any

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")


@dataclass(slots=True)
class User:
    id: int
    name: str
    email: str
    role: str = "end-user"
    organization_id: int | None = None  # the default one
    organization_ids: list[int] = field(default_factory=list)  # further ones
    external_id: str | None = None
    active: bool = True
    suspended: bool = False
    ticket_restriction: str | None = "requested"
    custom_role_id: int | None = None  # of an agent; None: what agents may do on every plan
    tags: list[str] = field(default_factory=list)
    user_fields: dict[str, Any] = field(default_factory=dict)
    locale: str = "en-US"
    time_zone: str = "UTC"
    iana_time_zone: str | None = "Etc/UTC"
    created_at: int = 0
    updated_at: int = 0

    @property
    def is_staff(self) -> bool:
        return self.role != "end-user"

    @property
    def memberships(self) -> list[int]:
        """All organizations, the default one first."""
        first = [self.organization_id] if self.organization_id is not None else []
        return list(dict.fromkeys([*first, *self.organization_ids]))


@dataclass(slots=True)
class Organization:
    id: int
    name: str
    external_id: str | None = None
    domain_names: list[str] = field(default_factory=list)
    details: str | None = None
    notes: str | None = None
    group_id: int | None = None
    shared_tickets: bool = False
    shared_comments: bool = False
    tags: list[str] = field(default_factory=list)
    organization_fields: dict[str, Any] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


@dataclass(slots=True)
class Named:
    """A form, group or brand: what matters here is its name."""

    id: int
    name: str
    active: bool = True


@dataclass(slots=True)
class TicketField:
    id: int
    title: str
    type: str = "text"
    required: bool = False  # "required when solving a ticket"


@dataclass(slots=True)
class Comment:
    id: int
    author_id: int
    body: str
    public: bool
    created_at: int
    audit_id: int
    html_body: str
    via: str = "api"


@dataclass(slots=True)
class Audit:
    id: int
    ticket_id: int
    author_id: int
    created_at: int
    events: list[dict[str, Any]]
    rel: str | None = None  # "merge" and "follow_up": where the action came from, as its `via` says


@dataclass(slots=True)
class Rating:
    id: int
    ticket_id: int
    score: str
    comment: str | None
    reason: str | None
    reason_id: int | None
    requester_id: int
    assignee_id: int | None
    group_id: int | None
    created_at: int
    updated_at: int


@dataclass(slots=True)
class SurveyResponse:
    """A new-CSAT survey about one ticket; `rating` is None until its responder has answered."""

    id: str
    ticket_id: int
    responder_id: int
    rating: int | None
    comment: str | None
    reason: str | None
    created_at: int
    updated_at: int


@dataclass(slots=True)
class Ticket:
    id: int
    subject: str
    description: str
    requester_id: int
    submitter_id: int
    status: str = "new"
    priority: str | None = None
    type: str | None = None
    assignee_id: int | None = None
    group_id: int | None = None
    organization_id: int | None = None
    brand_id: int | None = None
    ticket_form_id: int | None = None
    external_id: str | None = None
    custom_status_id: int | None = None
    problem_id: int | None = None
    due_at: str | None = None
    recipient: str | None = None
    via: str = "api"
    is_public: bool = True
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[int, Any] = field(default_factory=dict)
    follower_ids: list[int] = field(default_factory=list)
    email_cc_ids: list[int] = field(default_factory=list)
    satisfaction: Rating | str | None = "unoffered"  # None: the plan has no CSAT
    via_followup_source_id: int | None = None
    followup_ids: list[int] = field(default_factory=list)
    merged_into: int | None = None
    slas: list[dict[str, Any]] = field(default_factory=list)
    next_slas: tuple[int, list[dict[str, Any]]] | None = None  # shown from that moment (ns) on
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    solves: list[int] = field(default_factory=list)
    reopens: int = 0
    assigned_at: int | None = None
    created_at: int = 0
    updated_at: int = 0
    generated_at: int = 0  # moves with every change, also those that leave updated_at alone

    @property
    def solved_at(self) -> int | None:
        """When it was solved last, whatever its status now (`metric_sets.solved_at`)."""
        return self.solves[-1] if self.solves else None
