"""What a message costs the database of its consumer; `make bench` counts the same on PostgreSQL's log."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from csat.surveys.handlers import SurveyHandlers
from notifier.feeds.handlers import FeedHandlers
from notifier.feeds.routing import FormNames
from notifier.feeds.scheduling import MessageScheduler
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.ticket_records.handlers import TicketHandlers
from supportops.contracts import Comment, Event, TicketCommented, TicketMerged, TicketReopened, TicketSolved
from supportops.messaging import Consumer, Handlers
from supportops.observability.metrics import Metrics
from supportops.ticket_version import version_of
from tests.integration.notifier.app import RULES
from tests.support.consuming import PaperBroker, feed
from tests.support.engine import SECOND, store_on
from tests.support.records import record_of
from tests.support.statements import counted

CONSUMED = 5  # statements from the record to the next offset, BEGIN and COMMIT included
LEAST = 3  # BEGIN, the offset, COMMIT
HANDLERS: dict[str, Callable[[], Handlers]] = {
    "csat": SurveyHandlers(timedelta(hours=24)).table,
    "sfdc_sync": TicketHandlers(TicketRecordPolicy()).table,
    "notifier": FeedHandlers(RULES, MessageScheduler(RULES, FormNames(timedelta(hours=1)))).table,
}
NOW = datetime.now(UTC)


def about(ticket: int, kind: type[Event], at: int, **more: object) -> Event:
    """Something that happened to a ticket `at` seconds."""
    moment = NOW + at * SECOND
    base = {
        "id": f"{kind.type}-{ticket}-{at}",
        "source": "/zendesk/22129848",
        "time": moment,
        "subject": str(ticket),
    }
    base |= {
        "account_id": "22129848",
        "ticket_id": str(ticket),
        "road": "native",
        "sequence_id": f"{ticket}-{at}",
    }
    return kind.model_validate(base | {"version": version_of(moment, moment)} | more)


def story(ticket: int) -> list[Event]:
    """What consumers do most for: each step leads to deliveries, or takes some back."""
    comment = Comment(id=str(ticket), is_public=True, body="It works now.", author_id="7", author_name="Ada")
    return [
        about(ticket, TicketCommented, 0, comment=comment),
        about(ticket, TicketSolved, 1, solved_at=NOW, previous_status="open"),
        about(ticket, TicketReopened, 2, current_status="open"),
        about(ticket, TicketSolved, 3, solved_at=NOW + 3 * SECOND, previous_status="open"),
        about(ticket, TicketMerged, 4, target_ticket_id="9"),
    ]


@pytest.mark.parametrize("service", HANDLERS)
async def test_a_message_costs_a_consumer_five_statements(
    service: str, new_postgres: Callable[[str], str], metrics: Metrics
) -> None:
    """Each by itself, as with little traffic, and whatever its handlers write."""
    url = new_postgres(service)
    async with store_on(url) as store, store_on(url) as by_hand:
        member = Consumer(PaperBroker(), store, HANDLERS[service](), group="g", metrics=metrics)
        with counted(store) as texts:
            for step in story(1):
                texts.clear()
                await feed(member, by_hand, [record_of(step)], "g")
                assert LEAST <= len(texts) <= CONSUMED, (step.type, texts)
