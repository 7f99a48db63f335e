"""Zendesk's REST side for tickets, comments and tags (docs/vendors/zendesk.md)."""

from typing import Any

import httpx
import pytest

from sandbox.world import World
from tests.contract.sandbox.fakes import FakeClock

API = "/zendesk/api/v2"


async def new_ticket(client: httpx.AsyncClient, **values: Any) -> int:
    answer = await client.post("/control/zendesk/tickets", json={"subject": "Help", **values})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["ticket"]["id"])


async def update(client: httpx.AsyncClient, key: int, **values: Any) -> httpx.Response:
    return await client.put(f"{API}/tickets/{key}", json={"ticket": values})


async def test_ids_are_numbers_and_enums_lower_case(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client, priority="high", form="gitlab.com", organization="Acme Ltd")
    shown = (await client.get(f"{API}/tickets/{key}.json")).json()["ticket"]
    assert (shown["id"], shown["status"], shown["priority"]) == (key, "new", "high")
    assert shown["organization_id"] == 8447346622463
    assert shown["updated_at"] == "2026-01-05T08:00:00Z"
    assert shown["satisfaction_rating"] == {"score": "unoffered"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic b3BzQGV4YW1wbGUuY29tOnNhbmRib3gtemVuZGVzay10b2tlbg=="},  # without /token
        {"authorization": "Basic %%%"},
    ],
)
async def test_strangers_get_401(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    request = client.build_request("GET", f"{API}/tickets", headers=headers)
    answer = await client.send(request, auth=None)
    assert answer.status_code == 401


async def test_bearer_token_is_accepted(client: httpx.AsyncClient) -> None:
    request = client.build_request(
        "GET", f"{API}/tickets", headers={"authorization": "Bearer sandbox-zendesk-token"}
    )
    assert (await client.send(request, auth=None)).status_code == 200


async def test_updated_at_moves_only_on_real_changes(
    client: httpx.AsyncClient, fake_clock: FakeClock
) -> None:
    key = await new_ticket(client, priority="high")
    fake_clock.advance(60)
    same = await update(client, key, priority="high", description="ignored", nonsense=1)
    assert (same.status_code, same.json()["ticket"]["updated_at"]) == (200, "2026-01-05T08:00:00Z")
    moved = await update(client, key, priority="low")
    assert moved.json()["ticket"]["updated_at"] == "2026-01-05T08:01:00Z"
    (change,) = moved.json()["audit"]["events"]
    assert (change["field_name"], change["value"], change["previous_value"]) == ("priority", "low", "high")


async def test_safe_update_collides(client: httpx.AsyncClient, fake_clock: FakeClock) -> None:
    key = await new_ticket(client)
    stamp = (await client.get(f"{API}/tickets/{key}")).json()["ticket"]["updated_at"]
    fake_clock.advance(5)
    assert (await update(client, key, priority="low")).status_code == 200
    stale = await update(client, key, priority="high", safe_update=True, updated_stamp=stamp)
    assert stale.status_code == 409
    tags = {"tags": ["x"], "updated_stamp": stamp, "safe_update": "true"}
    assert (await client.put(f"{API}/tickets/{key}/tags", json=tags)).status_code == 409
    fresh = await update(client, key, priority="high", safe_update=True, updated_stamp="2026-01-05T08:00:05Z")
    assert fresh.status_code == 200


async def test_closed_refuses_and_deleted_is_gone(client: httpx.AsyncClient) -> None:
    closed, deleted = await new_ticket(client), await new_ticket(client)
    await client.post(f"/control/zendesk/tickets/{closed}/close")
    await client.post(f"/control/zendesk/tickets/{deleted}/delete")
    refused = await update(client, closed, priority="low")
    assert refused.status_code == 422
    assert refused.json()["details"]["status"][0]["description"] == "Status: closed prevents ticket update"
    assert (await client.put(f"{API}/tickets/{closed}/tags", json={"tags": ["x"]})).status_code == 422
    assert (await client.get(f"{API}/tickets/{deleted}")).status_code == 404
    assert (await update(client, deleted, priority="low")).json()["error"] == "RecordNotFound"
    shown = (await client.get(f"{API}/tickets/show_many?ids={closed},{deleted},1")).json()["tickets"]
    assert [ticket["id"] for ticket in shown] == [closed]


async def test_solving_needs_assignee_and_required_fields(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client)
    assert (await update(client, key, status="solved")).status_code == 422
    field = {"title": "Root cause", "required": True}
    made = (await client.post("/control/zendesk/fields", json=field)).json()["ticket_field"]["id"]
    refused = await update(client, key, status="solved", assignee_id=8447388090494)
    problem = refused.json()["details"]["base"][0]
    assert problem["description"] == "Root cause: is required when solving a ticket"
    assert problem["ticket_field_id"] == made
    fields = [{"id": made, "value": "cable"}]
    done = await update(client, key, status="solved", assignee_id=8447388090494, custom_fields=fields)
    assert done.json()["ticket"]["status"] == "solved"


async def test_a_customer_reopens_and_an_agent_does_not(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client)
    actions = f"/control/zendesk/tickets/{key}"
    await client.post(f"{actions}/solve", json={"comment": "done"})
    after_agent = await client.post(f"{actions}/comments", json={"body": "thanks"})
    assert after_agent.json()["ticket"]["status"] == "solved"
    after_customer = await client.post(f"{actions}/comments", json={"body": "not yet", "as": "requester"})
    assert after_customer.json()["ticket"]["status"] == "open"


async def test_tags_add_replace_remove(client: httpx.AsyncClient, world: World) -> None:
    key = await new_ticket(client, tags=["one"])
    url = f"{API}/tickets/{key}/tags"
    added = await client.put(url, json={"tags": ["two"]})
    assert (added.status_code, added.json()["tags"]) == (200, ["one", "two"])
    again = await client.put(url, json={"tags": ["two"]})
    assert again.json()["tags"] == ["one", "two"]
    removed = await client.request("DELETE", url, json={"tags": ["one"]})
    assert removed.json()["tags"] == ["two"]
    replaced = await client.post(url, json={"tags": ["three"]})
    assert (replaced.status_code, replaced.json()["tags"]) == (201, ["three"])
    changed = [entry.facts["changed"] for entry in world.ledger.find("zendesk.tags")]
    assert changed == [True, False, True, True]


async def test_comments_newest_first_in_cursor_pages(
    client: httpx.AsyncClient, fake_clock: FakeClock
) -> None:
    key = await new_ticket(client, description="first")
    for number in range(3):
        fake_clock.advance(1)
        await client.post(f"/control/zendesk/tickets/{key}/comments", json={"body": f"c{number}"})
    url = f"{API}/tickets/{key}/comments?sort=-created_at&page[size]=3&include=users"
    page = (await client.get(url)).json()
    assert [comment["body"] for comment in page["comments"]] == ["c2", "c1", "c0"]
    assert page["meta"]["has_more"]
    assert page["users"][0]["name"] == "Ada Agent"
    rest = (await client.get(f"{url}&page[after]={page['meta']['after_cursor']}")).json()
    assert [comment["body"] for comment in rest["comments"]] == ["first"]
    assert rest["links"]["next"] is None


async def test_sideloads(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client, organization="Acme Ltd", status="solved")
    metrics = [{"metric": "first_reply_time", "stage": "active", "breach_at": "2026-01-05T09:00:00Z"}]
    await client.post(f"/control/zendesk/tickets/{key}/sla", json={"policy_metrics": metrics})
    url = f"{API}/tickets/{key}?include=users,organizations,metric_sets,slas"
    body = (await client.get(url)).json()
    assert body["ticket"]["slas"]["policy_metrics"] == metrics
    assert [o["name"] for o in body["organizations"]] == ["Acme Ltd"]
    assert body["metric_sets"][0]["solved_at"] == "2026-01-05T08:00:00Z"
    assert {user["id"] for user in body["users"]} >= {
        body["ticket"]["requester_id"],
        body["ticket"]["assignee_id"],
    }
    assert "slas" not in (await client.get(f"{API}/tickets/{key}")).json()["ticket"]


async def test_create_and_the_ledger(client: httpx.AsyncClient, world: World) -> None:
    values = {
        "subject": "made by us",
        "comment": {"body": "words"},
        "requester": {"name": "N", "email": "n@x.example"},
    }
    made = await client.post(f"{API}/tickets", json={"ticket": values})
    assert made.status_code == 201
    key = made.json()["ticket"]["id"]
    assert made.headers["location"].endswith(f"/tickets/{key}.json")
    await update(client, key, comment={"body": "from us", "public": False}, priority="low")
    kinds = [entry.kind for entry in world.ledger.find("zendesk")]
    assert kinds == ["zendesk.ticket.created", "zendesk.comment", "zendesk.ticket.updated"]
    said = world.ledger.find("zendesk.comment")[0].facts
    assert (said["public"], said["author_id"]) == (False, 8447388090001)
    assert (await client.post(f"{API}/tickets", json={"ticket": {"subject": "no words"}})).status_code == 422


async def test_update_many_is_a_job_with_a_result_each(client: httpx.AsyncClient) -> None:
    good, closed = await new_ticket(client, tags=["keep"]), await new_ticket(client)
    await client.post(f"/control/zendesk/tickets/{closed}/close")
    url = f"{API}/tickets/update_many?ids={good},{closed}"
    job = (await client.put(url, json={"ticket": {"additional_tags": ["new"]}})).json()["job_status"]
    done = (await client.get(f"{API}/job_statuses/{job['id']}")).json()["job_status"]
    assert [result["success"] for result in done["results"]] == [True, False]
    assert (await client.get(f"{API}/tickets/{good}/tags")).json()["tags"] == ["keep", "new"]


async def test_broken_json_is_400(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client)
    assert (await client.put(f"{API}/tickets/{key}", content=b"{")).status_code == 400
    assert (await client.put(f"{API}/tickets/{key}", content=b"[1]")).status_code == 400


async def test_account_limit(client: httpx.AsyncClient, fake_clock: FakeClock) -> None:
    await client.post("/control/limits", json={"zendesk": {"account": 3}})
    answers = [await client.get(f"{API}/groups") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["x-rate-limit-remaining"] == "2"
    assert int(answers[3].headers["retry-after"]) == 60
    assert answers[3].json()["error"] == "APIRateLimitExceeded"
    fake_clock.advance(60)
    assert (await client.get(f"{API}/groups")).status_code == 200


async def test_update_limit_has_the_other_shape(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client)
    await client.post("/control/limits", json={"zendesk": {"updates": 1}})
    first = await update(client, key, priority="low")
    assert first.headers["zendesk-rate-limit-tickets-update"].startswith("total=1; remaining=0")
    second = await update(client, key, priority="high")
    assert (second.status_code, second.json()["errors"][0]["code"]) == (429, "TooManyRequests")
    assert (await client.get(f"{API}/tickets/{key}")).status_code == 200


async def test_sla_targets_show_on_the_roads_of_the_account(client: httpx.AsyncClient) -> None:
    key = await new_ticket(client)
    metrics = [{"metric": "first_reply_time", "stage": "active", "breach_at": "2026-01-05T09:00:00Z"}]
    alone = f"{API}/tickets/{key}/slas/policy_metrics"
    assert (await client.get(alone)).status_code == 404  # none yet
    await client.post(f"/control/zendesk/tickets/{key}/sla", json={"policy_metrics": metrics})
    assert (await client.get(alone)).json() == {"policy_metrics": metrics}
    search = f"{API}/search?query=type:ticket {key}&include=tickets(slas)"
    (found,) = (await client.get(search)).json()["results"]
    assert (found["id"], found["slas"]) == (int(key), {"policy_metrics": metrics})
    await client.post("/control/zendesk/sla_roads", json={"roads": ["search"]})
    assert (await client.get(alone)).status_code == 404
    many = (await client.get(f"{API}/tickets/show_many?ids={key}&include=slas")).json()["tickets"]
    assert "slas" not in many[0]


async def test_sla_targets_may_show_late(client: httpx.AsyncClient, fake_clock: FakeClock) -> None:
    key = await new_ticket(client)
    metrics = [{"metric": "first_reply_time", "stage": "active", "breach_at": "2026-01-05T09:00:00Z"}]
    late = {"policy_metrics": metrics, "after": 3}
    await client.post(f"/control/zendesk/tickets/{key}/sla", json=late)
    alone = f"{API}/tickets/{key}/slas/policy_metrics"
    assert (await client.get(alone)).status_code == 404
    fake_clock.advance(3)
    assert (await client.get(alone)).status_code == 200


async def test_business_hours_are_shown_with_their_holidays_apart(client: httpx.AsyncClient) -> None:
    holidays = [{"id": 1, "name": "Christmas", "start_date": "2026-12-25", "end_date": "2026-12-26"}]
    schedule = {"id": 5, "name": "Office", "time_zone": "Berlin", "intervals": []}
    await client.post("/control/zendesk/schedules", json={"schedules": [schedule | {"holidays": holidays}]})
    root = f"{API}/business_hours/schedules"
    assert (await client.get(root)).json() == {"schedules": [schedule]}
    assert (await client.get(f"{root}/5/holidays")).json() == {"holidays": holidays}
    assert (await client.get(f"{root}/6/holidays")).status_code == 404
