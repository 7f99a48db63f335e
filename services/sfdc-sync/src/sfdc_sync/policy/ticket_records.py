"""What the organization decides about a ticket's record (YAML, `sfdc_sync.ticket_record`).

Object and field names belong to the organization, so every one of them is configuration; `doctor` proves them.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sfdc_sync.policy.fields import ACCOUNT_PREFIX, CONTACT_PREFIX, FieldRule
from sfdc_sync.policy.names import ApiName
from supportops.config.rules_file import Mistakes, Rules
from supportops.config.validation_messages import matching

Fact = Literal["created", "solved", "merged", "deleted", "undeleted", "requester", "organization", "account"]
FACTS: tuple[Fact, ...] = (
    "created",
    "solved",
    "merged",
    "deleted",
    "undeleted",
    "requester",
    "organization",
    "account",
)
Prefix = Annotated[str, matching(r"[A-Za-z0-9._:-]{0,40}", "at most 40 letters, digits, and any of . _ : -")]


def _text(source: str, max_length: int, empty: Literal["omit", "null"] = "null") -> FieldRule:
    return FieldRule(source=source, max_length=max_length, empty=empty)


def _moment(source: str) -> FieldRule:
    return FieldRule(source=source, type="datetime", empty="null")


def _lookup(source: str, key_prefix: str) -> FieldRule:
    return FieldRule(source=source, type="reference", key_prefix=key_prefix, empty="null")


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
        "Account__c": _lookup("account_id", ACCOUNT_PREFIX),
        "Contact__c": _lookup("contact_id", CONTACT_PREFIX),
        "Ticket_URL__c": _text("ticket_url", 255, "omit"),
        "Created_At__c": _moment("created_at"),
        "Updated_At__c": _moment("updated_at"),
        "Solved_At__c": _moment("solved_at"),
    }


class CommentRecordPolicy(Rules):
    """One child record per public comment; private ones never. Off unless switched on."""

    enabled: bool = False
    object: ApiName = "Zendesk_Ticket_Comment__c"
    external_id: ApiName = Field(
        default="Zendesk_Comment_ID__c", description="holds the comment's id; must be unique"
    )
    ticket: ApiName = Field(
        default="Ticket__r", description="the relationship to the ticket's record, by that one's external id"
    )
    body: ApiName = "Body__c"
    max_length: int = Field(default=32_000, ge=1, le=131_072, description="of the body; the rest is cut")
    author: ApiName | None = "Author__c"
    created_at: ApiName | None = "Created_At__c"


class TicketRecordPolicy(Rules):
    """The record of a ticket: object, external id, fields, and what of a ticket's life is written."""

    object: ApiName = "Zendesk_Ticket__c"
    external_id: ApiName = "Zendesk_Ticket_ID__c"
    external_id_prefix: Prefix = Field(
        default="", description="such as `acme:`, where two Zendesks write into one Salesforce"
    )
    write_on: tuple[Fact, ...] = Field(
        default=FACTS,
        description="what has the record written; a change of requester, organization or account (a merge of accounts "
        "in Salesforce, or its end) only where there is a record",
    )
    deleted: Literal["keep", "mark", "delete"] = Field(
        default="mark",
        description="what becomes of a deleted ticket's record: untouched, written once more with source `deleted` "
        "true and status deleted, or put into Salesforce's recycle bin",
    )
    fields: dict[ApiName, FieldRule] = Field(default_factory=default_fields, min_length=1)
    comments: CommentRecordPolicy = CommentRecordPolicy()

    @model_validator(mode="after")
    def _external_id_apart(self) -> Self:
        if self.external_id in self.fields:
            raise Mistakes(
                {("fields", self.external_id): "is the external id: it is always sent, do not list it"}
            )
        return self

    @property
    def sources(self) -> frozenset[str]:
        """Every source that some field wants."""
        return frozenset(rule.source for rule in self.fields.values())


class SkewPolicy(Rules):
    """Accounts with very many tickets: inserting a child locks its parent, so their records go in smaller calls."""

    records: int = Field(default=5_000, ge=1, description="records of one account from which on it is skewed")
    batch: int = Field(default=50, ge=1, le=200, description="records of such an account in one call")
