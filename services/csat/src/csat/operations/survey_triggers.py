"""Whether Zendesk's own business rules ask for ratings too, or, where they are to ask, whether they do. Pure.

A rule asks when one of its actions sets or mentions satisfaction, or names a survey. Actions that call a webhook are
left out: they tell of ratings, they ask for none (docs/vendors/zendesk.md#trigger-bodies).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from csat.policy.csat import CsatPolicy
from supportops.operations.checks import Finding
from supportops.vendors.zendesk.calls import objects

CHECK = "other surveys"
_WORDS = ("satisfaction", "csat", "survey")
_TELLING = ("notification_webhook", "notification_target")
_TAGS = ("current_tags", "set_tags", "remove_tags")  # a tag with such a word in its name asks nobody


def judge(business_rules: Sequence[Mapping[str, Any]], policy: CsatPolicy) -> Finding:
    """One finding about all active rules."""
    asking = [rule for rule in business_rules if asks(rule)]
    names = ", ".join(f'"{str(rule.get("title", "?"))[:80]}"' for rule in asking)
    if policy.ask_by == "hosted":
        if not asking:
            return Finding(CHECK, "ok", f"none of {len(business_rules)} active automations and triggers asks")
        remedy = "Deactivate them (docs/csat.md, Switching over), or customers are asked twice."
        return Finding(CHECK, "failed", f"still active: {names}", remedy)
    return _native(asking, names, policy.native_tag or policy.sent_tag)


def _native(asking: Sequence[Mapping[str, Any]], names: str, tag: str) -> Finding:
    """Zendesk is to ask, but only on our tag: a rule without it asks by itself, and nobody asks without a rule."""
    by_themselves = [rule for rule in asking if not _needs(rule, tag)]
    if by_themselves:
        remedy = f"Add the condition that the tags contain {tag}, or deactivate them."
        listed = ", ".join(f'"{str(rule.get("title", "?"))[:80]}"' for rule in by_themselves)
        return Finding(CHECK, "failed", f"ask without waiting for the tag {tag}: {listed}", remedy)
    if not asking:
        remedy = f"Make a trigger that sends the survey when the tag {tag} is added."
        return Finding(CHECK, "failed", "ask_by is native, and no active automation or trigger asks", remedy)
    return Finding(CHECK, "ok", f"on the tag {tag}: {names}")


def asks(rule: Mapping[str, Any]) -> bool:
    """Whether an action of this rule asks for a rating."""
    return any(
        word in orjson.dumps(action).decode().casefold()
        for action in objects(rule, "actions")
        if action.get("field") not in (*_TELLING, *_TAGS)
        for word in _WORDS
    )


def _needs(rule: Mapping[str, Any], tag: str) -> bool:
    """Whether the rule's conditions name the tag."""
    conditions = rule.get("conditions")
    return any(
        one.get("field") == "current_tags"
        and one.get("operator") == "includes"
        and tag in str(one.get("value", "")).split()
        for one in (objects(conditions, "all") if isinstance(conditions, dict) else ())
    )
