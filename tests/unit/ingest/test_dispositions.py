"""Published, ignored or parked; never an exception (docs/vendors/zendesk.md#event-bodies)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.webhooks.native import ORGANIZATION_TYPES, TICKET_TYPES
from ingest.webhooks.parse import Account, ParsedWebhook, Road, read, road_of
from supportops import contracts as c
from supportops.contracts import decode, encode
from tests.support import zendesk_bodies as z
from tests.support.examples import examples
from tests.support.for_each import for_each

NOW = datetime(2025, 1, 8, 17, 0, tzinfo=UTC)
ACCOUNT = Account(z.ACCOUNT)


def reading(body: Any, road: Road = "native") -> ParsedWebhook:
    return read(body if isinstance(body, bytes) else z.as_bytes(body), road, ACCOUNT, NOW)


@for_each(
    "body, kind",
    [
        (z.sample("user.created"), "user.created"),
        (z.sample("user.active_changed"), "user.active_changed"),
        (z.sample("messaging_ticket.message_added"), "messaging_ticket.message_added"),
        (z.native("ticket.became_sentient"), "ticket.became_sentient"),
        (z.native("article.published"), "article.published"),
        (z.native("x", type="zen:event-type/user.created"), "user.created"),
        (z.native("x", type="zen:event-type:something else"), "unknown"),
    ],
)
def test_ignored_is_well_formed_but_not_ours(body: Any, kind: str) -> None:
    result = reading(body)
    assert (result.disposition, result.kind, result.events) == ("ignored", kind, ())
    assert result.key.startswith("event:")


@for_each(
    "body, reason",
    [
        (b"", "not JSON"),
        (b"not json", "not JSON"),
        (b"<ticket><id>1</id></ticket>", "not JSON"),
        (b"ticket_id=1&status=Open", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"\xef\xbb\xbf{}", "no event type"),  # a byte order mark is passed over, once
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "not JSON"),
        (b'"zen:event-type:ticket.created"', "not a JSON object"),
        (b"[" * 500_000, "nested too deeply"),
        (b'{"type":' * 200_000, "nested too deeply"),
        (b"{}", "no event type"),
        (z.native("ticket.created", id=None), "no event id"),
        (z.native("ticket.created", id="a b"), "no event id"),
        (z.native("ticket.created", id="x" * 300), "no event id"),
        (z.native("ticket.created", account_id=1), "another account"),
        (z.native("ticket.created", account_id=None), "another account"),
        (z.native("ticket.created", detail={"id": None}), "no detail.id"),
        (z.native("ticket.created", detail={"id": "abc"}), "no detail.id"),
        (z.native("ticket.created", detail={"id": "١٢"}), "no detail.id"),
        (z.native("ticket.created") | {"detail": "?"}, "no detail"),
        (z.native("ticket.created", subject="zen:ticket:999"), "detail.id and subject disagree"),
        (z.native("ticket.created", time="2999-01-01T00:00:00Z"), "time cannot be true"),
        (z.native("ticket.created", time="2025-01-10T00:00:00Z"), "time cannot be true"),
        (z.native("ticket.created", time="0001-01-01T00:00:00Z"), "time cannot be true"),
        (
            z.native("ticket.created", detail={"updated_at": "9999-12-31T23:59:59Z"}),
            "detail.updated_at cannot be true",
        ),
        (
            z.native("ticket.created", detail={"created_at": "2999-12-31T23:59:59Z"}),
            "detail.created_at cannot be true",
        ),
        (b'{"type": "zen:event-type:ticket.created", "id": "1", "id": "2"}', "a key occurs twice"),
        (
            b'{"type": "zen:event-type:ticket.created", "detail": {"id": "1", "i\\u0064": "2"}}',
            "a key occurs twice",
        ),
        (b'{"type": "zen:event-type:ticket.created", "id": "1", "id\\u0000": "2"}', "a key occurs twice"),
        (z.native("ticket.comment_added"), "comment without id"),
        (z.native("ticket.comment_added", {"comment": []}), "comment without id"),
    ],
)
def test_parked_is_ours_but_unreadable(body: Any, reason: str) -> None:
    result = reading(body)
    assert (result.disposition, result.reason, result.events) == ("parked", reason, ())
    assert result.key.startswith("body:")


def test_a_parked_body_still_tells_its_ticket() -> None:
    assert reading(z.native("ticket.comment_added")).ticket_id == "5158"
    assert reading(z.TRIGGER | {"updated_at": ""}, "trigger").ticket_id == "35436"


def snapshot(body: dict[str, Any]) -> dict[str, Any]:
    (event,) = reading(body).events
    assert isinstance(event, c.TicketEvent)
    return event.ticket.model_dump(exclude_unset=True)


def test_bodies_of_the_field() -> None:
    """Less tidy than the samples: each of these was seen by somebody (docs/vendors/zendesk.md#event-bodies)."""
    partial = z.native("ticket.created") | {"detail": {"id": 5158}, "event": {}, "subject": None}
    assert snapshot(partial) == {}
    assert (
        snapshot(z.native("ticket.undeleted", detail={"status": "Solved", "priority": "urgent"}))["status"]
        == "solved"
    )
    assert snapshot(z.native("ticket.undeleted", detail={"tags": None}))["tags"] == []
    assert snapshot(z.native("ticket.undeleted", detail={"tags": " b  a b "}))["tags"] == ["b", "a"]
    assert snapshot(z.native("ticket.undeleted", detail={"tags": ["a", 1, "", "a"]}))["tags"] == ["a"]
    none = {"assignee_id": "", "group_id": "0", "organization_id": None, "brand_id": 0}
    found = snapshot(z.native("ticket.undeleted", detail=none))
    assert [found[key] for key in none] == [None] * 4
    odd = snapshot(
        z.native("ticket.undeleted", detail={"via": "mail", "is_public": "yes", "subject": {"a": 1}})
    )
    assert odd["via_channel"] == "mail"
    assert "is_public" not in odd
    assert "subject" not in odd
    assert (
        snapshot(z.native("ticket.undeleted", detail={"status": "WAITING_FOR_GODOT"}))["status"]
        == "waiting_for_godot"
    )
    with_meta = z.native("ticket.undeleted", event={"meta": None})
    assert reading(with_meta).disposition == "published"
    big = z.native("ticket.undeleted", detail={"requester_id": 2**63 + 11})
    assert snapshot(big)["requester_id"] == "9223372036854775819"


@for_each(
    "time", ["2025-01-08T16:45:20Z", "2025-01-08T16:45:20.1Z", "2025-01-08T16:45:20.123456789Z",
             "2025-01-08T16:45:20.5+00:00", "2025-01-08T18:45:20+02:00"],
)  # fmt: skip
def test_times_with_any_fraction(time: str) -> None:
    (event,) = reading(z.native("ticket.undeleted", time=time)).events
    assert event.time.replace(microsecond=0) == datetime(2025, 1, 8, 16, 45, 20, tzinfo=UTC)


def test_nanoseconds_order_events_of_one_second() -> None:
    def version(time: str, position: int = 1) -> str:
        sequence = {"meta": {"sequence": {"id": "1", "position": position}}}
        (event,) = reading(z.native("ticket.undeleted", sequence, time=time)).events
        assert isinstance(event, c.TicketEvent)
        return event.version

    first, second = version("2025-01-08T16:45:20.000000001Z"), version("2025-01-08T16:45:20.000000002Z")
    assert first < second < version("2025-01-08T16:45:20.000000002Z", 2)


def test_missing_times_fall_back() -> None:
    (event,) = reading(z.native("ticket.undeleted", time=None)).events
    assert event.time == datetime(2025, 1, 8, 16, 45, 20, tzinfo=UTC)
    (event,) = reading(z.native("ticket.undeleted", time="?", detail={"updated_at": "soon"})).events
    assert event.time == NOW


def test_a_body_of_tomorrow_is_read_when_it_is_tomorrow() -> None:
    body = z.as_bytes(z.native("ticket.undeleted", time="2025-01-10T00:00:00Z"))
    assert read(body, "native", ACCOUNT, NOW).disposition == "parked"
    assert read(body, "native", ACCOUNT, NOW, NOW + timedelta(days=2)).disposition == "published"


def test_what_came_before_there_were_two_roads() -> None:
    assert road_of(None) == "native"
    assert road_of(None, "trigger:csat-received") == "trigger"
    assert road_of("/webhooks/zendesk", "trigger:csat-received") == "native"
    assert road_of("/webhooks/zendesk/triggers", "ticket.created") == "trigger"


HOSTILE = (
    "\x00<!channel> {{ticket.id}} ${x} '; DROP TABLE webhooks; -- \u202e <script>alert(1)</script> \\u0000"
)


def test_hostile_text_is_carried_not_obeyed() -> None:
    body = z.native("ticket.created", detail={"subject": HOSTILE, "description": HOSTILE, "tags": [HOSTILE]})
    (event,) = reading(body).events
    assert isinstance(event, c.TicketCreated)
    assert event.ticket.subject == HOSTILE.replace("\x00", "")
    _, value, headers = encode(event)
    assert decode(headers, value) == event


def test_half_an_emoji_does_not_stop_a_ticket() -> None:
    body = z.as_bytes(z.native("ticket.created")).replace(b"Cannot login", b"Cannot login \\ud83d")
    (event,) = reading(body).events
    assert isinstance(event, c.TicketCreated)
    assert event.ticket.subject == "Cannot login \ufffd"
    encode(event)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = [f"ticket.{name}" for name in TICKET_TYPES] + [f"organization.{name}" for name in ORGANIZATION_TYPES]


def judged(body: bytes, road: Road = "native") -> None:
    """Any outcome is fine, an exception is not; what is published must pass the codec."""
    result = reading(body, road)
    assert result.disposition in ("published", "ignored", "parked")
    assert (result.disposition == "published") == bool(result.events)
    for event in result.events:
        _, value, headers = encode(event)
        assert decode(headers, value) == event


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(body: bytes) -> None:
    judged(body)
    judged(body, "trigger")


@settings(max_examples=examples(120), deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    detail=st.dictionaries(st.sampled_from([*z.DETAIL, "via"]), json_values, max_size=4),
    event=st.dictionaries(
        st.sampled_from(["current", "previous", "comment", "meta", "satisfaction_score", "tags_added", "added",
                         "users_removed", "custom_field", "field", "target_ticket_id"]),
        json_values, max_size=4),
    envelope=st.dictionaries(st.sampled_from(["id", "time", "subject", "account_id", "event", "detail"]), json_values,
                             max_size=2),
)  # fmt: skip
def test_random_values_in_native_bodies(
    kind: str, detail: dict[str, Any], event: dict[str, Any], envelope: dict[str, Any]
) -> None:
    judged(json.dumps(z.native(kind, event, detail=detail) | envelope).encode())


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.sampled_from(list(z.TRIGGER)), json_values, max_size=4))
def test_random_values_in_trigger_bodies(values: dict[str, Any]) -> None:
    judged(json.dumps(z.TRIGGER | values).encode(), "trigger")
