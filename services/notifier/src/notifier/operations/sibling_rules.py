"""Zendesk's own triggers and automations that post into Slack: beside ours they make people hear twice. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from supportops.operations.checks import Finding

CHECK = "sibling automations"
REMEDY = "Switch them off one by one, as docs/notifier.md says under Switching over, or people hear twice."
_CALLS = ("notification_webhook", "notification_target")


def judge(rules: Sequence[Mapping[str, Any]], webhooks: Sequence[Mapping[str, Any]]) -> Finding:
    """One finding about all active rules; `webhooks` and targets as Zendesk lists them."""
    slack = {str(each.get("id")) for each in webhooks if _is_slack(each)}
    found = [rule for rule in rules if any(_posts(action, slack) for action in _actions(rule))]
    if not found:
        return Finding(CHECK, "ok", f"none of {len(rules)} active automations and triggers posts into Slack")
    names = ", ".join(f'"{str(rule.get("title", "?"))[:80]}"' for rule in found[:20])
    more = f" and {len(found) - 20} more" if len(found) > 20 else ""
    return Finding(CHECK, "warning", f"these post into Slack as well: {names}{more}", REMEDY)


def _actions(rule: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return (action for action in rule.get("actions") or () if isinstance(action, dict))


def _posts(action: Mapping[str, Any], slack: set[str]) -> bool:
    """Whether an action calls one of Slack's webhooks, or says so itself."""
    field, value = str(action.get("field", "")), action.get("value")
    if field not in _CALLS:
        return "slack" in field.casefold()
    target = value[0] if isinstance(value, list) and value else value
    return str(target) in slack or "hooks.slack.com" in orjson.dumps(value).decode()


def _is_slack(webhook: Mapping[str, Any]) -> bool:
    host = urlsplit(str(webhook.get("endpoint") or webhook.get("target_url") or "")).hostname or ""
    return host == "slack.com" or host.endswith(".slack.com")
