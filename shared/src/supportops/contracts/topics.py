"""The one topic table: topics are created, checked and documented from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from supportops.contracts.csat import CSAT_EVENTS
from supportops.contracts.envelope import Event
from supportops.contracts.organizations import ORGANIZATION_EVENTS
from supportops.contracts.salesforce import SALESFORCE_EVENTS
from supportops.contracts.tickets import TICKET_EVENTS
from supportops.contracts.users import USER_EVENTS

# Personal data leaves Kafka by retention only, so these stay short.
_TWO_WEEKS = timedelta(days=14)
_MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Topic:
    """``key`` says in words what the record key (= ce_subject) is; writers and readers are services."""

    name: str
    partitions: int
    key: str
    retention: timedelta
    events: tuple[type[Event], ...] = ()
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()


TOPICS: tuple[Topic, ...] = (
    Topic(
        "zendesk.tickets",
        partitions=12,
        key="ticket id",
        retention=_TWO_WEEKS,
        events=TICKET_EVENTS,
        writers=("ingest",),
        readers=("csat", "sfdc-sync", "notifier"),
    ),
    Topic(
        "zendesk.organizations",
        partitions=6,
        key="organization id",
        retention=_TWO_WEEKS,
        events=ORGANIZATION_EVENTS,
        writers=("ingest",),
        readers=("sfdc-sync", "notifier"),
    ),
    Topic(
        "zendesk.users",
        partitions=6,
        key="user id",
        retention=_TWO_WEEKS,
        events=USER_EVENTS,
        writers=("ingest",),
        readers=("csat",),
    ),
    Topic(
        "csat.surveys",
        partitions=6,
        key="ticket id",
        retention=_TWO_WEEKS,
        events=tuple(event for event in CSAT_EVENTS if event.topic == "csat.surveys"),
        writers=("csat",),
        readers=("notifier",),
    ),
    Topic(
        "csat.feedback",
        partitions=6,
        key="ticket id",
        retention=_TWO_WEEKS,
        events=tuple(event for event in CSAT_EVENTS if event.topic == "csat.feedback"),
        writers=("csat",),
        readers=("notifier",),
    ),
    Topic(
        "salesforce.records",
        partitions=6,
        key="ticket id",
        retention=_TWO_WEEKS,
        events=tuple(event for event in SALESFORCE_EVENTS if event.topic == "salesforce.records"),
        writers=("sfdc-sync",),
        readers=("notifier",),
    ),
    Topic(
        "salesforce.integrity",
        partitions=6,
        key="run id",
        retention=_TWO_WEEKS,
        events=tuple(event for event in SALESFORCE_EVENTS if event.topic == "salesforce.integrity"),
        writers=("sfdc-sync",),
        readers=("notifier",),
    ),
)

GROUPS: tuple[str, ...] = ("csat", "sfdc-sync", "notifier")
EVENTS: dict[str, type[Event]] = {event.type: event for topic in TOPICS for event in topic.events}


def dead_letter_topic(group: str) -> Topic:
    """Where a consumer group puts records it cannot handle; the record keeps its key and headers."""
    return Topic(
        f"{group}.dead-letter",
        partitions=1,
        key="key of the origin record",
        retention=_MONTH,
        writers=(group,),
    )


def all_topics(groups: Iterable[str] = GROUPS) -> tuple[Topic, ...]:
    """Every topic a broker must have: the table, and one dead-letter topic per consumer group."""
    return (*TOPICS, *(dead_letter_topic(group) for group in groups))
