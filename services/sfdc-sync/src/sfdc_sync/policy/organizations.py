"""What the organization decides about accounts and organizations (YAML, `sfdc_sync.organizations`)."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sfdc_sync.policy.names import ApiName, FieldPath
from supportops.config.durations import Duration
from supportops.config.rules_file import Mistakes, Place, Rules
from supportops.config.validation_messages import matching

FieldKey = Annotated[
    str, matching(r"[A-Za-z0-9_]{1,100}", "the key of an organization field: letters, digits and underscores")
]
"""The key of an organization field."""
Tag = Annotated[
    str, matching(r"[a-z0-9_./-]{1,80}", "an option's tag: lower-case letters, digits, and any of _ . / -")
]
"""A dropdown's option, as the API carries it."""

type FieldType = Literal["text", "integer", "decimal", "checkbox", "dropdown", "date"]


_OF_TYPES: Mapping[str, FieldType] = {
    "max_length": "text",
    "places": "decimal",
    "rounding": "decimal",
    "true_when": "checkbox",
}
"""What means something for one type alone."""


class OrganizationField(Rules):
    """One organization field and where its value comes from (docs/rules.md S7)."""

    source: FieldPath
    type: FieldType = "text"
    max_length: int | None = Field(default=None, ge=1, le=65_535, description="of a text: the rest is cut")
    places: int = Field(default=2, ge=0, le=6, description="of a decimal: digits after the point")
    rounding: Literal["half_even", "half_up", "down"] = "half_even"
    currency: Literal["record", "converted"] = Field(
        default="record",
        description="of an amount: the record's own currency, or converted into the integration user's",
    )
    values: dict[str, Tag] = Field(
        default_factory=dict, description="of a dropdown: Salesforce's label -> option's tag"
    )
    true_when: tuple[str, ...] = Field(
        default=(),
        description="of a checkbox: the words that mean true; without them Salesforce's own true and false",
    )
    empty: Literal["blank", "keep"] = Field(
        default="blank",
        description="what an empty value does: empties the organization's field, or leaves it",
    )

    @model_validator(mode="after")
    def _options_of_its_type(self) -> Self:
        wrong: dict[Place, str] = {
            (name,): f"means nothing for {self.type}; it is for {kind}"
            for name, kind in _OF_TYPES.items()
            if name in self.model_fields_set and getattr(self, name) not in (None, ()) and self.type != kind
        }
        if (self.type == "dropdown") != bool(self.values):
            wrong["values",] = "a dropdown needs its labels and tags, and nothing else has any"
        if wrong:
            raise Mistakes(wrong)
        return self


_PLANS = ("Basic", "Premium", "Custom", "Bronze", "Silver", "Gold", "Expired", "Hold", "Starter", "Ultimate",
          "Community", "Other")  # fmt: skip
_TYPES = ("Authorized Reseller", "Customer", "Former Customer", "Integrator", "Partner", "Prospect",
          "Unofficial Reseller", "Reseller")  # fmt: skip


def _options(labels: tuple[str, ...]) -> dict[str, str]:
    return {label: label.lower().replace(" ", "_") for label in labels}


def _field(source: str) -> OrganizationField:
    return OrganizationField(source=source)


def default_fields() -> dict[str, OrganizationField]:
    """The nine fields of S7 under the handbook's keys (`aar` is theirs, misspelt for ever)."""
    return {
        "account_owner": _field("Owner.Name"),
        "aar": OrganizationField(source="CARR_This_Account__c", type="decimal"),
        "salesforce_id": _field("Id"),
        "seats_decimal": OrganizationField(source="Number_of_Licenses_This_Account__c", type="integer"),
        "market_segment": _field("Market_Segment__c"),
        "support_level": OrganizationField(
            source="Support_Level__c", type="dropdown", values=_options(_PLANS)
        ),
        "technical_account_manager": _field("Technical_Account_Manager__r.Name"),
        "sales_segmentation": _field("Ultimate_Parent_Sales_Segment_Employees__c"),
        "account_type": OrganizationField(source="Type", type="dropdown", values=_options(_TYPES)),
    }


class Subscriptions(Rules):
    """The plan worked out from the account's subscriptions: the best of those that live."""

    relationship: ApiName
    status: ApiName
    live: tuple[str, ...] = Field(default=("Active",), min_length=1)
    plan: ApiName
    ends: ApiName | None = None
    ranking: tuple[str, ...] = Field(
        default=("Ultimate", "Gold", "Premium", "Silver", "Custom", "Community"),
        min_length=1,
        description="labels of plans, the best first; a plan that is not named here counts for nothing",
    )


def _sla() -> dict[str, str]:
    standard = dict.fromkeys(("bronze", "starter", "basic"), "standard")
    priority = dict.fromkeys(("silver", "gold", "premium", "ultimate"), "priority")
    return standard | priority | dict.fromkeys(("custom", "expired", "hold", "community"), "none")


class PlanPolicy(Rules):
    """Which field is the plan, when it has expired, and what it means for SLAs."""

    field: FieldKey = "support_level"
    subscriptions: Subscriptions | None = None
    ends: FieldPath | None = Field(
        default=None, description="the account's date after which its plan is expired"
    )
    grace: Duration = Field(timedelta(days=15), description="after that date the plan still counts")
    expired: str = Field(default="Expired", description="label of the plan of whoever has none any more")
    expired_sets: dict[FieldKey, str | int | float | bool | None] = Field(
        default_factory=dict, description="what other fields are then, such as {aar: 0}"
    )
    sla: dict[Tag, str] = Field(
        default_factory=_sla, description="plan's tag -> name of the SLA policy; else `none`"
    )
    remove_stale_tags: bool = Field(
        default=True,
        description="take the tags of other plans off the organization: its tickets inherit them",
    )


class Limit(Rules):
    """More than `absolute`, or than `share` of the linked organizations, stops a run; `least` always passes."""

    absolute: int = Field(ge=0)
    share: float = Field(gt=0, le=1)
    least: int = Field(default=5, ge=0)

    def allowed(self, linked: int) -> int:
        """The number that still passes where `linked` organizations are linked."""
        return max(self.least, min(self.absolute, int(self.share * linked)))


class BrakePolicy(Rules):
    """What stops a run before its first write, until a person lifts it for one run."""

    changes: Limit = Field(Limit(absolute=1_000, share=0.25, least=20), description="of one field")
    fields: dict[str, Limit] = Field(default_factory=dict, description="of a field that has its own limit")
    blanks: Limit = Field(
        Limit(absolute=100, share=0.05, least=5), description="values of one field that become empty"
    )
    disappeared: Limit = Field(
        Limit(absolute=50, share=0.02, least=3), description="linked accounts that are not there"
    )
    marks: Limit = Field(
        Limit(absolute=100, share=0.05, least=5), description="organizations marked for review"
    )
    creates: Limit = Field(Limit(absolute=500, share=0.25, least=20), description="new organizations")


class IntegrityPolicy(Rules):
    """The daily reports (docs/rules.md S9)."""

    every: Duration = timedelta(days=1)
    product: FieldPath | None = Field(
        default=None,
        description="the account's field that names its products; without it two reports are not judged",
    )
    dotcom: tuple[str, ...] = Field(default=("GitLab.com",), description="words of that field")
    self_managed: tuple[str, ...] = Field(default=("Self-managed",), description="words of that field")
    public_domains: frozenset[str] = Field(
        default=frozenset(
            {
                "gmail.com",
                "googlemail.com",
                "outlook.com",
                "hotmail.com",
                "yahoo.com",
                "icloud.com",
                "gmx.de",
                "gmx.net",
                "web.de",
                "aol.com",
                "proton.me",
                "protonmail.com",
            }
        ),
        description="mail domains that belong to nobody: malformed on an organization",
    )
    ignore_file: Path | None = Field(
        default=None, description="findings to leave out, each with reason and end date"
    )


class OrganizationsPolicy(Rules):
    """`sfdc_sync.organizations:` in the rules' file (accounts → organizations)."""

    enabled: bool = Field(default=False, description="run by itself; commands work without")
    every: Duration = Field(timedelta(hours=1), description="between two deltas")
    overlap: Duration = Field(timedelta(minutes=15), description="Salesforce shows some rows late")
    full_every: Duration = Field(timedelta(days=1), description="between two full compares")
    types: tuple[str, ...] = Field(
        default=("Customer",), min_length=1, description="Account.Type that gets an organization"
    )
    back_reference: ApiName | None = Field(
        default="Zendesk__Zendesk_Organization_Id__c",
        description="the account's field with the organization's id",
    )
    name: FieldPath = Field(default="Name", description="the account's field that names the organization")
    sync_name: bool = Field(default=False, description="rename organizations after their accounts")
    write_external_id: bool = Field(
        default=True, description="write the account's id to external_id where that is empty"
    )
    marked: FieldKey = Field(
        default="marked_for_review", description="checkbox of organizations without an account"
    )
    fields: dict[FieldKey, OrganizationField] = Field(default_factory=default_fields, min_length=1)
    plan: PlanPolicy = PlanPolicy()
    overrides_file: Path | None = Field(
        default=None, description="reviewed values that replace Salesforce's, each with reason and end date"
    )
    create_on: tuple[Literal["delta", "full", "bulk"], ...] = Field(
        default=("delta",), description="runs that create organizations; `--create` adds one run"
    )
    relink: Literal["propose", "apply"] = Field(
        default="propose",
        description="what a run of its own does after a merge of accounts: a plan applied by hand always relinks",
    )
    protected: tuple[
        Annotated[str, matching(r"[0-9]{1,20}", "the id of an organization in Zendesk: digits")], ...
    ] = Field(default=(), description="organizations that are never marked")
    salesforce_org_id: (
        Annotated[str, matching(r"00D[A-Za-z0-9]{12}([A-Z0-5]{3})?", "the org's id, which begins with 00D")]
        | None
    ) = Field(
        default=None, description="the org that may be read; without it the first run remembers which it was"
    )
    sandbox_allowed: bool = Field(
        default=False, description="a Salesforce sandbox may write to a production Zendesk"
    )
    quota_share: float = Field(
        default=0.8, gt=0, le=1, description="of the daily requests, at which runs and checks stop"
    )
    keep: Duration = Field(timedelta(days=30), description="how long the rows of runs can be searched")
    brake: BrakePolicy = BrakePolicy()
    integrity: IntegrityPolicy = IntegrityPolicy()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong: dict[Place, str] = {}
        if sum(rule.source == "Id" for rule in self.fields.values()) != 1:
            wrong["fields",] = (
                "needs one field with the source Id, such as salesforce_id: links are made by it"
            )
        if self.marked in self.fields:
            wrong["fields", self.marked] = (
                "is the mark of organizations without an account, and has no source"
            )
        plan = self.fields.get(self.plan.field)
        if plan is None or plan.type != "dropdown":
            wrong["plan", "field"] = "must be one of `fields`, of type dropdown"
        elif (self.plan.ends or self.plan.subscriptions) and self.plan.expired not in plan.values:
            wrong["plan", "expired"] = f"is no label of {self.plan.field}; allowed: {', '.join(plan.values)}"
        for place, keys in (
            (("plan", "expired_sets"), self.plan.expired_sets),
            (("brake", "fields"), self.brake.fields),
        ):
            for key in keys.keys() - self.fields.keys():
                wrong[*place, key] = f"is not one of `fields`; allowed: {', '.join(sorted(self.fields))}"
        if wrong:
            raise Mistakes(wrong)
        return self

    @property
    def salesforce_id(self) -> str:
        """Key of the field that holds the account's id."""
        return next(key for key, rule in self.fields.items() if rule.source == "Id")
