"""How the sender misbehaves on request, and that it tells the truth about it."""

from collections import Counter

import httpx
import pytest

from sandbox.world import World
from sandbox.zendesk.breaker import Breaker
from sandbox.zendesk.retries import Answer
from sandbox.zendesk.signing import signature
from tests.contract.sandbox.fakes import FakeClock, FakePost, Request
from tests.support.eventually import eventually

HOOK = {"url": "http://receiver/hook", "secret": "s1", "subscriptions": ["zen:event-type:ticket.created"]}


async def hook(client: httpx.AsyncClient, **more: object) -> str:
    answer = await client.post("/control/zendesk/webhooks", json=HOOK | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["webhook"]["id"])


async def tickets(client: httpx.AsyncClient, world: World, count: int) -> None:
    for number in range(count):
        answer = await client.post("/control/zendesk/tickets", json={"subject": f"t{number}"})
        assert answer.status_code == 201
    await eventually(lambda: world.zendesk.sender.pending() == 0)


def signed(request: Request, secret: str) -> bool:
    stamp = request.headers["X-Zendesk-Webhook-Signature-Timestamp"]
    return request.headers["X-Zendesk-Webhook-Signature"] == signature(secret, stamp, request.body)


async def test_duplicates_share_the_event_id(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    await hook(client, modes={"duplicate": 1.0})
    await tickets(client, world, 3)
    ids = Counter(request.json["id"] for request in post.requests)
    assert sorted(ids.values()) == [2, 2, 2]
    invocations = {request.headers["X-Zendesk-Webhook-Invocation-Id"] for request in post.requests}
    assert len(invocations) == 6


async def test_dropped_ones_are_recorded_as_lost(
    client: httpx.AsyncClient, world: World, post: FakePost
) -> None:
    await hook(client, modes={"drop": 0.5})
    await tickets(client, world, 40)
    lost = (await client.get("/control/zendesk/invocations?status=dropped")).json()["count"]
    assert 5 < lost < 35
    assert len(post.requests) == 40 - lost


async def test_reorder_and_delay_hold_back(
    client: httpx.AsyncClient, world: World, fake_clock: FakeClock
) -> None:
    await hook(client, modes={"reorder": 5.0, "delay": 480, "delay_share": 0.5})
    await tickets(client, world, 20)
    assert len(fake_clock.slept) == 20
    assert 3 < sum(1 for wait in fake_clock.slept if wait >= 480) < 17


async def test_bad_copies_come_beside_the_good_one(
    client: httpx.AsyncClient, world: World, post: FakePost
) -> None:
    await hook(client, modes={"wrong_secret": 1.0, "corrupt": 1.0})
    await tickets(client, world, 1)
    assert len(post.requests) == 3
    assert sum(signed(request, "s1") for request in post.requests) == 1


async def test_bad_instead_loses_the_event(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    await hook(client, modes={"corrupt": 1.0, "bad_instead": True})
    post.answers = [Answer(401)]
    await tickets(client, world, 1)
    (request,) = post.requests
    assert not signed(request, "s1")
    assert world.zendesk.sender.counts() == {"terminated": 1}


async def test_rotation_in_mid_stream(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    key = await hook(client)
    await tickets(client, world, 1)
    await client.patch(f"/control/zendesk/webhooks/{key}", json={"secret": "s2"})
    await tickets(client, world, 1)
    assert [signed(request, "s2") for request in post.requests] == [False, True]


async def test_replay_of_an_old_request(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    await hook(client)
    await tickets(client, world, 1)
    (key,) = world.zendesk.sender.invocations
    await client.post(f"/control/zendesk/invocations/{key}/replay", json={"age": 600})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    first, again = post.requests
    assert again.headers["X-Zendesk-Webhook-Signature-Timestamp"] == "2026-01-05T07:50:00Z"
    assert (again.body, signed(again, "s1")) == (first.body, True)


async def test_breaker_opens_and_probes(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    await hook(client, modes={"breaker": True})
    post.answers = [Answer(401)] * 20
    await tickets(client, world, 30)
    assert world.zendesk.sender.counts() == {"terminated": 20, "circuit broken": 10}


def test_breaker_closes_after_a_good_probe(fake_clock: FakeClock) -> None:
    breaker = Breaker(fake_clock)
    for _ in range(20):
        breaker.note(failed=True)
    assert breaker.is_open
    assert not breaker.admits()
    fake_clock.advance(8)
    assert breaker.admits()
    assert not breaker.admits()
    breaker.note(failed=False)
    assert breaker.admits()


async def test_throttle_holds_the_rest_back(
    client: httpx.AsyncClient, world: World, post: FakePost, fake_clock: FakeClock
) -> None:
    await hook(client, modes={"throttle": 5, "throttle_lost": 0.5})
    await tickets(client, world, 15)
    lost = world.zendesk.sender.counts().get("throttled", 0)
    assert 0 < lost < 10
    assert len(fake_clock.slept) == 10 - lost
    assert len(post.requests) == 15 - lost


@pytest.mark.parametrize(
    "body", [{"modes": {"dupe": 1}}, {"kind": "trigger", "triggers": ["x"]}, {"url": None}]
)
async def test_a_wrong_registration_is_refused(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    answer = await client.post("/control/zendesk/webhooks", json={"url": "http://x/", **body})
    assert answer.status_code == (400 if body != {"url": None} else 201)
