"""Which lines of a text GitLab executes as quick actions, by the rules of its own extractor
(docs/vendors/gitlab.md#untrusted-text).

Every carriage return is deleted first. Then a command is `/name` at the very start of a line, in any case, outside
fenced blocks of backticks, code spans whose backticks begin and end lines, HTML blocks whose tags are alone on their
lines, and `>>>` quotes. Tildes, comments of HTML and list items protect nothing. Where versions of GitLab differ
this stand-in executes: an injection must show.
"""

import re
from dataclasses import dataclass

KNOWN = (
    *(
        "add_contacts",
        "approve",
        "assign",
        "assign_reviewer",
        "award",
        "board_move",
        "cc",
        "child_of",
        "clear_health_status",
    ),
    *(
        "clear_weight",
        "clone",
        "close",
        "confidential",
        "convert_to_ticket",
        "copy_metadata",
        "create_merge_request",
    ),
    *(
        "done",
        "draft",
        "due",
        "due_date",
        "duplicate",
        "epic",
        "estimate",
        "estimate_time",
        "health_status",
        "in_due_date",
    ),
    *(
        "invite_email",
        "iteration",
        "label",
        "labels",
        "link",
        "lock",
        "merge",
        "milestone",
        "move",
        "page",
        "parent_epic",
    ),
    *(
        "promote",
        "promote_to",
        "promote_to_incident",
        "publish",
        "react",
        "reassign",
        "reassign_reviewer",
        "ready",
    ),
    *("rebase", "relabel", "relate", "remove_contacts", "remove_due_date", "remove_email", "remove_epic"),
    *(
        "remove_estimate",
        "remove_iteration",
        "remove_label",
        "remove_milestone",
        "remove_parent",
        "remove_time_spent",
    ),
    *(
        "remove_zoom",
        "reopen",
        "request_review",
        "severity",
        "shrug",
        "spend",
        "spend_time",
        "spent",
        "subscribe",
    ),
    *("tableflip", "tag", "target_branch", "timeline", "title", "todo", "type", "unapprove", "unassign"),
    *(
        "unassign_reviewer",
        "unlabel",
        "unlink",
        "unlock",
        "unsubscribe",
        "weight",
        "wip",
        "zoom",
        "blocks",
        "blocked_by",
    ),
)
KEPT = ("cc", "shrug", "tableflip")
"""These do nothing but mention people or draw; their line stays in the text."""

_NAMES = "|".join(sorted(KNOWN, key=len, reverse=True))
_PARTS = re.compile(
    rf"""
      (?P<code> ^```   .+? \n```$ )
    | (?P<span> ^`\n*  .+? \n*`$ )
    | (?P<html> ^<[^>]+?>\n .+? \n</[^>]+?>$ )
    | (?P<quote> ^>>>  .+? \n>>>$ )
    | ^/(?P<name>{_NAMES}) (?:[ ](?P<argument>[^\n]*))? (?:\s*\n|$)
    """,
    re.MULTILINE | re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Command:
    """One executed line: its name in lower case and what followed it."""

    name: str
    argument: str


def extract(text: str) -> tuple[str, list[Command]]:
    """The text without the executed lines, and the commands in their order."""
    commands: list[Command] = []

    def one(match: re.Match[str]) -> str:
        if match["name"] is None:
            return match[0]
        command = Command(match["name"].lower(), (match["argument"] or "").strip())
        commands.append(command)
        return match[0] if command.name in KEPT else ""

    return _PARTS.sub(one, text.replace("\r", "")).rstrip(), commands
