"""What can happen to a ticket, in the words of the rules: every kind that a feed may name (docs/notifier.md). Pure.

Zendesk's events become kinds by their type; what others change (followers, due dates, descriptions) is no news.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

Kind = Literal[
    "created",
    "commented",
    "deleted",
    "spam",
    "merged",
    "restored",
    "rated",
    "solved",
    "closed",
    "reopened",
    "status",
    "reassigned",
    "unassigned",
    "assigned",
    "group",
    "priority",
    "form",
    "organization",
    "brand",
    "requester",
    "type",
    "subject",
    "tags",
    "field",
]
"""What happened. Of several in one action the first of this list is what the message is about."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
COMMENTS: Final[frozenset[Kind]] = frozenset({"created", "commented"})
"""What makes a message of its own that shows words; all others are changes."""
GONE: Final[frozenset[Kind]] = frozenset({"deleted", "spam"})
"""After these the ticket cannot be read any more."""

ASSIGNMENTS: Final[frozenset[Kind]] = frozenset({"assigned", "reassigned", "unassigned"})
BY_ID: Final[frozenset[Kind]] = ASSIGNMENTS | {"group", "form", "organization", "brand", "requester"}
"""Changes that are told by ids: people read names."""

UPDATES: Final[Mapping[str, Kind]] = {
    "status_changed": "status",
    "agent_assignment_changed": "assigned",
    "group_assignment_changed": "group",
    "priority_changed": "priority",
    "form_changed": "form",
    "organization_changed": "organization",
    "brand_changed": "brand",
    "requester_changed": "requester",
    "type_changed": "type",
    "subject_changed": "subject",
    "tags_changed": "tags",
    "custom_field_changed": "field",
    "marked_as_spam": "spam",
}
"""Zendesk's names of changes (docs/vendors/zendesk.md#ticket-events) that a feed may want."""


def main(kinds: Iterable[Kind]) -> Kind:
    """The kind that a message is about, of those that came together; there is at least one."""
    return min(kinds, key=KINDS.index)


def assignment(before: object, after: object) -> Kind:
    """Which of the three an assignment is; one whose former assignee is not told counts as the first."""
    if not after:
        return "unassigned"
    return "reassigned" if before else "assigned"
