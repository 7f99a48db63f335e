"""Users, organizations, reference tables, export, search and the webhooks API of the Zendesk stand-in."""

from typing import Any

import httpx
import pytest

from sandbox.world import World
from tests.contract.sandbox.fakes import START, FakeClock, FakePost
from tests.support.eventually import eventually

API = "/zendesk/api/v2"
SECOND = 1_000_000_000


async def get(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_users(client: httpx.AsyncClient) -> None:
    assert (await get(client, "users/me.json"))["user"]["email"] == "ops@example.com"
    many = await get(client, "users/show_many?ids=8447388090494,1,8447388090601")
    assert [user["name"] for user in many["users"]] == ["Ada Agent", "Rita Requester"]
    assert [u["id"] for u in (await get(client, "users/search?query=jo@acme.example"))["users"]] == [
        8447388090602
    ]
    assert (await client.get(f"{API}/users/show_many?ids=" + ",".join(["1"] * 101))).json()[
        "max_count"
    ] == 100
    assert (await client.get(f"{API}/users/77")).status_code == 404
    member = await get(client, "users/8447388090602/organization_memberships")
    assert member["organization_memberships"][0]["organization_id"] == 8447346622463


async def test_user_create_or_update(client: httpx.AsyncClient) -> None:
    url = f"{API}/users/create_or_update"
    body = {"user": {"name": "Zoe", "email": "zoe@x.example", "external_id": "E1"}}
    made = await client.post(url, json=body)
    assert (made.status_code, "location" in made.headers) == (201, True)
    again = await client.post(url, json={"user": {"external_id": "e1", "ticket_restriction": "organization"}})
    assert again.status_code == 200
    shown = again.json()["user"]
    assert (shown["id"], shown["ticket_restriction"]) == (made.json()["user"]["id"], "organization")


async def test_organizations(client: httpx.AsyncClient, fake_clock: FakeClock) -> None:
    found = await get(client, "organizations/search?name=acme%20LTD")
    key = found["organizations"][0]["id"]
    assert (await client.get(f"{API}/organizations/search?name=a&external_id=b")).status_code == 400
    fake_clock.advance(60)
    same = await client.put(f"{API}/organizations/{key}", json={"organization": {"name": "Acme Ltd"}})
    assert same.json()["organization"]["updated_at"] == "2026-01-05T08:00:00Z"
    change = {"organization_fields": {"aar": 5}, "shared_tickets": True}
    shown = (await client.put(f"{API}/organizations/{key}", json={"organization": change})).json()[
        "organization"
    ]
    assert shown["organization_fields"] == {
        "salesforce_id": "0018a00001rBqb8AAC",
        "support_level": "premium",
        "aar": 5,
    }
    assert (shown["updated_at"], shown["shared_tickets"]) == ("2026-01-05T08:01:00Z", True)
    related = await get(client, f"organizations/{key}/related")
    assert related["organization_related"] == {"tickets_count": 0, "users_count": 1}


async def test_organization_names_and_external_ids_are_unique(client: httpx.AsyncClient) -> None:
    url = f"{API}/organizations"
    taken = await client.post(url, json={"organization": {"name": " acme ltd "}})
    assert (taken.status_code, "name" in taken.json()["details"]) == (422, True)
    clash = {"name": "Other", "external_id": "0018A00001RBQB8aac"}
    assert "external_id" in (await client.post(url, json={"organization": clash})).json()["details"]
    adopted = await client.post(f"{url}/create_or_update", json={"organization": clash})
    assert (adopted.status_code, adopted.json()["organization"]["name"]) == (200, "Other")


async def test_deleting_an_organization_frees_its_people(client: httpx.AsyncClient) -> None:
    ticket = (await client.post("/control/zendesk/tickets", json={"organization": "Acme Ltd"})).json()[
        "ticket"
    ]
    assert (await client.delete(f"{API}/organizations/8447346622463")).status_code == 204
    assert (await get(client, f"tickets/{ticket['id']}"))["ticket"]["organization_id"] is None
    assert (await get(client, "users/8447388090602"))["user"]["organization_id"] is None


@pytest.mark.parametrize("kind", ["ticket_forms", "groups", "brands", "ticket_fields"])
async def test_reference_tables(client: httpx.AsyncClient, kind: str) -> None:
    listed = (await get(client, kind))[kind]
    one = await get(client, f"{kind}/{listed[0]['id']}")
    assert one[kind.removesuffix("s")] == listed[0]
    assert (await get(client, f"{kind}/show_many?ids={listed[0]['id']},5"))[kind] == listed[:1]
    assert (await client.get(f"{API}/{kind}/5")).status_code == 404


async def test_offset_and_cursor_pages(client: httpx.AsyncClient) -> None:
    first = await get(client, "ticket_forms?page=1&per_page=5")
    assert (len(first["ticket_forms"]), first["count"], first["previous_page"]) == (5, 7, None)
    assert len((await get(client, "ticket_forms?page=2&per_page=5"))["ticket_forms"]) == 2
    assert (await client.get(f"{API}/ticket_forms?page=101")).status_code == 400
    assert (await client.get(f"{API}/ticket_forms?page[after]=%25")).status_code == 400


async def test_incremental_export(client: httpx.AsyncClient, fake_clock: FakeClock) -> None:
    start = START // SECOND - 60
    keys = []
    for number in range(3):
        made = await client.post("/control/zendesk/tickets", json={"subject": f"t{number}"})
        keys.append(made.json()["ticket"]["id"])
        fake_clock.advance(10)
    url = f"incremental/tickets/cursor?start_time={start}"
    assert (await get(client, url))["tickets"] == []  # the last minute is left out
    fake_clock.advance(60)
    page = await get(client, f"{url}&per_page=2&include=metric_sets")
    assert [ticket["id"] for ticket in page["tickets"]] == keys[:2]
    assert (page["end_of_stream"], len(page["metric_sets"])) == (False, 2)
    rest = await get(client, f"incremental/tickets/cursor?cursor={page['after_cursor']}")
    assert ([ticket["id"] for ticket in rest["tickets"]], rest["end_of_stream"]) == (keys[2:], True)
    await client.post(f"/control/zendesk/tickets/{keys[0]}/sla", json={"policy_metrics": []})
    await client.post(f"/control/zendesk/tickets/{keys[1]}/delete")
    fake_clock.advance(61)
    moved = await get(client, f"incremental/tickets/cursor?cursor={rest['after_cursor']}")
    shown = {ticket["id"]: ticket for ticket in moved["tickets"]}
    assert shown[keys[0]]["updated_at"] == "2026-01-05T08:00:00Z"  # old, although it came again
    assert shown[keys[1]]["status"] == "deleted"
    too_new = await client.get(f"{API}/incremental/tickets/cursor?start_time={fake_clock.now // SECOND}")
    assert too_new.status_code == 400


async def test_export_limit(client: httpx.AsyncClient) -> None:
    await client.post("/control/limits", json={"zendesk": {"exports": 1}})
    url = f"{API}/incremental/organizations?start_time=0"
    assert [(await client.get(url)).status_code for _ in range(2)] == [200, 429]


async def test_search(client: httpx.AsyncClient) -> None:
    await client.post("/control/zendesk/tickets", json={"subject": "Broken runner", "tags": ["vip"]})
    await client.post("/control/zendesk/tickets", json={"subject": "Other", "status": "solved"})
    found = await get(client, "search?query=type:ticket%20status%3Csolved%20tags:vip%20runner")
    assert [ticket["subject"] for ticket in found["results"]] == ["Broken runner"]
    assert (await get(client, "search/count?query=type:ticket%20status:solved"))["count"] == 1


async def test_webhooks_api(client: httpx.AsyncClient, world: World, post: FakePost) -> None:
    auth = {"type": "basic_auth", "data": {"username": "u", "password": "p"}, "add_position": "header"}
    values: dict[str, Any] = {
        "name": "Hook",
        "endpoint": "http://receiver/hook",
        "http_method": "POST",
        "request_format": "json",
    }
    values["subscriptions"] = ["zen:event-type:ticket.created"]
    values["authentication"] = auth
    made = await client.post(f"{API}/webhooks", json={"webhook": values})
    key = made.json()["webhook"]["id"]
    assert (made.status_code, made.json()["webhook"]["authentication"]["data"]) == (201, {"username": "u"})
    secret = (await get(client, f"webhooks/{key}/signing_secret"))["signing_secret"]["secret"]
    assert len(secret) == 44
    renewed = await client.post(f"{API}/webhooks/{key}/signing_secret")
    assert (renewed.status_code, renewed.json()["signing_secret"]["secret"] != secret) == (201, True)
    await client.post("/control/zendesk/tickets", json={"subject": "x"})
    await eventually(lambda: world.zendesk.sender.pending() == 0)
    assert post.requests[0].headers["Authorization"] == "Basic dTpw"
    (invocation,) = (await get(client, f"webhooks/{key}/invocations"))["invocations"]
    assert (invocation["status"], invocation["status_code"]) == ("success", 200)
    attempts = await get(client, f"webhooks/{key}/invocations/{invocation['id']}/attempts")
    assert [attempt["response_status"] for attempt in attempts["attempts"]] == [200]
    changed = await client.patch(f"{API}/webhooks/{key}", json={"webhook": {"status": "inactive"}})
    assert changed.status_code == 204
    await client.post("/control/zendesk/tickets", json={"subject": "y"})
    assert world.zendesk.sender.pending() == 0
    assert [hook["id"] for hook in (await get(client, "webhooks?filter[name_contains]=hoo"))["webhooks"]] == [
        key
    ]
    assert (await client.delete(f"{API}/webhooks/{key}")).status_code == 204
    assert (await client.get(f"{API}/webhooks/{key}")).status_code == 404
    assert (await client.post(f"{API}/webhooks", json={"webhook": {"name": "x"}})).status_code == 400
