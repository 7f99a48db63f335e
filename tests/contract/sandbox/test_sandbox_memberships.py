"""Memberships, levels and sharing in the stand-in, driven by the client that the services use."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.world import World
from supportops.clock import SystemClock
from supportops.errors import NotFound
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import TicketSharing, open_zendesk
from tests.support.sandbox import zendesk_settings

API = "/zendesk/api/v2"
RITA, JO, ADA = "8447388090601", "8447388090602", "8447388090494"
GROABLET, ACME = "8447346622462", "8447346622463"


@pytest.fixture
async def sharing(application: tuple[httpx.ASGITransport, World]) -> AsyncIterator[TicketSharing]:
    settings, clock = zendesk_settings("http://sandbox"), SystemClock()
    scopes = ("users:write", "users:read", "organizations:read", "organizations:write")
    async with open_zendesk(
        settings, scopes, clock=clock, metrics=Metrics(), transport=application[0]
    ) as zendesk:
        yield zendesk.sharing


async def join(client: httpx.AsyncClient, user: str, organization: str) -> httpx.Response:
    values = {"organization_membership": {"user_id": int(user), "organization_id": int(organization)}}
    return await client.post(f"{API}/organization_memberships", json=values)


async def test_a_user_belongs_to_several_organizations(
    client: httpx.AsyncClient, sharing: TicketSharing
) -> None:
    joined = await join(client, RITA, ACME)
    assert (joined.status_code, joined.json()["organization_membership"]["default"]) == (201, False)
    assert (await join(client, RITA, ACME)).status_code == 422
    assert await sharing.organization_ids_of(RITA) == [GROABLET, ACME]
    assert set(await sharing.member_ids(ACME)) == {RITA, JO}
    key = joined.json()["organization_membership"]["id"]
    assert (await client.delete(f"{API}/organization_memberships/{key}")).status_code == 204
    assert await sharing.organization_ids_of(RITA) == [GROABLET]
    assert (await client.delete(f"{API}/organization_memberships/{key}")).status_code == 404


async def test_whoever_leaves_the_default_one_gets_the_next(
    client: httpx.AsyncClient, world: World, sharing: TicketSharing
) -> None:
    await join(client, RITA, ACME)
    listed = (await client.get(f"{API}/users/{RITA}/organization_memberships")).json()
    first = listed["organization_memberships"][0]["id"]
    await client.delete(f"{API}/organization_memberships/{first}")
    assert world.zendesk.account.user(int(RITA)).organization_id == int(ACME)
    await client.delete(f"{API}/organizations/{ACME}")
    assert await sharing.organization_ids_of(RITA) == []


async def test_levels_and_settings_are_kept_and_odd_levels_of_end_users_are_not(
    sharing: TicketSharing,
) -> None:
    await sharing.restrict(RITA, "organization")
    await sharing.restrict(JO, "groups")
    await sharing.share(GROABLET, tickets=True, comments=False)
    found = await sharing.users([RITA, JO, ADA, "1"])
    assert {key: user.ticket_restriction for key, user in found.items()} == {
        RITA: "organization",
        JO: "requested",
        ADA: None,
    }
    organization = await sharing.organization(GROABLET)
    assert organization is not None
    assert (organization.shared_tickets, organization.shared_comments) == (True, False)


async def test_what_is_not_there_is_none_or_named(sharing: TicketSharing) -> None:
    assert await sharing.organization("1") is None
    assert await sharing.member_ids("1") == []
    assert await sharing.organizations(["1", ACME]) == await sharing.organizations([ACME])
    with pytest.raises(NotFound):
        await sharing.restrict("1", "requested")


async def test_members_come_in_pages(world: World, sharing: TicketSharing) -> None:
    made = world.zendesk.account.records.users[int(JO)]
    for number in range(150):
        user = type(made)(9000 + number, f"P{number}", f"p{number}@x.example", organization_id=int(ACME))
        world.zendesk.account.add_user(user)
    assert len(await sharing.member_ids(ACME)) == 151
