"""One field of the record: where its value comes from, and how it is made to fit (YAML, `ticket_record.fields`)."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from supportops.config.rules_file import Mistakes, Place, Rules
from supportops.config.validation_messages import matching
from supportops.contracts.tickets import TicketSnapshot

ACCOUNT_PREFIX, CONTACT_PREFIX = "001", "003"
"""Of every Account's and every Contact's id, in every org."""

# What the ticket's events tell (fields of the snapshot), and what the kind of an event says by itself.
SNAPSHOT_SOURCES = frozenset(TicketSnapshot.model_fields)
STATE_SOURCES = SNAPSHOT_SOURCES | {"solved_at", "deleted", "merged_into_id"}

# What is worked out or read by REST when the record is written.
REQUESTER_SOURCES = frozenset({"requester_email", "requester_name"})
ORGANIZATION_SOURCES = frozenset({"organization_name", "organization_salesforce_id"})
ASSIGNEE_SOURCES = frozenset({"assignee_name", "assignee_email"})
MATCH_SOURCES = frozenset({"account_id", "account_name", "account_match", "contact_id", "contact_match"})
NAME_SOURCES = frozenset({"form_name", "group_name", "brand_name"})
SLA_SOURCES = frozenset({"sla_stage", "sla_metric", "sla_breach_at"})
LOOKED_UP = (
    REQUESTER_SOURCES | ORGANIZATION_SOURCES | ASSIGNEE_SOURCES | MATCH_SOURCES | NAME_SOURCES | SLA_SOURCES
)
SOURCES = STATE_SOURCES | LOOKED_UP | {"ticket_id", "ticket_url"}
_CUSTOM = re.compile(r"custom_field:[0-9]{1,20}|(?:organization|requester)_field:[A-Za-z0-9_]{1,100}")

FieldType = Literal[
    "text",
    "long_text",
    "email",
    "number",
    "currency",
    "checkbox",
    "picklist",
    "multi_picklist",
    "date",
    "datetime",
    "reference",
]
TEXTS: frozenset[FieldType] = frozenset({"text", "long_text"})


_OF_TYPES: Mapping[str, tuple[FieldType, ...]] = {
    "max_length": ("text", "long_text", "email", "picklist", "multi_picklist"),
    "values": ("text", "long_text", "picklist", "multi_picklist"),
    "otherwise": ("text", "long_text", "picklist", "multi_picklist"),
    "decimals": ("number", "currency"),
    "key_prefix": ("reference",),
}
"""What means something for these types alone."""


def is_custom(source: str) -> bool:
    """Whether `source` is a custom field: of the ticket by its id, of organization or requester by its key."""
    return bool(_CUSTOM.fullmatch(source))


def _known_source(value: object) -> object:
    if value not in SOURCES and not (isinstance(value, str) and is_custom(value)):
        others = "custom_field:ID, organization_field:KEY, requester_field:KEY"
        raise ValueError(f"must be one of: {', '.join(sorted(SOURCES))}, {others}")
    return value


def _null_word(value: object) -> object:
    return "null" if value is None else value  # `empty: null` in YAML is not the text "null"


class FieldRule(Rules):
    """One field of the record. `empty`: what to send when the source is known to be empty.

    An unknown value is never sent, whatever `empty` says: absent never clears.
    """

    source: Annotated[str, BeforeValidator(_known_source)]
    type: FieldType = "text"
    max_length: int | None = Field(
        default=None,
        ge=1,
        le=131_072,
        description="in characters as Salesforce counts them (an emoji is two)",
    )
    decimals: int | None = Field(
        default=None, ge=0, le=18, description="of a number or an amount; rounded half up, and said so"
    )
    key_prefix: Annotated[str, matching(r"[A-Za-z0-9]{3}", "three letters or digits, such as 001")] | None = (
        Field(default=None, description="of a reference: the first three characters of the ids that it takes")
    )
    empty: Annotated[Literal["omit", "null"], BeforeValidator(_null_word)] = "omit"
    unfit: Annotated[Literal["cut", "omit", "null"], BeforeValidator(_null_word)] | None = Field(
        default=None,
        description="a value that does not fit: cut (text alone, its default), left out (the default of all others), "
        "or the field cleared",
    )
    values: dict[str, str] = Field(default_factory=dict, description="Zendesk's word -> the picklist's")
    otherwise: str | None = Field(
        default=None,
        description="the word for one that `values` does not have; without it such a word goes as it is",
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        wrong: dict[Place, str] = {
            (name,): f"means nothing for {self.type}; it is for {', '.join(types)}"
            for name, types in _OF_TYPES.items()
            if getattr(self, name) not in (None, {}) and self.type not in types
        }
        if self.unfit == "cut" and self.type not in TEXTS:
            wrong["unfit",] = f"cut is for text, not for {self.type}; allowed: omit, null"
        if self.otherwise is not None and not self.values:
            wrong["otherwise",] = "needs values: it is the word for what they do not have"
        if wrong:
            raise Mistakes(wrong)
        return self

    @property
    def when_unfit(self) -> str:
        """`unfit`, or the type's own way."""
        return self.unfit or ("cut" if self.type in TEXTS else "omit")
