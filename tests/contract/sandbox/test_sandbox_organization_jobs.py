"""Organizations in bulk, by external id, and their merges, as the Zendesk stand-in does them."""

from typing import Any

import httpx
import pytest

API = "/zendesk/api/v2"
GROABLET, ACME = 8447346622462, 8447346622463


async def results(client: httpx.AsyncClient, answer: httpx.Response) -> list[dict[str, Any]]:
    """A bulk write answers with a queued job, whose results are read by its id."""
    assert answer.status_code == 200, answer.text
    job = answer.json()["job_status"]
    assert (job["status"], job["results"]) == ("queued", None)
    done = (await client.get(f"{API}/job_statuses/{job['id']}")).json()["job_status"]
    assert done["status"] == "completed"
    found: list[dict[str, Any]] = done["results"]
    return found


async def names(client: httpx.AsyncClient, external_ids: str) -> list[str]:
    answer = await client.get(f"{API}/organizations/show_many", params={"external_ids": external_ids})
    return [each["name"] for each in answer.json()["organizations"]]


async def test_many_are_created_and_those_that_cannot_be_do_not_harm_the_others(
    client: httpx.AsyncClient,
) -> None:
    given = [
        {"name": "New", "external_id": "E1"},
        {"name": "acme ltd"},
        {"name": "Other", "external_id": "e1"},
    ]
    made = await results(
        client, await client.post(f"{API}/organizations/create_many", json={"organizations": given})
    )
    assert [(each["index"], each["success"]) for each in made] == [(0, True), (1, False), (2, False)]
    assert "has already been taken" in made[1]["details"]
    assert await names(client, "E1,unknown") == ["New"]


async def test_many_are_updated_each_with_its_own_values(client: httpx.AsyncClient) -> None:
    given = [
        {"id": GROABLET, "organization_fields": {"support_level": "gold"}},
        {"id": 77, "name": "Nobody"},
        {"id": ACME, "tags": ["a"]},
    ]
    done = await results(
        client, await client.put(f"{API}/organizations/update_many", json={"organizations": given})
    )
    assert [each["success"] for each in done] == [True, False, True]
    groablet = (await client.get(f"{API}/organizations/{GROABLET}")).json()["organization"]
    assert groablet["organization_fields"]["support_level"] == "gold"
    assert groablet["organization_fields"]["salesforce_id"], "fields that are not named stay"


@pytest.mark.parametrize("path", ["create_many", "update_many"])
async def test_more_than_a_hundred_are_refused(client: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path == "create_many" else "PUT"
    body = {"organizations": [{"name": str(number)} for number in range(101)]}
    answer = await client.request(method, f"{API}/organizations/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "TooManyValues")
    asked = await client.get(
        f"{API}/organizations/show_many", params={"external_ids": ",".join(map(str, range(101)))}
    )
    assert asked.status_code == 400


async def test_a_merge_moves_people_and_domains_and_ends_the_loser(client: httpx.AsyncClient) -> None:
    body = {"organization_merge": {"winner_id": ACME}}
    answer = await client.post(f"{API}/organizations/{GROABLET}/merge", json=body)
    assert answer.status_code == 201
    merge = answer.json()["organization_merge"]
    assert (merge["loser_id"], merge["winner_id"]) == (GROABLET, ACME)
    assert (await client.get(f"{API}/organizations/{GROABLET}")).status_code == 404
    listed = (await client.get(f"{API}/organizations/{GROABLET}/merges")).json()["organization_merges"]
    assert [(each["id"], each["status"]) for each in listed] == [(merge["id"], "complete")]
    winner = (await client.get(f"{API}/organizations/{ACME}")).json()["organization"]
    assert winner["domain_names"] == ["acme.example", "groablet.example"]
    assert winner["organization_fields"]["support_level"] == "premium", "the loser's fields are lost"
    rita = (await client.get(f"{API}/users/8447388090601")).json()["user"]
    assert rita["organization_id"] == ACME
    assert (await client.get(f"{API}/organizations/{ACME}/merges")).json()["organization_merges"] == []
