"""Zendesk's REST API, as far as the services need it (zendesk.md §4)."""

from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk.client import Refused, Zendesk, open_zendesk
from supportops.vendors.zendesk.models import (
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
    "Comment",
    "Named",
    "NewComment",
    "Organization",
    "ReferenceCache",
    "References",
    "Refused",
    "SatisfactionRating",
    "Ticket",
    "User",
    "Zendesk",
    "open_zendesk",
]
