"""Event bodies against the published samples, and which events an action raises.

See docs/vendors/zendesk.md#event-bodies.
"""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from sandbox.world import World
from tests.contract.sandbox.fakes import FakePost
from tests.support.eventually import eventually

SAMPLES = Path(__file__).parents[2] / "support" / "payloads"
API = "/zendesk/api/v2"


@pytest.fixture
async def subscribed(client: httpx.AsyncClient) -> httpx.AsyncClient:
    await client.post("/control/zendesk/webhooks", json={"url": "http://receiver/hook"})
    return client


async def play(client: httpx.AsyncClient, world: World, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/control/zendesk/{path}", json=body)
    assert answer.is_success, answer.text
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    found: dict[str, Any] = answer.json()
    return found


def shape(value: Any) -> Any:
    """Keys and JSON types, all the way down."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


@pytest.mark.parametrize("name", ["created", "status_changed", "priority_changed", "comment_added"])
async def test_shapes_agree_with_the_samples(
    subscribed: httpx.AsyncClient, world: World, post: FakePost, name: str
) -> None:
    made = await play(
        subscribed, world, "tickets", priority="low", type="task", group_id=1, assignee_id=8447388090494
    )
    change = {"status": "solved", "priority": "urgent", "comment": "done"}
    await play(subscribed, world, f"tickets/{made['ticket']['id']}/actions", **change)
    ours = next(request.json for request in post.requests if request.json["type"].endswith(name))
    sample = orjson.loads((SAMPLES / f"ticket.{name}.json").read_bytes())
    for body in (ours, sample):  # older samples have no meta, and no HTML
        body["event"].pop("meta", None)
        body["event"].get("comment", {}).pop("html_body", None)
    assert shape(ours) == shape(sample)
    assert ours["detail"]["status"].isupper()
    assert len(ours["time"].split(".")[1]) == 10


async def test_one_action_shares_one_sequence(
    subscribed: httpx.AsyncClient, world: World, post: FakePost
) -> None:
    key = (await play(subscribed, world, "tickets", tags=["a"]))["ticket"]["id"]
    post.requests.clear()
    tags = {"add": ["b"], "remove": ["a"]}
    done = await play(subscribed, world, f"tickets/{key}/solve", comment="done", tags=tags)
    names = ["comment_added", "status_changed", "agent_assignment_changed", "tags_changed"]
    assert post.types() == [f"ticket.{name}" for name in names]
    assert [event["type"].removeprefix("zen:event-type:ticket.") for event in done["events"]] == names
    bodies = [request.json for request in post.requests]
    assert len({body["event"]["meta"]["sequence"]["id"] for body in bodies}) == 1
    assert [body["event"]["meta"]["sequence"]["position"] for body in bodies] == [1, 2, 3, 4]
    assert len({body["id"] for body in bodies}) == 4
    assert (bodies[3]["event"]["tags_added"], bodies[3]["event"]["tags_removed"]) == (["b"], ["a"])
    assert all(body["detail"]["status"] == "SOLVED" for body in bodies)


async def test_our_own_writes_come_back(subscribed: httpx.AsyncClient, world: World, post: FakePost) -> None:
    key = (await play(subscribed, world, "tickets"))["ticket"]["id"]
    post.requests.clear()
    await subscribed.put(f"{API}/tickets/{key}/tags", json={"tags": ["csat_survey_sent"]})
    await subscribed.put(f"{API}/tickets/{key}/tags", json={"tags": ["csat_survey_sent"]})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    (request,) = post.requests
    assert request.json["detail"]["actor_id"] == "8447388090001"


async def test_merge_delete_undelete(subscribed: httpx.AsyncClient, world: World, post: FakePost) -> None:
    source = (await play(subscribed, world, "tickets"))["ticket"]["id"]
    target = (await play(subscribed, world, "tickets"))["ticket"]["id"]
    post.requests.clear()
    merged = await play(subscribed, world, f"tickets/{source}/merge", into=target)
    assert (merged["ticket"]["status"], merged["ticket"]["tags"]) == ("closed", ["close_by_merge"])
    last = post.requests[-1].json
    assert (last["type"], last["event"]["target_ticket_id"]) == ("zen:event-type:ticket.merged", str(target))
    post.requests.clear()
    await play(subscribed, world, f"tickets/{target}/delete")
    assert post.requests[0].json["detail"]["status"] == "DELETED"
    await play(subscribed, world, f"tickets/{target}/undelete")
    await play(subscribed, world, f"tickets/{target}/delete", permanently=True)
    names = ["soft_deleted", "undeleted", "permanently_deleted"]
    assert post.types() == [f"ticket.{name}" for name in names]


async def test_rating_and_sla(subscribed: httpx.AsyncClient, world: World, post: FakePost) -> None:
    key = (await play(subscribed, world, "tickets", status="solved"))["ticket"]["id"]
    post.requests.clear()
    await play(subscribed, world, f"tickets/{key}/rating", score="offered")
    await play(subscribed, world, f"tickets/{key}/rating", score="bad", comment="slow", reason="Too late")
    await play(subscribed, world, f"tickets/{key}/sla", policy_metrics=[])
    assert post.types() == ["ticket.csat_requested", "ticket.csat_received", "ticket.next_sla_breach_changed"]
    assert post.requests[1].json["event"]["satisfaction_score"] == {"score": "BAD", "comment": "slow"}
    shown = (await subscribed.get(f"{API}/tickets/{key}")).json()["ticket"]["satisfaction_rating"]
    assert (shown["score"], shown["reason"]) == ("bad", "Too late")
    listed = (await subscribed.get(f"{API}/satisfaction_ratings?score=bad_with_comment")).json()
    assert [rating["ticket_id"] for rating in listed["satisfaction_ratings"]] == [key]


async def test_organization_events(subscribed: httpx.AsyncClient, world: World, post: FakePost) -> None:
    made = await subscribed.post(
        f"{API}/organizations", json={"organization": {"name": "New Ltd", "tags": ["a"]}}
    )
    key = made.json()["organization"]["id"]
    change = {"name": "Newer Ltd", "organization_fields": {"plan": "gold"}, "tags": ["b"], "notes": "x"}
    await subscribed.put(f"{API}/organizations/{key}", json={"organization": change})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    names = ["created", "name_changed", "custom_field_changed", "tags_changed"]
    assert post.types() == [f"organization.{name}" for name in names]
    sample = orjson.loads((SAMPLES / "organization.created.json").read_bytes())
    assert shape(post.requests[0].json) | {"account_id": "int"} == shape(sample)
    assert post.requests[2].json["event"]["field"]["id"] == "plan"
    assert post.requests[3].json["event"] == {"added": {"tags": ["b"]}, "removed": {"tags": ["a"]}}


async def test_trigger_bodies_hold_strings_and_display_text(
    client: httpx.AsyncClient, world: World, post: FakePost
) -> None:
    hook = {
        "url": "http://receiver/trigger",
        "kind": "trigger",
        "triggers": ["ticket-solved", "csat-received"],
    }
    await client.post("/control/zendesk/webhooks", json=hook)
    made = await play(client, world, "tickets", organization="Acme Ltd", priority="normal", tags=["x", "y"])
    key = made["ticket"]["id"]
    await play(client, world, f"tickets/{key}/solve", comment='He said "no"\n')
    await play(client, world, f"tickets/{key}/rating", score="good")
    solved, rated = (request.json for request in post.requests)
    assert (solved["trigger"], solved["ticket_status"], solved["rating"]) == ("ticket-solved", "Solved", "")
    assert (solved["tags"], solved["ticket_priority"]) == ("x y", "Normal")
    assert (rated["trigger"], rated["rating"], rated["salesforce_account_id"]) == (
        "csat-received",
        "Good",
        "0018a00001rBqb8AAC",
    )
    assert all(isinstance(value, str) for value in solved.values())


async def test_subscriptions_choose(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    names = ["zen:event-type:ticket.created", "zen:event-type:organization.*"]
    await client.post("/control/zendesk/webhooks", json={"url": "http://x/", "subscriptions": names})
    key = (await play(client, world, "tickets"))["ticket"]["id"]
    await play(client, world, f"tickets/{key}/solve")
    await client.post(f"{API}/organizations", json={"organization": {"name": "O"}})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    assert post.types() == ["ticket.created", "organization.created"]
