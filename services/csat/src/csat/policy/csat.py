"""The section `csat` of the organization's rules, and what is right value by value and wrong together."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from csat.policy.feedback import FeedbackPolicy
from csat.policy.kpi import KpiPolicy
from csat.policy.native_ratings import NativeRatingsPolicy
from csat.policy.quiet_hours import QuietHours
from csat.policy.survey_page import SurveyPagePolicy
from supportops.config.rules_file import Duration, Mistakes, Place, Rules
from supportops.config.validation_messages import suggest

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,100}$")]


class CsatPolicy(Rules):
    """The section `csat` of the YAML file; the defaults are the handbook's."""

    survey_after: Duration = Field(timedelta(hours=24), description="From solved to the survey (C3).")
    link_valid_for: Duration = Field(timedelta(days=28), description="How long a survey may be answered.")
    excluded_organizations: tuple[Name, ...] = Field(
        ("GitLab",), description="Organizations whose members are not surveyed, by exact name (C7)."
    )
    excluded_tags: tuple[Name, ...] = Field(
        ("pending_old", "spam_ticket"), description="Tickets with one of these tags are not surveyed (C4)."
    )
    merge_tag: Tag = Field(
        "close_by_merge", description="Tag of a ticket that was merged into another one: not surveyed (C5)."
    )
    excluded_recipients: tuple[Name, ...] = Field(
        ("mail-list@gitlab.com",), description="Tickets received at these addresses are not surveyed (C6)."
    )
    survey_private: bool = Field(
        False, description="Whether tickets without a public comment, which no requester saw, are surveyed."
    )
    once_per: Duration | None = Field(
        None, description="A requester is asked at most once in this time; null: about every ticket."
    )
    sampling_share: float = Field(
        1.0, ge=0, le=1, description="Share of the solved tickets that are surveyed; 1: all."
    )
    too_late_after: Duration = Field(
        timedelta(days=7), description="What is overdue for longer is recorded as too late and not sent."
    )
    catch_up: Duration | None = Field(
        timedelta(minutes=5),
        description="How often Zendesk's export is looked through for what no webhook told, which takes an "
        "administrator; null: never.",
    )
    quiet_hours: QuietHours | None = Field(
        None, description="When nobody is asked, by the requester's own clock; null: whenever it is due."
    )
    ask_by: Literal["hosted", "native"] = Field(
        "hosted", description="hosted: a comment with our links; native: only the tag, Zendesk asks."
    )
    sent_tag: Tag = Field(
        "csat_survey_sent", description="Tag that the ticket gets when it was surveyed (C3)."
    )
    native_tag: Tag | None = Field(
        None,
        description="Tag on which Zendesk's own survey goes out, beside sent_tag; null: sent_tag itself.",
    )
    reasons: tuple[Name, ...] = Field(
        (
            "GitLab doesn't meet my needs",
            "The answer wasn't delivered in a timely manner",
            "My issue was not resolved",
            "The answer wasn't helpful",
            "Some other reason",
        ),
        description="What a bad rater may choose from (C10).",
    )
    comment_limit: int = Field(5000, ge=1, le=20_000, description="Characters that a comment may have.")
    ticket_updates_per_minute: int | None = Field(
        100,
        ge=1,
        description="Zendesk's limit of ticket updates for the account (docs/vendors/zendesk.md#rest); null lifts it.",
    )
    surveys_per_minute: int | None = Field(
        None,
        ge=1,
        description="Surveys in a minute, where fewer are wanted than the limit of updates allows.",
    )
    keep_history: Duration = Field(
        timedelta(days=730), description="How long tickets, decisions, surveys and answers are kept."
    )
    keep_comments: Duration = Field(
        timedelta(days=365), description="How long the words of a comment are kept; its rating stays."
    )
    native_ratings: NativeRatingsPolicy = Field(
        NativeRatingsPolicy(), description="Ratings that Zendesk itself collects."
    )
    page: SurveyPagePolicy = Field(SurveyPagePolicy(), description="The survey page.")
    feedback: FeedbackPolicy = Field(FeedbackPolicy(), description="Feedback as GitLab issues (C11).")
    numbers: KpiPolicy = Field(KpiPolicy(), description="Targets and breakdowns (C9).")

    @model_validator(mode="after")
    def _values_agree(self) -> Self:
        if found := disagreements(self):
            raise Mistakes(found)
        return self


def disagreements(policy: CsatPolicy) -> dict[Place, str]:
    """What is wrong, by its place in the section `csat`; empty when all values agree. Pure."""
    return _times(policy) | _tags(policy) | _twice(("reasons",), policy.reasons) | _reasons(policy)


def _times(policy: CsatPolicy) -> dict[Place, str]:
    found: dict[Place, str] = {}
    if policy.keep_history <= policy.survey_after + policy.link_valid_for:
        found["keep_history",] = "must be longer than survey_after and link_valid_for together"
    if policy.once_per is not None and policy.keep_history <= policy.once_per:
        found["once_per",] = "must be shorter than keep_history, or who was asked would be forgotten"
    if policy.catch_up is not None and policy.catch_up < timedelta(minutes=1):
        found["catch_up",] = (
            "must be at least 1m: Zendesk takes ten such calls a minute from the whole account"
        )
    if policy.quiet_hours is not None and policy.too_late_after <= quiet_for(policy.quiet_hours):
        found["too_late_after",] = (
            "must be longer than the quiet hours, or what falls into them is never sent"
        )
    return found


def quiet_for(hours: QuietHours) -> timedelta:
    """How long the quiet hours last, on a day without a change of the clock."""
    minutes = (hours.ends.hour - hours.starts.hour) * 60 + hours.ends.minute - hours.starts.minute
    return timedelta(minutes=minutes % (24 * 60))


def _tags(policy: CsatPolicy) -> dict[Place, str]:
    """A tag of ours that also excludes would keep a ticket from ever being asked about."""
    ours = {"sent_tag": policy.sent_tag, "native_tag": policy.native_tag, "feedback.tag": policy.feedback.tag}
    found: dict[Place, str] = {}
    for name, tag in ours.items():
        if tag is not None and tag == policy.merge_tag:
            found["merge_tag",] = f"is also {name}, which csat itself adds: it cannot exclude a ticket too"
        for position, excluded in enumerate(policy.excluded_tags):
            if tag == excluded:
                found["excluded_tags", position] = f"is {name}, which csat itself adds: it cannot exclude too"
    return found


def _reasons(policy: CsatPolicy) -> dict[Place, str]:
    """What is written down about a reason that nobody can choose. Defaults of ours that do not fit just lie idle."""
    feedback, native = policy.feedback, policy.native_ratings
    named: dict[Place, str] = {}
    if "routes" in feedback.model_fields_set:
        named |= {("feedback", "routes", reason): reason for reason in feedback.routes}
    if "reasons" in native.model_fields_set:
        named |= {("native_ratings", "reasons", theirs): ours for theirs, ours in native.reasons.items()}
    if "other_reason" in native.model_fields_set and native.other_reason is not None:
        named["native_ratings", "other_reason"] = native.other_reason
    return {
        place: f"is none of csat.reasons{suggest(reason, policy.reasons)}"
        for place, reason in named.items()
        if reason not in policy.reasons
    }


def _twice(place: Place, values: Sequence[str]) -> dict[Place, str]:
    return {
        (*place, position): f"is given twice: {value}"
        for position, value in enumerate(values)
        if value in values[:position]
    }
