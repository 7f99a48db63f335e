"""The pages of sharing requests in Chromium, and the way from a request to its approval by keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from sandbox.zendesk.records import User
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option
from tests.integration.sfdc_sync.sharing_app import ACME, GROABLET, JO, RITA, SharingWorld, sharing_world
from tests.integration.sfdc_sync.sharing_site import application, walk_in
from tests.support.browser import in_browser, in_its_loop
from tests.support.engine import store_on
from tests.support.operators_browser import (
    Look,
    Site,
    all_look_right,
    has_no_faults,
    in_all_looks,
    press_enter,
    serving,
    tab_to,
    visit,
)

HOSTILE = '"><script>alert(1)</script> & Söhne'
pytestmark = [*in_browser, pytest.mark.parametrize("dialect", ["sqlite"])]


@in_its_loop
async def world(database: str) -> AsyncIterator[SharingWorld]:
    async with store_on(database) as store, sharing_world(store) as made:
        yield made


@in_its_loop
async def site(world: SharingWorld, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(application(world.store, tmp_path)) as running:
        yield running


async def asked(world: SharingWorld) -> int:
    """A request of the harder kind: somebody of two organizations, long names."""
    account = world.outside.zendesk.account
    world.user(RITA).organization_ids.append(ACME)
    account.add_user(
        User(
            9001,
            "Wilhelmina Constantinopolitanska-Featherstonehaugh",
            "w@x.example",
            organization_id=GROABLET,
        )
    )
    number = await world.ask(Option.SELECTED_COMMENT, world.ticket(), str(RITA))
    await world.worked(number)
    return number


@in_all_looks
async def test_requests_look_right(
    browser: Browser, site: Site, world: SharingWorld, looks: tuple[Look, ...]
) -> None:
    world.outside.zendesk.account.organization(ACME).name = HOSTILE
    changed = await world.apply(Option.ALL_VIEW, organization_id=ACME)
    world.user(JO).ticket_restriction = "assigned"
    await world.watch(changed)
    async with visit(browser, site) as page:
        await walk_in(page, site, "/sharing")
        number = await asked(world)
        shown = {
            "sharing-list": "/sharing?which=all",
            "sharing": f"/sharing/{number}",
            "sharing-new": "/sharing/new",
        }
        await all_look_right(page, site, shown | {"sharing-changed": f"/sharing/{changed}"}, looks)
        await expect(page.get_by_role("heading", name="Changed by hand since")).to_be_visible()


async def test_a_request_is_approved_by_keyboard_alone(
    browser: Browser, site: Site, world: SharingWorld
) -> None:
    number = await asked(world)
    async with visit(browser, site) as page:
        await walk_in(page, site, f"/sharing/{number}")
        await tab_to(page, "button", "Approve what is shown below")
        await press_enter(page)
        assert (await world.worked(number)).request.state is State.APPLIED
        await page.reload()
        await expect(page.get_by_role("button", name="Undo: put back what was before")).to_be_visible()
        await has_no_faults(page)
