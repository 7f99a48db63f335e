"""Handlers as tables: which event plans which deliveries. A transaction without a database collects them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import orjson
import pytest
from sqlalchemy import Table

from notifier import tables
from notifier.destinations import POSTS, ROUTING, UPDATES
from notifier.feeds.handlers import FeedHandlers
from notifier.feeds.merge import TicketFeed
from notifier.feeds.routing import FormNames
from notifier.feeds.scheduling import MessageScheduler
from notifier.policy.conditions import NameRule
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from supportops.contracts import (
    Change,
    Comment,
    Event,
    TicketCommented,
    TicketCreated,
    TicketEvent,
    TicketReopened,
    TicketSlaChanged,
    TicketSnapshot,
    TicketUpdated,
)
from supportops.store import Transaction
from supportops.ticket_version import version_of
from tests.support.for_each import for_each

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
RULES = NotifierPolicy(
    feeds=(
        FeedRule(name="one", channel="C1", forms=NameRule(include=("Self-Managed",)), lookups=False),
        FeedRule(name="two", channel="C2", forms=NameRule(exclude=("GitLab.com",))),
        FeedRule(name="again", channel="C2", forms=NameRule(include=("Self-Managed",))),
    )
)


class FakeRows:
    """One table's rows in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self.rows.get(key)

    def put(self, key: str, **values: Any) -> None:
        self.rows.setdefault(key, {}).update(values)


class FakeTransaction:
    """The part of a transaction that handlers use; deliveries by (destination, key), the first one stays."""

    def __init__(self) -> None:
        self.now = NOW
        self.tickets = FakeRows()
        self.decisions: dict[str, dict[str, Any]] = {}
        self.scheduled: dict[tuple[str, str], dict[str, Any]] = {}
        self.deliveries = self

    def rows(self, table: Table) -> FakeRows:
        assert table is tables.feed_tickets
        return self.tickets

    def replace(self, table: Table, **row: Any) -> None:
        assert table is tables.feed_decisions
        self.decisions[row["key"]] = row

    def schedule(self, destination: str, key: str, **how: Any) -> None:
        self.scheduled.setdefault((destination, key), how)


class Feed:
    """The handlers with a memory."""

    def __init__(self, rules: NotifierPolicy = RULES) -> None:
        forms = FormNames(rules.names_lifetime)
        forms.learn("7", "Self-Managed", NOW)
        forms.learn("8", "GitLab.com", NOW - timedelta(days=1))
        forms.learn("9", "Security Issue", NOW)
        self.policy = rules
        self.handlers = FeedHandlers(rules, MessageScheduler(rules, forms)).table()
        self.tx = FakeTransaction()

    def state(self) -> TicketFeed:
        """What is kept of ticket 5."""
        return msgspec.json.decode(self.tx.tickets.rows["5"]["state"], type=TicketFeed)

    def hears(self, *events: Event) -> list[tuple[str, str]]:
        """What is scheduled afterwards."""
        for event in events:
            for handler in self.handlers._by_type[event.type]:
                handler.handle(event, cast(Transaction, self.tx))
        return list(self.tx.scheduled)


def base(seconds: float = 0, **more: Any) -> dict[str, Any]:
    at = NOW + timedelta(seconds=seconds)
    ticket = {"form_id": "7", "tags": [], "status": "open", "is_public": True} | more.pop("ticket", {})
    return {
        "id": f"e{seconds}",
        "source": "/zendesk/1",
        "time": at,
        "subject": "5",
        "account_id": "1",
        "ticket_id": "5",
        "version": version_of(at),
        "actor_id": "3",
        "ticket": TicketSnapshot(**ticket),
    } | more


def commented(seconds: float = 0, number: str = "77", *, public: bool = True, **more: Any) -> TicketCommented:
    return TicketCommented(**base(seconds, **more), comment=Comment(id=number, body="Hi", is_public=public))


POST_ONE, POST_TWO = (POSTS, "C1:5:77"), (POSTS, "C2:5:77")


def test_a_public_comment_is_posted_once_in_each_channel_that_wants_it() -> None:
    feed = Feed()
    assert feed.hears(commented()) == [POST_ONE, POST_TWO]
    assert feed.tx.scheduled[POST_ONE]["lane"] == "C1"
    assert feed.tx.scheduled[POST_TWO]["payload"]["feed"] == "two"


@for_each(
    "event, scheduled",
    [
        (commented(public=False), []),
        (commented(own_action=True), []),
        (commented(-90_000), []),
        (commented(ticket={"form_id": "9"}), []),
        (commented(ticket={"form_id": "8"}), [(ROUTING, "5:77:r1")]),
        (commented(ticket={"form_id": "404"}), [(ROUTING, "5:77:r1")]),
        (commented(ticket={"form_id": None}), [POST_TWO]),
        (TicketCreated(**base()), [(POSTS, "C1:5:first"), (POSTS, "C2:5:first")]),
        (TicketCreated(**base(ticket={"is_public": False})), []),
        (TicketCreated(**base(road="export")), [(ROUTING, "5:first:r1")]),
        (TicketReopened(**base(), current_status="open"), []),
        (TicketUpdated(**base(), zendesk_type="priority_changed"), []),
        (TicketUpdated(**base(), zendesk_type="comment_redacted"), []),
    ],
)
def test_what_an_event_schedules(event: TicketEvent, scheduled: list[tuple[str, str]]) -> None:
    assert Feed().hears(event) == scheduled


def test_the_rest_of_an_action_is_one_change_of_its_message() -> None:
    feed = Feed()
    reopened = TicketReopened(**base(1, ticket={"status": "pending"}), current_status="pending")
    assert feed.hears(commented(), reopened, reopened) == [POST_ONE, POST_TWO, (UPDATES, "5:77:r2")]
    change = feed.tx.scheduled[(UPDATES, "5:77:r2")]
    assert change["due_at"] > NOW
    assert change["payload"]["content"]["facts"]["status"] == "pending"


def test_hints_have_no_handler() -> None:
    assert not Feed().handlers.wants(TicketSlaChanged.type)


@pytest.mark.parametrize(("lookups", "kept"), [(False, True), (True, False)])
def test_comments_are_kept_only_where_a_feed_shows_what_events_carry(lookups: bool, kept: bool) -> None:
    feed = Feed(NotifierPolicy(feeds=(FeedRule(name="a", channel="C1", lookups=lookups),)))
    feed.hears(commented())
    assert ("Hi" in orjson.dumps(feed.tx.tickets.rows["5"]["state"]).decode()) is kept


def test_a_comment_made_private_before_we_heard_of_it_is_never_posted() -> None:
    private = TicketUpdated(
        **base(5), zendesk_type="comment_made_private", changes=[Change(field="comment_id", after="77")]
    )
    scheduled = Feed().hears(private, commented())
    assert [key for key in scheduled if key[0] == POSTS] == []


def test_text_that_no_database_takes_is_cleaned_before_it_is_stored() -> None:
    feed = Feed()
    feed.hears(commented(ticket={"subject": "a\x00b\u202ec"}))
    assert "abc" in feed.tx.tickets.rows["5"]["state"]
