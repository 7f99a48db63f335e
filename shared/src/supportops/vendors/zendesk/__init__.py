"""Zendesk's REST API, as far as the services need it (zendesk.md §4)."""

from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk.client import Refused, Zendesk, open_zendesk
from supportops.vendors.zendesk.history import TagHistory, merged_at, tag_history
from supportops.vendors.zendesk.models import (
    Audit,
    AuditEvent,
    Comment,
    Named,
    NewComment,
    Organization,
    SatisfactionRating,
    Ticket,
    User,
)
from supportops.vendors.zendesk.references import References

__all__ = [
    "Audit",
    "AuditEvent",
    "Comment",
    "Named",
    "NewComment",
    "Organization",
    "ReferenceCache",
    "References",
    "Refused",
    "SatisfactionRating",
    "TagHistory",
    "Ticket",
    "User",
    "Zendesk",
    "merged_at",
    "open_zendesk",
    "tag_history",
]
