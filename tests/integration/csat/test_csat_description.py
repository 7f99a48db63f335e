"""Form, plan, region, group and assignee are what they were when the ticket was solved (issue 4 §4)."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from csat.destinations import DESCRIPTION
from csat.policy.csat import CsatPolicy
from csat.policy.kpi import KpiPolicy, Source
from supportops.contracts import TicketSnapshot
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.app import Readers, reading
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside

GROABLET = "8447346622462"
ACME = "8447346622463"
FORMS = {"Self-Managed": "8646151517822", "Security Issue": "8646151517828"}
ADA, BEN = "8447388090494", "8447388090495"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def csat(live_store: Store, zendesk: Zendesk) -> AsyncIterator[Readers]:
    async with reading(live_store, zendesk) as readers:
        yield readers


def names(row: Any) -> tuple[str, ...]:
    return row.form, row.plan, row.region, row.group_name, row.assignee


async def change_plan(outside: Outside, organization_id: str, plan: str) -> None:
    fields = {"organization_fields": {"support_level": plan}}
    await outside.rest("PUT", f"/organizations/{organization_id}", {"organization": fields})


async def test_names_plan_and_region_of_the_solve_stay(csat: Readers, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket(organization="Acme Ltd", group_id=8447320466430)
    await csat.hear(solved(ticket_id, at))
    await csat.settled(DESCRIPTION)
    expected = ("Self-Managed", "premium", "", "Support", "Ada Agent")
    assert names(await csat.facts(ticket_id)) == expected
    await change_plan(outside, ACME, "ultimate")
    await outside.act(ticket_id, "actions", assignee_id=int(BEN), form="Security Issue")
    other, later = await outside.solved_ticket(organization="Acme Ltd", form="Security Issue")
    await csat.hear(solved(other, later))
    await csat.settled(DESCRIPTION)
    assert names(await csat.facts(ticket_id)) == expected
    assert names(await csat.facts(other)) == ("Security Issue", "ultimate", "", "", "Ada Agent")


@pytest.mark.parametrize("told_all", [True, False], ids=["all", "some"])
async def test_what_the_event_told_wins_over_what_the_ticket_shows_by_now(
    csat: Readers, outside: Outside, told_all: bool
) -> None:
    ticket_id, at = await outside.solved_ticket(organization="Acme Ltd", group_id=8447320466430)
    ids: dict[str, Any] = {
        "form_id": FORMS["Security Issue"],
        "assignee_id": BEN,
        "organization_id": GROABLET,
    }
    told = TicketSnapshot(**ids | ({"group_id": None} if told_all else {}))
    await csat.hear(solved(ticket_id, at).model_copy(update={"ticket": told}))
    await csat.settled(DESCRIPTION)
    group = "" if told_all else "Support"
    assert names(await csat.facts(ticket_id)) == ("Security Issue", "ultimate", "", group, "Ben Agent")


async def test_an_earlier_solve_is_not_described_any_more(csat: Readers, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    again = at + timedelta(minutes=5)
    await csat.hear(solved(ticket_id, at), reopened(ticket_id, at + SECOND))
    await csat.settled(DESCRIPTION)
    assert (await csat.facts(ticket_id)).described_at is None
    await csat.hear(solved(ticket_id, again))
    await csat.settled(DESCRIPTION)
    row = await csat.facts(ticket_id)
    assert (row.solved_at, row.assignee) == (again, "Ada Agent")
    assert row.described_at is not None


async def test_what_is_missing_holds_nothing_up(csat: Readers, outside: Outside) -> None:
    gone, at = await outside.solved_ticket()
    await outside.act(gone, "delete")
    lone, later = await outside.solved_ticket(requester={"name": "Nora", "email": "nora@nowhere.example"})
    await outside.fault(kind="403", path="/groups", status=403)
    told = TicketSnapshot(group_id="8447320466430", organization_id=None)
    await csat.hear(solved(gone, at), solved(lone, later).model_copy(update={"ticket": told}))
    rows = await csat.settled(DESCRIPTION)
    assert {row.state for row in rows.values()} == {"done"}
    assert names(await csat.facts(gone)) == ("", "", "", "", "")
    assert names(await csat.facts(lone)) == ("Self-Managed", "", "", "", "Ada Agent")


async def test_plan_by_tag_and_region_by_field_of_the_ticket(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    sources = KpiPolicy(
        plan=Source(tags={"gold": "Gold", "silver": "Silver"}),
        region=Source(ticket_field="360000000001", labels={"emea_2021": "EMEA"}),
    )
    field = {"id": 360000000001, "value": "emea_2021"}
    ticket_id, at = await outside.solved_ticket(tags=["silver", "vip"], custom_fields=[field])
    async with reading(live_store, zendesk, CsatPolicy(numbers=sources)) as csat:
        await csat.hear(solved(ticket_id, at))
        await csat.settled(DESCRIPTION)
        row = await csat.facts(ticket_id)
    assert (row.plan, row.region) == ("Silver", "EMEA")
