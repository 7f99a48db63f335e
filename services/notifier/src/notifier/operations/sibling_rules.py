"""Zendesk's own triggers and automations that do what we do: beside ours they make people hear twice. Pure.

One posts into Slack by a webhook or a target; another hands over to an app, and is known by the tag that it sets so as
to speak once, which is a tag of ours.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from supportops.operations.checks import Finding
from supportops.vendors.zendesk.calls import objects

CHECK = "sibling automations"
REMEDY = "Switch them off one by one, as docs/notifier.md says under Switching over, or people hear twice."
MOST_NAMED = 20
_CALLS = ("notification_webhook", "notification_target")


def judge(
    rules: Sequence[Mapping[str, Any]], webhooks: Sequence[Mapping[str, Any]], tags: Collection[str] = ()
) -> Finding:
    """One finding about all active rules; `webhooks` and targets as Zendesk lists them, `tags`: those that we set."""
    slack = {str(each.get("id")) for each in webhooks if _is_slack(each)}
    posting = [rule for rule in rules if any(_posts(action, slack) for action in objects(rule, "actions"))]
    tagging = [
        rule
        for rule in rules
        if rule not in posting and any(_sets(action, tags) for action in objects(rule, "actions"))
    ]
    if not posting and not tagging:
        return Finding(CHECK, "ok", f"none of {len(rules)} active automations and triggers posts into Slack")
    words = [f"these post into Slack as well: {_names(posting)}"] if posting else []
    words += [f"these set tags of ours, so they tell of the same: {_names(tagging)}"] if tagging else []
    return Finding(CHECK, "warning", "; ".join(words), REMEDY)


def _names(rules: Sequence[Mapping[str, Any]]) -> str:
    names = ", ".join(f'"{str(rule.get("title", "?"))[:80]}"' for rule in rules[:MOST_NAMED])
    return f"{names} and {len(rules) - MOST_NAMED} more" if len(rules) > MOST_NAMED else names


def _posts(action: Mapping[str, Any], slack: set[str]) -> bool:
    """Whether an action calls one of Slack's webhooks, or says so itself."""
    field, value = str(action.get("field", "")), action.get("value")
    if field not in _CALLS:
        return "slack" in field.casefold()
    target = value[0] if isinstance(value, list) and value else value
    return str(target) in slack or "hooks.slack.com" in orjson.dumps(value).decode()


def _sets(action: Mapping[str, Any], tags: Collection[str]) -> bool:
    """Whether an action adds or sets one of the tags."""
    if action.get("field") not in ("current_tags", "set_tags"):
        return False
    return not set(str(action.get("value", "")).split()).isdisjoint(tags)


def _is_slack(webhook: Mapping[str, Any]) -> bool:
    try:
        host = urlsplit(str(webhook.get("endpoint") or webhook.get("target_url") or "")).hostname or ""
    except ValueError:  # no address at all
        return False
    return host == "slack.com" or host.endswith(".slack.com")
