"""sfdc-sync's pages in Chromium, and the way from a request to its approval by keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from sandbox.zendesk.records import User
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option
from tests.integration.sfdc_sync.sharing_app import ACME, GROABLET, RITA, SharingWorld
from tests.integration.sfdc_sync.sharing_site import application
from tests.integration.sfdc_sync.sync_app import ACME as ACME_ACCOUNT
from tests.integration.sfdc_sync.sync_app import ACME_ORG, GITLAB_ORG, Sync
from tests.support.browser import screenshot_path
from tests.support.operators_browser import DESKTOP, LOOKS, PHONE, Site, has_no_faults, serving, visit

pytestmark = pytest.mark.browser


@pytest.fixture
async def site(world: SharingWorld, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(application(world.store, tmp_path)) as running:
        yield running


async def log_in(page: Page, site: Site, path: str) -> None:
    await page.goto(f"{site.origin}{path}")
    await expect(page.locator("#username")).to_be_focused(timeout=30_000)  # what is typed earlier is lost
    await page.keyboard.type("anna-approves")
    await page.keyboard.press("Tab")
    await page.keyboard.type("anna-approves" * 2)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.origin}{path}", timeout=30_000)


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


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
async def test_it_looks_right(
    browser: Browser, site: Site, world: SharingWorld, viewport: ViewportSize, scheme: str
) -> None:
    number = await asked(world)
    name = f"sharing-{'phone' if viewport is PHONE else 'desktop'}-{scheme}"
    async with visit(browser, site, viewport, scheme) as page:
        await log_in(page, site, "/sharing")
        for path, part in (("/sharing", "-list"), (f"/sharing/{number}", ""), ("/sharing/new", "-new")):
            await page.goto(f"{site.origin}{path}")
            await has_no_faults(page)
            await page.screenshot(path=screenshot_path(f"{name}{part}"), full_page=True)


async def test_runs_findings_and_stories_look_right(browser: Browser, sync: Sync, tmp_path: Path) -> None:
    sync.desk.edit_account(ACME_ACCOUNT, Support_Level__c="Gold")
    sync.desk.edit_organization(GITLAB_ORG, name="Donaudampfschifffahrtsgesellschaft" * 3)
    await sync.integrity().run()
    run = await sync.of().full("full", "somebody.with.a.long.name@groablet.example")
    stories = (("story", f"/accounts/{ACME_ACCOUNT}"), ("story-organization", f"/organizations/{ACME_ORG}"))
    async with serving(application(sync.vendors.store, tmp_path)) as site:
        for viewport, scheme in ((PHONE, "light"), (DESKTOP, "dark")):
            name = f"{'phone' if viewport is PHONE else 'desktop'}-{scheme}"
            async with visit(browser, site, viewport, scheme) as page:
                await log_in(page, site, "/runs")
                for part, path in (
                    ("runs", "/runs"),
                    ("run", f"/runs/{run.run_id}"),
                    ("integrity", "/integrity?state=all"),
                    ("find", "/organizations"),
                    *stories,
                ):
                    await page.goto(f"{site.origin}{path}")
                    await has_no_faults(page)
                    await page.screenshot(path=screenshot_path(f"sfdc-{part}-{name}"), full_page=True)


async def test_a_request_is_approved_by_keyboard_alone(
    browser: Browser, site: Site, world: SharingWorld
) -> None:
    number = await asked(world)
    async with visit(browser, site, DESKTOP) as page:
        await log_in(page, site, f"/sharing/{number}")
        button = page.get_by_role("button", name="Approve what is shown below")
        for _ in range(20):
            if await button.evaluate("each => each === document.activeElement"):
                break
            await page.keyboard.press("Tab")
        await expect(button).to_be_focused()
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert (await world.worked(number)).request.state is State.APPLIED
        await page.reload()
        await expect(page.get_by_role("button", name="Undo: put back what was before")).to_be_visible()
        await has_no_faults(page)
