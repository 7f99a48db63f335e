"""The published contracts: events, topics and the codec. Imports no I/O."""

from supportops.contracts.codec import UnknownEventType, decode, encode, event_type, reprocess_group
from supportops.contracts.csat import FeedbackReceived, SurveyEvent, SurveySent, SurveySkipped
from supportops.contracts.envelope import Event, Part, UtcDatetime, ZendeskId
from supportops.contracts.organizations import (
    OrganizationCreated,
    OrganizationDeleted,
    OrganizationEvent,
    OrganizationSnapshot,
    OrganizationUpdated,
)
from supportops.contracts.salesforce import RecordWritten
from supportops.contracts.tickets import (
    Change,
    Comment,
    TicketClosed,
    TicketCommented,
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketRated,
    TicketReopened,
    TicketSlaChanged,
    TicketSnapshot,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from supportops.contracts.topics import (
    EVENTS,
    GROUPS,
    TOPICS,
    Topic,
    all_topics,
    dead_letter_topic,
)
from supportops.contracts.users import UserMerged

__all__ = [
    "EVENTS",
    "GROUPS",
    "TOPICS",
    "Change",
    "Comment",
    "Event",
    "FeedbackReceived",
    "OrganizationCreated",
    "OrganizationDeleted",
    "OrganizationEvent",
    "OrganizationSnapshot",
    "OrganizationUpdated",
    "Part",
    "RecordWritten",
    "SurveyEvent",
    "SurveySent",
    "SurveySkipped",
    "TicketClosed",
    "TicketCommented",
    "TicketCreated",
    "TicketDeleted",
    "TicketEvent",
    "TicketMerged",
    "TicketRated",
    "TicketReopened",
    "TicketSlaChanged",
    "TicketSnapshot",
    "TicketSolved",
    "TicketUndeleted",
    "TicketUpdated",
    "Topic",
    "UnknownEventType",
    "UserMerged",
    "UtcDatetime",
    "ZendeskId",
    "all_topics",
    "dead_letter_topic",
    "decode",
    "encode",
    "event_type",
    "reprocess_group",
]
