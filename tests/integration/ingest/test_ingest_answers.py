"""What each kind of request is answered, and what is kept of it (docs/vendors/zendesk.md#answers)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.webhooks import repository
from ingest.webhooks.repository import Replay, WebhookFilter
from supportops.contracts import TicketCreated, TicketEvent, TicketSolved
from tests.integration.ingest.app import NATIVE, OPERATOR, TRIGGERS, Ingest
from tests.support import zendesk_bodies as z


@pytest.mark.both_databases
async def test_a_signed_body_is_kept_byte_for_byte_and_promised(ingest: Ingest) -> None:
    body = z.sample("ticket.created")
    answer = await ingest.post(body)
    assert (answer.status_code, answer.text) == (200, "")
    (row,) = await ingest.rows()
    assert row["body"] == body
    assert row["key"] == "22129848:event:cbe4028c-7239-495d-b020-f22348516046"
    assert (row["disposition"], row["kind"], row["ticket_id"]) == ("published", "ticket.created", "5158")
    assert "x-zendesk-webhook-signature-timestamp" in row["headers"]
    (event,) = await ingest.promised()
    assert isinstance(event, TicketCreated)
    assert event.ticket.organization_id == "8447346622462"


SIGNED = [
    (z.sample("user.created"), "ignored"),
    (z.sample("messaging_ticket.message_added"), "ignored"),
    (z.as_bytes(z.native("ticket.not_known_yet")), "ignored"),
    (b"garbage", "parked"),
    (b"", "parked"),
    (b"\x00\xff\xfe", "parked"),
    (b"[" * 1_000_000, "parked"),
    (z.as_bytes(z.native("ticket.created", account_id=1)), "parked"),
    (
        z.as_bytes(z.native("ticket.created", detail={"subject": "\x00\u202e'; DROP TABLE x" * 99})),
        "published",
    ),
    (b" " * (1024 * 1024), "parked"),
]


async def test_every_signed_body_is_kept_and_answered_200(ingest: Ingest) -> None:
    for body, disposition in SIGNED:
        before, promised = ingest.metrics.value("webhooks", disposition=disposition), await ingest.promised()
        assert (await ingest.post(body)).status_code == 200, body[:24]
        (row,) = [row for row in await ingest.rows() if row["body"] == body]
        assert row["disposition"] == disposition, body[:24]
        assert (len(await ingest.promised()) > len(promised)) == (disposition == "published"), body[:24]
        assert ingest.metrics.value("webhooks", disposition=disposition) == before + 1, body[:24]
    assert len(await ingest.rows()) == len(SIGNED)


async def test_created_already_solved_promises_both(ingest: Ingest) -> None:
    await ingest.send(z.native("ticket.created", detail={"status": "SOLVED"}))
    created, solved = await ingest.promised()
    assert isinstance(created, TicketCreated)
    assert isinstance(solved, TicketSolved)


@pytest.mark.both_databases
async def test_the_same_event_again_is_counted_not_promised(ingest: Ingest) -> None:
    body = z.sample("ticket.created")
    for _ in range(3):
        assert (await ingest.post(body)).status_code == 200
    reformatted = body.replace(b"  ", b"   ")
    assert (await ingest.post(reformatted)).status_code == 200
    (row,) = await ingest.rows()
    assert row["duplicates"] == 3
    assert row["body"] == body
    assert len(await ingest.promised()) == 1
    assert ingest.metrics.value("webhooks", disposition="duplicate") == 3


async def test_many_at_once_each_exactly_once(ingest: Ingest) -> None:
    bodies = [z.as_bytes(z.native("ticket.undeleted", detail={"id": str(n)})) for n in range(1, 121)]
    answers = await asyncio.gather(*(ingest.post(body) for body in [*bodies, *bodies[:60], *bodies[:60]]))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await ingest.rows()) == 120
    assert sorted(int(event.subject) for event in await ingest.promised()) == list(range(1, 121))
    assert sum(row["duplicates"] for row in await ingest.rows()) == 120
    assert ingest.metrics.value("webhooks", disposition="duplicate") == 120


BROKEN: list[Callable[[dict[str, str]], dict[str, Any]]] = [
    lambda headers: headers | {"X-Zendesk-Webhook-Signature": ""},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature": "AAAA"},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature": "%%%"},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature": "\xfc\xe9".encode("latin-1")},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature": headers["X-Zendesk-Webhook-Signature"].lower()},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature-Timestamp": "2020-01-01T00:00:00Z"},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature-Timestamp": "x" * 5000},
    lambda headers: headers | {"X-Zendesk-Webhook-Signature-Timestamp": ""},
    lambda headers: {k: v for k, v in headers.items() if not k.endswith("Signature")},
    lambda headers: {k: v for k, v in headers.items() if not k.endswith("Timestamp")},
    lambda _headers: {},
]


async def test_wrong_signatures_get_401_and_leave_nothing(ingest: Ingest) -> None:
    body = z.sample("ticket.created")
    for number, break_it in enumerate(BROKEN, 1):
        good = z.signed_headers(body, ingest_now())
        answer = await ingest.client.post(NATIVE, content=body, headers=break_it(good))
        assert answer.status_code == 401, number
        assert await ingest.rows() == [], number
        assert ingest.metrics.value("webhooks", disposition="refused") == number


def ingest_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_another_secret_gets_401(ingest: Ingest) -> None:
    assert (await ingest.post(z.sample("ticket.created"), secret="wrong")).status_code == 401
    assert await ingest.rows() == []


@pytest.mark.parametrize(("age", "why"), [(timedelta(hours=9), "old"), (timedelta(hours=-9), "ahead")])
async def test_what_is_signed_is_kept_whatever_the_clocks_say(
    ingest: Ingest, age: timedelta, why: str
) -> None:
    """Our clock may be wrong, or Zendesk's queue long: a 401 would lose all of them."""
    body = z.sample("ticket.created")
    assert (await ingest.post(body, age=timedelta(minutes=4))).status_code == 200
    assert ingest.metrics.value("webhooks_out_of_window", why=why) == 0
    assert (await ingest.post(body, age=age)).status_code == 200
    assert ingest.metrics.value("webhooks_out_of_window", why=why) == 1
    assert len(await ingest.promised()) == 1, "its key makes it one"


async def test_what_is_older_than_our_memory_is_parked(ingest: Ingest) -> None:
    """Its key was pruned: were it a recording that somebody sends again, nothing would tell."""
    body = z.sample("ticket.created")
    assert (await ingest.post(body, age=timedelta(days=31))).status_code == 200
    (row,) = await ingest.rows()
    assert (row["disposition"], row["reason"]) == ("parked", "signed before our log remembers")
    done = await repository.replay(ingest.store, ingest.account, WebhookFilter(disposition="parked"))
    assert done.events == 1, "an operator who asks for it vouches for it"


async def test_each_road_reads_its_own_bodies(ingest: Ingest) -> None:
    native, trigger = z.as_bytes(z.native("ticket.undeleted")), z.as_bytes(z.TRIGGER)
    for path in (NATIVE, TRIGGERS):
        for body in (native, trigger):
            assert (await ingest.post(body, path=path)).status_code == 200
    published = [
        (event.subject, event.road) for event in await ingest.promised() if isinstance(event, TicketEvent)
    ]
    assert published == [("5158", "native"), ("35436", "trigger")]


async def test_triggers_that_post_to_the_first_path_are_parked_and_replayed_as_such(ingest: Ingest) -> None:
    """Before there were two paths they were read there."""
    await ingest.post(z.as_bytes(z.TRIGGER))
    (row,) = await ingest.rows()
    assert (row["disposition"], row["kind"]) == ("parked", "trigger:csat-received")
    assert "/webhooks/zendesk/triggers" in row["reason"]
    parked = WebhookFilter(disposition="parked")
    assert (await repository.replay(ingest.store, ingest.account, parked)).still_parked == 1
    assert (await repository.replay(ingest.store, ingest.account, parked, Replay(road="trigger"))).events == 1


async def test_only_post(ingest: Ingest) -> None:
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await ingest.client.request(method, NATIVE)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), method


async def test_counts_are_for_operators_only(ingest: Ingest) -> None:
    await ingest.send(z.TRIGGER | {"trigger": "<script>alert(1)</script>"}, TRIGGERS)
    await ingest.post(b"garbage")
    strange = ["", "Bearer wrong", "Basic %%%", OPERATOR, f"Basic {OPERATOR}", "Bearer"]
    for given in strange:
        answers = [
            await ingest.client.get(path, headers={"Authorization": given})
            for path in ("/counts", "/api/counts")
        ]
        assert [answer.status_code for answer in answers] == [403, 401], given
    counts = await ingest.client.get("/api/counts", headers={"Authorization": f"Bearer {OPERATOR}"})
    assert counts.json() == [
        {"disposition": "parked", "kind": "unknown", "webhooks": 1},
        {"disposition": "published", "kind": "trigger:<script>alert(1)</script>", "webhooks": 1},
    ]


async def test_unknown_paths_are_404(ingest: Ingest) -> None:
    assert (await ingest.client.get("/")).headers["location"] == "/counts"
    assert (await ingest.client.get("/counts/")).status_code == 404
    assert (await ingest.client.get("/docs")).status_code == 404
    assert (await ingest.client.post(NATIVE + "/x", content=b"")).status_code == 404
