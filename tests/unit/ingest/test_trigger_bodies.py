"""Bodies of triggers and automations (docs/vendors/zendesk.md#trigger-bodies)."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.webhooks.parse import Account, ParsedWebhook, read
from supportops import contracts as c
from tests.support import zendesk_bodies as z

NOW = datetime(2026, 3, 2, 10, 16, tzinfo=UTC)
ACCOUNT = Account(z.ACCOUNT, frozenset({"777"}))


def reading(**changes: Any) -> ParsedWebhook:
    return read(z.as_bytes(z.TRIGGER | changes), ACCOUNT, NOW)


def only(**changes: Any) -> Any:
    result = reading(**changes)
    assert result.disposition == "published", result.reason
    (event,) = result.events
    return event


def test_the_agreed_body() -> None:
    event = only()
    assert isinstance(event, c.TicketRated)
    assert event.id == hashlib.sha256(b"csat-received|35436|2026-03-02T10:15:21Z|Bad").hexdigest()
    assert event.score == "bad"
    assert (event.road, event.account_id, event.subject, event.actor_id) == (
        "trigger", z.ACCOUNT, "35436", "20978392",
    )  # fmt: skip
    assert event.time == datetime(2026, 3, 2, 10, 15, 21, tzinfo=UTC)
    assert event.ticket.model_dump(exclude_unset=True, exclude={"updated_at"}) == {
        "status": "solved",
        "priority": "normal",
        "tags": ["enterprise", "sev_2", "csat_sent"],
        "requester_id": "20978392",
        "organization_id": "509974",
        "via_channel": "mail",
    }
    assert reading().kind == "trigger:csat-received"
    assert reading().ticket_id == "35436"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("ticket-created", c.TicketCreated),
        ("Ticket Solved", c.TicketSolved),
        ("reopened", c.TicketReopened),
        ("ticket_closed", c.TicketClosed),
        ("CSAT_received", c.TicketRated),
        ("sla-breach-changed", c.TicketSlaChanged),
        ("escalate to the moon", c.TicketUpdated),
    ],
)
def test_the_name_tells_the_event(name: str, model: type) -> None:
    assert type(only(trigger=name)) is model


def test_an_unknown_trigger_keeps_its_name() -> None:
    assert only(trigger="Escalate").zendesk_type == "trigger:escalate"


@pytest.mark.parametrize(
    ("rating", "score"),
    [
        ("Good", "good"),
        ("good, with comment", "good"),
        ("BAD", "bad"),
        ("Gut", "gut"),
        ("", None),
        ("{{x}}", None),
    ],
)
def test_ratings_are_matched_loosely(rating: str, score: str | None) -> None:
    assert only(rating=rating).score == score


def test_display_words() -> None:
    assert only(ticket_status="On-hold").ticket.status == "hold"
    assert only(ticket_status="Gelöst").ticket.status == "gelöst"


def test_empty_and_unfilled_placeholders_are_absent() -> None:
    event = only(organization_id="", requester_id="{{ticket.requester.id}}", current_user_id="")
    assert not event.knows("organization_id")
    assert not event.knows("requester_id")
    assert event.actor_id is None


def test_one_run_twice_is_one_key_and_another_rating_is_another() -> None:
    assert reading().key == reading().key
    assert reading().key != reading(rating="Good").key
    assert reading().key != reading(updated_at="2026-03-02T10:15:22Z").key


def test_own_action() -> None:
    assert only(current_user_id="777").own_action


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"updated_at": ""}, "no updated_at"),
        ({"updated_at": "{{ticket.updated_at_with_timestamp}}"}, "no updated_at"),
        ({"updated_at": "vor drei Stunden"}, "updated_at is not a moment"),
        ({"ticket_id": ""}, "no ticket_id"),
        ({"ticket_id": "12a"}, "ticket_id is not a number"),
        ({"trigger": None}, "no trigger"),
        ({"trigger": "a" * 300, "ticket_id": "-5"}, "ticket_id is not a number"),
    ],
)
def test_parked(changes: dict[str, Any], reason: str) -> None:
    result = reading(**changes)
    assert (result.disposition, result.reason) == ("parked", reason)


def test_numbers_are_fine_where_text_is_expected() -> None:
    assert only(ticket_id=35436).subject == "35436"


def test_a_smuggled_key_is_parked() -> None:
    """A subject with a quote in an admin's body: the second `ticket_id` must not win.

    See docs/vendors/zendesk.md#trigger-bodies.
    """
    body = b'{"trigger":"created","ticket_id":"1","subject":"x","ticket_id":"2","updated_at":"2026-03-02T10:15:21Z"}'
    result = read(body, ACCOUNT, NOW)
    assert (result.disposition, result.reason) == ("parked", "a key occurs twice")


def test_a_broken_body_is_parked() -> None:
    body = b'{"trigger":"created","subject":"he said "no"","ticket_id":"2"}'
    assert read(body, ACCOUNT, NOW).reason == "not JSON"
