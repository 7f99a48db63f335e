"""What the organization decides about the feedback export (YAML: `csat.feedback`); defaults are the handbook's."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from supportops.config.rules_file import Rules

Label = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^,\r\n]+$", strip_whitespace=True)
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Team = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Mention = Annotated[str, StringConstraints(pattern=r"^@[A-Za-z0-9_][A-Za-z0-9_./-]*$", max_length=255)]

PRODUCT, MANAGERS = "product", "support-managers"


class Wording(Rules):
    """A label for what a name contains, whatever the case."""

    contains: Words = Field(description="Part of the name of a form or a plan.")
    label: Label = Field(description="The label that the issue gets; no comma in it.")


class Route(Rules):
    """What a reason leads to (C10)."""

    labels: tuple[Label, ...] = Field(
        (), description="Labels of the issue beside those that every issue gets."
    )
    team: Team | None = Field(
        None, description="The team that is mentioned in addition to `managers`; null: none."
    )


def _table(*rows: tuple[str, str]) -> tuple[Wording, ...]:
    return tuple(Wording(contains=part, label=label) for part, label in rows)


FORMS = _table(
    ("Refund", "form::Accounts Receivable"),
    ("License", "form::Upgrades & Renewals"),
    ("GitLab.com", "form::GitLab.com"),
    ("Self", "form::Self-managed"),
    ("Security", "form::Security"),
    ("Hosted", "form::GitHost"),
    ("Community", "form::GitLab Community Edition"),
)
PLANS = _table(
    *(
        (plan, "subscription::Customer")
        for plan in ("Premium", "Starter", "Ultimate", "Gold", "Bronze", "Silver")
    )
)
ROUTES = {
    "GitLab doesn't meet my needs": Route(
        labels=("feedback::product-issue", "reason::GitLab doesn't meet my needs"), team=PRODUCT
    ),
    "The answer wasn't delivered in a timely manner": Route(
        labels=("feedback::process", "reason::The answer wasn't delivered in a timely manner"), team=MANAGERS
    ),
    "My issue was not resolved": Route(labels=("reason::The issue was not resolved",), team=MANAGERS),
    "The answer wasn't helpful": Route(labels=("reason::The answer wasn't helpful",), team=MANAGERS),
    "Some other reason": Route(labels=("reason::Some other reason",)),
}
SATISFACTION: dict[Literal["good", "bad"], str] = {"good": "satisfaction::Good", "bad": "satisfaction::Bad"}


def _as_text(value: object) -> object:
    """Ids are numbers in YAML, unless somebody put quotes around them."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class FeedbackPolicy(Rules):
    """Where feedback goes and who hears of it (docs/rules.md C10, C11)."""

    project: Annotated[str, BeforeValidator(_as_text), StringConstraints(min_length=1)] | None = Field(
        None,
        description="Numeric id (or path) of the GitLab project that takes feedback; null: none is exported.",
    )
    confidential: bool = Field(
        True, description="Whether issues are confidential; only for private projects: false."
    )
    tag: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,80}$")] = Field(
        "feedback_exported", description="Tag of a ticket whose issue exists (C11)."
    )
    issues_per_minute: int = Field(
        60, ge=1, le=1000, description="Pace of creations and updates (docs/vendors/gitlab.md#answers)."
    )
    satisfaction: dict[Literal["good", "bad"], Label] = Field(
        SATISFACTION, description="Label of each rating."
    )
    forms: tuple[Wording, ...] = Field(FORMS, description="Label by the form's name: the first that fits.")
    other_form: Label = Field("form::Other", description="Label of all other forms.")
    plans: tuple[Wording, ...] = Field(PLANS, description="Label by the plan's name: the first that fits.")
    other_plan: Label = Field("subscription::Free User", description="Label of all other plans, and of none.")
    routes: dict[Words, Route] = Field(ROUTES, description="What each reason of a bad rating leads to (C10).")
    managers: Team = Field(MANAGERS, description="The team that is mentioned on every bad rating (C11).")
    teams: dict[Team, tuple[Mention, ...]] = Field(
        {MANAGERS: (), PRODUCT: ()},
        description="Whom GitLab is to notify, as @user or @group/subgroup; nobody by default.",
    )

    @field_validator("teams")
    @classmethod
    def _nobody_mentions_all(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if any(name.casefold() == "@all" for names in value.values() for name in names):
            raise ValueError("@all would notify everybody in the project: name users or groups")
        return value

    @model_validator(mode="after")
    def _everything_is_named(self) -> Self:
        if set(self.satisfaction) != {"good", "bad"}:
            raise ValueError("satisfaction needs a label for good and one for bad")
        routed = {self.managers, *(route.team for route in self.routes.values() if route.team)}
        if unknown := sorted(routed - self.teams.keys()):
            raise ValueError(f"teams has no {', '.join(unknown)}; an empty list mentions nobody")
        return self

    @property
    def answer_labels(self) -> frozenset[str]:
        """Every label that follows from an answer, and so may be taken away by another one."""
        routed = {label for route in self.routes.values() for label in route.labels}
        return frozenset({*self.satisfaction.values(), *routed})
