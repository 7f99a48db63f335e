"""Bodies of triggers and automations (docs/vendors/zendesk.md#trigger-bodies)."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.webhooks.parse import Account, ParsedWebhook, read
from supportops import contracts as c
from tests.support import zendesk_bodies as z
from tests.support.examples import examples
from tests.support.for_each import for_each

NOW = datetime(2026, 3, 2, 10, 16, tzinfo=UTC)
ACCOUNT = Account(z.ACCOUNT, frozenset({"777"}))


def reading(**changes: Any) -> ParsedWebhook:
    return read(z.as_bytes(z.TRIGGER | changes), "trigger", ACCOUNT, NOW)


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


@for_each(
    "name, model",
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


@for_each(
    "rating, score",
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


@for_each(
    "changes, reason",
    [
        ({"updated_at": ""}, "no updated_at"),
        ({"updated_at": "{{ticket.updated_at_with_timestamp}}"}, "no updated_at"),
        ({"updated_at": "vor drei Stunden"}, "updated_at is not a moment"),
        (
            {"updated_at": "2026-03-02"},
            "updated_at has no time of day: use ticket.updated_at_with_timestamp",
        ),
        ({"ticket_id": ""}, "no ticket_id"),
        ({"ticket_id": "12a"}, "ticket_id is not a number"),
        ({"trigger": None}, "no trigger"),
        ({"updated_at": "2999-01-01T00:00:00Z"}, "updated_at cannot be true"),
        ({"updated_at": "1999-01-01T00:00:00Z"}, "updated_at cannot be true"),
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
    result = read(body, "trigger", ACCOUNT, NOW)
    assert (result.disposition, result.reason) == ("parked", "a key occurs twice")


def test_a_broken_body_is_parked() -> None:
    body = b'{"trigger":"created","subject":"he said "no"","ticket_id":"2"}'
    assert read(body, "trigger", ACCOUNT, NOW).reason == "not JSON"


# What a customer, an agent or another system may have written where a placeholder stands.
HOSTILE = (
    'he said "no"',
    "back\\slash",
    "two\nlines",
    "tab\tand\x00nul",
    "\\u0000 \\ud83d half",
    "{{ticket.title}}",
    "x" * 300_000,
    '","x":"',
    '","type":"zen:event-type:ticket.status_changed","id":"1","account_id":22129848,"subject":"zen:ticket:666",'
    '"detail":{"id":"666","status":"SOLVED","updated_at":"2999-01-01T00:00:00Z"},"event":{"current":"SOLVED"},"y":"',
    '","type":"zen:event-type:ticket.soft_deleted","id":"1","account_id":22129848,"detail":{"id":"666"},"y":"',
    '","ticket_id":"666',
    '","ticket\\u005fid":"666',
    '","ticket_id\\u0000":"666',
    '","ticket_id\\ud800":"666',
    '","trigger":"ticket-solved',
    '","updated_at":"2999-01-01T00:00:00Z',
    '","schema":{"ticket_id":"666"},"z":"',
    '"},{"ticket_id":"666","trigger":"created","updated_at":"2026-03-02T10:15:21Z","z":"',
    '"}\n{"ticket_id":"666","z":"',
    '","z":[1,{"a":1,"a":2}],"w":"',
    '","z":NaN,"w":"',
    '","z":' + "[" * 100_000 + '"',
)
# An admin's body: all the placeholders that a careful one uses, and the free text that one should not.
TEMPLATE = "{\n" + ",\n".join(f'  "{key}": "{{{key}}}"' for key in (*z.TRIGGER, "title", "comment")) + "\n}"
ADMINS_OWN = ("trigger", "ticket_id")  # the admin's word, and a number that Zendesk makes


def filled(values: dict[str, str]) -> bytes:
    """As Zendesk does it: the values stand in the text as they are."""
    text = TEMPLATE
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", value)
    return text.encode("utf-8", "surrogatepass")


@for_each("placeholder", [*(key for key in z.TRIGGER if key not in ADMINS_OWN), "title", "comment"])
def test_no_words_in_a_trigger_body_make_another_event(placeholder: str) -> None:
    """Parked, or an event of that trigger and that ticket; on its own road, and on the wrong one it is parked."""
    honest = z.TRIGGER | {"title": "Printer on fire", "comment": "Thanks"}
    assert read(filled(honest), "trigger", ACCOUNT, NOW).disposition == "published"
    for hostile in HOSTILE:
        body = filled(honest | {placeholder: hostile})
        judged(read(body, "trigger", ACCOUNT, NOW))


texts = st.lists(
    st.sampled_from([*HOSTILE, '"', "\\", ",", ":", "{", "}", "[", "]", "a", "type", "ticket_id"]), max_size=6
)


@settings(max_examples=examples(200), deadline=None)
@given(
    st.dictionaries(st.sampled_from(["title", "comment", "tags", "ticket_form", "schema"]), texts, max_size=3)
)
def test_no_mixture_of_words_makes_another_event(values: dict[str, list[str]]) -> None:
    honest = z.TRIGGER | {"title": "Printer on fire", "comment": "Thanks"}
    judged(
        read(filled(honest | {key: "".join(parts) for key, parts in values.items()}), "trigger", ACCOUNT, NOW)
    )


def judged(result: ParsedWebhook) -> None:
    assert result.disposition in ("published", "parked")
    for event in result.events:
        assert isinstance(event, c.TicketRated)
        assert (event.subject, event.ticket_id, event.road) == ("35436", "35436", "trigger")
        assert event.time == datetime(2026, 3, 2, 10, 15, 21, tzinfo=UTC)
        _, value, headers = c.encode(event)
        assert c.decode(headers, value) == event
