"""What the organization decides about a ticket's record (YAML, `sfdc_sync.ticket_record`).

Object and field names belong to the organization, so every one of them is configuration; `doctor` proves them.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from sfdc_sync.policy.names import ApiName
from supportops.config.rules_file import Rules
from supportops.contracts.tickets import TicketSnapshot

# What the ticket's events tell (fields of the snapshot), and `solved_at` of the solve itself.
SNAPSHOT_SOURCES = frozenset(TicketSnapshot.model_fields)
STATE_SOURCES = SNAPSHOT_SOURCES | {"solved_at"}


# What is worked out or read by REST when the record is written.
REQUESTER_SOURCES = frozenset({"requester_email", "requester_name"})
ORGANIZATION_SOURCES = frozenset({"organization_name", "organization_salesforce_id"})
SOURCES = STATE_SOURCES | REQUESTER_SOURCES | ORGANIZATION_SOURCES | {"ticket_id", "ticket_url"}


def _known_source(value: object) -> object:
    if value not in SOURCES:
        raise ValueError(f"must be one of: {', '.join(sorted(SOURCES))}")
    return value


def _null_word(value: object) -> object:
    return "null" if value is None else value  # `empty: null` in YAML is not the text "null"


class FieldRule(Rules):
    """One field of the record. `empty`: what to send when the source is known to be empty.

    An unknown value is never sent, whatever `empty` says: absent never clears.
    """

    source: Annotated[str, BeforeValidator(_known_source)]
    type: Literal["text", "email", "number", "checkbox", "datetime", "reference"] = "text"
    max_length: int | None = Field(
        default=None,
        ge=1,
        le=131_072,
        description="in characters as Salesforce counts them (an emoji is two); the rest is cut, an address left out",
    )
    key_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{3}$")] | None = Field(
        default=None, description="of a reference: the first three characters of the ids that it takes"
    )
    empty: Annotated[Literal["omit", "null"], BeforeValidator(_null_word)] = "omit"
    values: dict[str, str] = Field(default_factory=dict, description="Zendesk's word -> the picklist's")


def _text(source: str, max_length: int, empty: Literal["omit", "null"] = "null") -> FieldRule:
    return FieldRule(source=source, max_length=max_length, empty=empty)


def _moment(source: str) -> FieldRule:
    return FieldRule(source=source, type="datetime", empty="null")


ACCOUNT_PREFIX = "001"  # of every Account's id, in every org


def default_fields() -> dict[str, FieldRule]:
    """The shipped record: one custom object of our own (docs/vendors/salesforce.md#names)."""
    return {
        "Subject__c": _text("subject", 255),
        "Status__c": _text("status", 40, "omit"),
        "Priority__c": _text("priority", 40),
        "Tags__c": _text("tags", 32_000),
        "Form__c": _text("form_id", 40),
        "Assignee_Id__c": _text("assignee_id", 40),
        "Requester_Id__c": _text("requester_id", 40, "omit"),
        "Requester_Email__c": FieldRule(source="requester_email", type="email", max_length=80, empty="null"),
        "Organization_Id__c": _text("organization_id", 40),
        "Organization_Name__c": _text("organization_name", 255),
        "Account__c": FieldRule(
            source="organization_salesforce_id", type="reference", key_prefix=ACCOUNT_PREFIX, empty="null"
        ),
        "Ticket_URL__c": _text("ticket_url", 255, "omit"),
        "Created_At__c": _moment("created_at"),
        "Updated_At__c": _moment("updated_at"),
        "Solved_At__c": _moment("solved_at"),
    }


class TicketRecordPolicy(Rules):
    """The record of a ticket: object, external id and fields."""

    object: ApiName = "Zendesk_Ticket__c"
    external_id: ApiName = "Zendesk_Ticket_ID__c"
    external_id_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{0,40}$")] = Field(
        default="", description="such as `acme:`, where two Zendesks write into one Salesforce"
    )
    fields: dict[ApiName, FieldRule] = Field(default_factory=default_fields, min_length=1)

    @model_validator(mode="after")
    def _external_id_apart(self) -> Self:
        if self.external_id in self.fields:
            raise ValueError(f"{self.external_id} is the external id: it is always sent, do not list it")
        return self

    @property
    def sources(self) -> frozenset[str]:
        """Every source that some field wants."""
        return frozenset(rule.source for rule in self.fields.values())
