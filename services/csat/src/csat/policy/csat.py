"""Rules that are right one by one and wrong together: found before anything starts, each with the place to change."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from supportops.config.rules_file import Place
from supportops.config.validation_messages import suggest

if TYPE_CHECKING:
    from csat.policy.quiet_hours import QuietHours
    from csat.settings import CsatRules


def disagreements(rules: "CsatRules") -> dict[Place, str]:
    """What is wrong, by its place in the section `csat`; empty when all values agree. Pure."""
    return _times(rules) | _tags(rules) | _twice(("reasons",), rules.reasons) | _reasons(rules)


def _times(rules: "CsatRules") -> dict[Place, str]:
    found: dict[Place, str] = {}
    if rules.keep_history <= rules.survey_after + rules.link_valid_for:
        found["keep_history",] = "must be longer than survey_after and link_valid_for together"
    if rules.once_per is not None and rules.keep_history <= rules.once_per:
        found["once_per",] = "must be shorter than keep_history, or who was asked would be forgotten"
    if rules.quiet_hours is not None and rules.too_late_after <= quiet_for(rules.quiet_hours):
        found["too_late_after",] = (
            "must be longer than the quiet hours, or what falls into them is never sent"
        )
    return found


def quiet_for(hours: "QuietHours") -> timedelta:
    """How long the quiet hours last, on a day without a change of the clock."""
    minutes = (hours.ends.hour - hours.starts.hour) * 60 + hours.ends.minute - hours.starts.minute
    return timedelta(minutes=minutes % (24 * 60))


def _tags(rules: "CsatRules") -> dict[Place, str]:
    """A tag of ours that also excludes would keep a ticket from ever being asked about."""
    ours = {"sent_tag": rules.sent_tag, "native_tag": rules.native_tag, "feedback.tag": rules.feedback.tag}
    found: dict[Place, str] = {}
    for name, tag in ours.items():
        if tag is not None and tag == rules.merge_tag:
            found["merge_tag",] = f"is also {name}, which csat itself adds: it cannot exclude a ticket too"
        for position, excluded in enumerate(rules.excluded_tags):
            if tag == excluded:
                found["excluded_tags", position] = f"is {name}, which csat itself adds: it cannot exclude too"
    return found


def _reasons(rules: "CsatRules") -> dict[Place, str]:
    """What is written down about a reason that nobody can choose. Defaults of ours that do not fit just lie idle."""
    feedback, native = rules.feedback, rules.native_ratings
    named: dict[Place, str] = {}
    if "routes" in feedback.model_fields_set:
        named |= {("feedback", "routes", reason): reason for reason in feedback.routes}
    if "reasons" in native.model_fields_set:
        named |= {("native_ratings", "reasons", theirs): ours for theirs, ours in native.reasons.items()}
    if "other_reason" in native.model_fields_set and native.other_reason is not None:
        named["native_ratings", "other_reason"] = native.other_reason
    return {
        place: f"is none of csat.reasons{suggest(reason, rules.reasons)}"
        for place, reason in named.items()
        if reason not in rules.reasons
    }


def _twice(place: Place, values: Sequence[str]) -> dict[Place, str]:
    return {
        (*place, position): f"is given twice: {value}"
        for position, value in enumerate(values)
        if value in values[:position]
    }
