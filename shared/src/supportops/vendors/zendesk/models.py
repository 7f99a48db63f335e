"""What Zendesk's REST answers become: frozen, ids as strings of digits, moments aware.

A model holds the fields that we use, and no others. What is `decides` must be right or null, else the row is
unreadable: a wrong guess would ask, show or tell somebody who must not be. Any other field that is not what Zendesk
documents is as if it had not been sent.

REST gives ids as numbers and enum values in lower case; events give strings and upper case
(docs/vendors/zendesk.md#event-bodies).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from supportops.observability.logging import get_logger

log = get_logger("supportops.zendesk")


def _id(value: object) -> object:
    """Numbers become strings of digits; nothing but a positive whole number is an id."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _written(value: object) -> object:
    """Zendesk writes moments as text; a number in the place of one says nothing."""
    if isinstance(value, str | datetime):
        return value
    raise ValueError("no moment")


FIRST_YEAR, LAST_YEAR = 1970, 2999
"""What lies outside is no moment of a ticket, and nothing could be added to it."""


def _aware(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError("no moment")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def empty_when_null(value: object) -> object:
    """Null is the empty list."""
    return () if value is None else value


def only(value: object) -> object:
    """Some objects are documented as lists of one; both forms are taken (docs/vendors/zendesk.md#tickets)."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


Id = Annotated[str, BeforeValidator(_id), Field(pattern=r"^[0-9]{1,20}$")]
Word = Annotated[str, BeforeValidator(_lower)]
UtcDatetime = Annotated[datetime, BeforeValidator(_written), AfterValidator(_aware)]
Text = Annotated[str, BeforeValidator(_id)]
Words = Annotated[tuple[str, ...], BeforeValidator(empty_when_null)]


def items(value: object) -> object:
    """The elements of a list that are objects; null is the empty list."""
    if isinstance(value, list | tuple):
        return tuple(each for each in value if isinstance(each, dict | BaseModel))
    return () if value is None else value


Objects = Annotated[tuple[dict[str, Any], ...], BeforeValidator(items)]


class Answered(BaseModel):
    """Base of everything that is read from an answer: fields that may be missing may also be of any shape."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    decides: ClassVar[frozenset[str]] = frozenset()
    """Fields whose odd value makes the row unreadable, although they may be missing or null."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _odd_is_missing(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        field = cls.model_fields[str(info.field_name)]
        if field.is_required():
            return handler(value)
        try:
            return handler(value)
        except ValidationError:
            if value is not None and info.field_name in cls.decides:
                raise
            if value is not None:
                log.debug("vendor.odd_field", vendor="zendesk", model=cls.__name__, field=info.field_name)
            return field.get_default(call_default_factory=True)


class SatisfactionRating(Answered):
    """A ticket's rating; without an id it is only the state "offered" or "unoffered".

    Ticket, requester and moments are known where it was read or listed by itself (docs/vendors/zendesk.md#ratings).
    """

    decides = frozenset({"score"})

    id: Id | None = None
    score: Word = "unoffered"
    comment: str | None = None
    reason: str | None = None
    reason_id: Id | None = None
    ticket_id: Id | None = None
    requester_id: Id | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None


class MetricSet(Answered):
    """The ticket's own clock, by `include=metric_sets`."""

    ticket_id: Id | None = None
    solved_at: UtcDatetime | None = None


class Identified(Answered):
    """Anything with an id."""

    id: Id


class Ticket(Identified):
    """A ticket as it is now (docs/vendors/zendesk.md#tickets)."""

    decides = frozenset(
        {
            "tags",
            "requester_id",
            "organization_id",
            "form_id",
            "recipient",
            "satisfaction_rating",
            "is_public",
        }
    )

    status: Word
    subject: str | None = None
    description: str | None = None
    priority: Annotated[str | None, BeforeValidator(_lower)] = None
    type: Annotated[str | None, BeforeValidator(_lower)] = None
    brand_id: Id | None = None
    external_id: Text | None = None
    tags: Words = ()
    requester_id: Id | None = None
    submitter_id: Id | None = None
    assignee_id: Id | None = None
    group_id: Id | None = None
    organization_id: Id | None = None
    custom_status_id: Id | None = None
    is_public: bool | None = None
    via_channel: str | None = Field(None, validation_alias=AliasPath("via", "channel"))
    form_id: Id | None = Field(None, validation_alias=AliasChoices("ticket_form_id", "form_id"))
    recipient: str | None = None
    via_rel: str | None = Field(None, validation_alias=AliasPath("via", "source", "rel"))
    followup_source_id: Id | None = Field(None, validation_alias="via_followup_source_id")
    custom_fields: Objects = ()
    satisfaction_rating: Annotated[SatisfactionRating | None, BeforeValidator(only)] = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime
    metrics: MetricSet | None = None
    requester: "User | None" = None

    @property
    def score(self) -> str:
        """`unoffered`, `offered`, `good` or `bad`; an account without CSAT (null) counts as unoffered."""
        return self.satisfaction_rating.score if self.satisfaction_rating else "unoffered"

    @property
    def is_follow_up(self) -> bool:
        """Whether the ticket continues a closed one, whose tags it then inherited.

        See docs/vendors/zendesk.md#surprises.
        """
        return self.via_rel == "follow_up" or self.followup_source_id is not None

    @property
    def solved_at(self) -> datetime | None:
        """When the ticket was last solved, where the metrics were read with it."""
        return self.metrics.solved_at if self.metrics else None


class Comment(Identified):
    """One comment; `public` decides whether a customer may ever see it."""

    author_id: Id | None = None
    body: str = Field("", validation_alias=AliasChoices("plain_body", "body"))
    public: bool = False
    created_at: UtcDatetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _body_where_there_is_no_plain_one(cls, row: object) -> object:
        if isinstance(row, dict) and not isinstance(row.get("plain_body", ""), str):
            return {key: value for key, value in row.items() if key != "plain_body"}
        return row


class AuditEvent(Answered):
    """One thing that an audit tells of; types that Zendesk does not document are left to whoever looks.

    `value` and `previous_value` as Zendesk gives them: for `tags` a list of strings.
    """

    type: str = ""
    field_name: Annotated[str | None, BeforeValidator(_id)] = None
    value: Any = None
    previous_value: Any = None
    body: str = ""


class Audit(Answered):
    """One action on a ticket; `rel` is "merge" on both tickets of a merge, "follow_up" on a follow-up's first."""

    created_at: UtcDatetime
    events: Annotated[tuple[AuditEvent, ...], BeforeValidator(items)] = ()
    rel: str | None = Field(None, validation_alias=AliasPath("via", "source", "rel"))


class User(Identified):
    """A person: customer, agent or administrator; not `active`: deleted."""

    decides = frozenset({"organization_id", "suspended", "active"})

    name: str = ""
    email: str | None = None
    organization_id: Id | None = None
    role: Word | None = None
    suspended: bool = False
    active: bool = True
    locale: str | None = None
    time_zone: str | None = None
    iana_time_zone: str | None = None
    user_fields: dict[str, Any] | None = None

    @property
    def is_customer(self) -> bool:
        """Whether Zendesk calls the person an end user; agents and administrators have other roles."""
        return self.role == "end-user"


class Organization(Identified):
    """A customer's organization."""

    name: str
    organization_fields: dict[str, Any] | None = None


class Named(Identified):
    """Anything that a message needs only the name of: a form, a group, a brand."""

    name: str


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to write. Public ones reach the customer, usually by e-mail."""

    body: str
    public: bool
    author_id: str | None = None
