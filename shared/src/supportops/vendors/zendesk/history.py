"""What a ticket's audits tell that its present state does not: whose tags they are, whether it was merged.

A follow-up inherits its parent's tags (docs/vendors/zendesk.md#surprises), so a tag alone does not say that something
was done to *this* ticket: only a tag that came later than the ticket does.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from supportops.vendors.zendesk.models import Audit, AuditEvent

_MERGED_INTO = re.compile(r"\s*This request was closed and merged into request #\d+", re.IGNORECASE)
"""What Zendesk proposes as the comment on a ticket that is merged into another (people may change it)."""


@dataclass(frozen=True, slots=True)
class TagHistory:
    """Where tags come from.

    `born_with`: the ticket was created with them (a follow-up's come from its parent). `added_later`: added to this
    very ticket afterwards, and not taken away again; a tag that was removed and put back is one of these.
    """

    born_with: frozenset[str]
    added_later: frozenset[str]


def tag_history(audits: Sequence[Audit]) -> TagHistory:
    """The tags' origin, from all audits of one ticket, oldest first."""
    born: frozenset[str] = frozenset()
    added: set[str] = set()
    for event in _about_tags(audits):
        now, before = _tags(event.value), _tags(event.previous_value)
        if event.type == "Create":
            born |= now
        else:
            added = (added | (now - before)) - (before - now)
    return TagHistory(born, frozenset(added))


def added_at(audits: Iterable[Audit], tag: str) -> datetime | None:
    """When the tag was added to this very ticket, the last time; None: never, or only removed again since."""
    moment: datetime | None = None
    for audit in audits:
        for event in _of_tags(each for each in audit.events if each.type == "Change"):
            was, is_there = tag in _tags(event.previous_value), tag in _tags(event.value)
            if is_there != was:
                moment = audit.created_at if is_there else None
    return moment


def merged_at(audits: Iterable[Audit], merge_tag: str) -> datetime | None:
    """When this very ticket was merged into another one; None: it was not.

    Any of: `merge_tag` added later than the ticket was created; an audit that closes the ticket and either came
    from a merge or holds Zendesk's comment for it. The target of a merge has such an audit too, but is not closed
    by it; and nobody but an agent can close a ticket, so a customer's words alone prove nothing.
    """
    return next((audit.created_at for audit in audits if _merges(audit, merge_tag)), None)


def _merges(audit: Audit, merge_tag: str) -> bool:
    changes = [event for event in audit.events if event.type == "Change"]
    if any(merge_tag in _tags(each.value) - _tags(each.previous_value) for each in _of_tags(changes)):
        return True
    if not any(each.field_name == "status" and each.value == "closed" for each in changes):
        return False
    said = (event.body for event in audit.events if event.type == "Comment")
    return audit.rel == "merge" or any(_MERGED_INTO.match(body) for body in said)


def _about_tags(audits: Iterable[Audit]) -> Iterable[AuditEvent]:
    return _of_tags(event for audit in audits for event in audit.events)


def _of_tags(events: Iterable[AuditEvent]) -> Iterable[AuditEvent]:
    return (each for each in events if each.field_name == "tags" and each.type in ("Create", "Change"))


def _tags(value: object) -> frozenset[str]:
    """A list of words; null and words in one string are taken as well (docs/vendors/zendesk.md#surprises)."""
    if isinstance(value, str):
        return frozenset(value.split())
    return frozenset(str(each) for each in value) if isinstance(value, list) else frozenset()
