"""What the bot's token must be allowed for each method (docs/vendors/slack.md#posting, #metadata, #mentions)."""

from collections.abc import Iterator
from typing import Any

from sandbox.slack.rules import Refused
from sandbox.slack.workspace import Channel, Workspace

_FIXED = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.postEphemeral": "chat:write",
    "conversations.list": "channels:read",
    "users.lookupByEmail": "users:read.email",
    "users.info": "users:read",
    "usergroups.users.list": "usergroups:read",
}
_BY_CHANNEL = {
    "conversations.info": "read",
    "conversations.history": "history",
    "conversations.replies": "history",
}
_IN_ANOTHER_NAME = ("username", "icon_emoji", "icon_url")


def check_scopes(space: Workspace, method: str, given: dict[str, Any]) -> None:
    """Refuse a call for which the token lacks a scope, as Slack does: before anything else of it is looked at."""
    for needed in _needed(space, method, given):
        if needed not in space.scopes:
            raise Refused("missing_scope", needed=needed, provided=",".join(space.scopes))


def _needed(space: Workspace, method: str, given: dict[str, Any]) -> Iterator[str]:
    if method in _FIXED:
        yield _FIXED[method]
    if method == "chat.postMessage" and any(given.get(each) for each in _IN_ANOTHER_NAME):
        yield "chat:write.customize"
    if method in _BY_CHANNEL:
        yield f"{_family(space.channel(str(given.get('channel', ''))))}:{_BY_CHANNEL[method]}"


def _family(channel: Channel | None) -> str:
    """Slack knows three kinds of conversation that we meet, each with scopes of its own."""
    if channel is not None and channel.id.startswith("D"):
        return "im"
    return "groups" if channel is not None and channel.private else "channels"
