"""Zendesk's REST API, as far as the services need it (docs/vendors/zendesk.md#rest)."""

from supportops.vendors.cache import ReferenceCache
from supportops.vendors.zendesk.calls import Rows
from supportops.vendors.zendesk.client import Refused, Zendesk, open_zendesk
from supportops.vendors.zendesk.exports import ExportPage, Exports
from supportops.vendors.zendesk.history import TagHistory, added_at, merged_at, tag_history
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
from supportops.vendors.zendesk.organizations import (
    Job,
    JobItem,
    OrganizationAdmin,
    OrganizationDetail,
    OrganizationFieldDetail,
    OrganizationPage,
)
from supportops.vendors.zendesk.references import References
from supportops.vendors.zendesk.satisfaction import Page, Satisfaction, SurveyAnswer, SurveyResponse
from supportops.vendors.zendesk.sharing import OrganizationSharing, TicketSharing, UserRights

__all__ = [
    "Audit",
    "AuditEvent",
    "Comment",
    "ExportPage",
    "Exports",
    "Job",
    "JobItem",
    "Named",
    "NewComment",
    "Organization",
    "OrganizationAdmin",
    "OrganizationDetail",
    "OrganizationFieldDetail",
    "OrganizationPage",
    "OrganizationSharing",
    "Page",
    "ReferenceCache",
    "References",
    "Refused",
    "Rows",
    "Satisfaction",
    "SatisfactionRating",
    "SurveyAnswer",
    "SurveyResponse",
    "TagHistory",
    "Ticket",
    "TicketSharing",
    "User",
    "UserRights",
    "Zendesk",
    "added_at",
    "merged_at",
    "open_zendesk",
    "tag_history",
]
