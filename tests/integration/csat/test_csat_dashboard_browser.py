"""The dashboard in Chromium: on a phone, a desktop, in the dark, on paper; by keyboard; no other host is asked."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, ViewportSize

from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat import dashboard_app
from tests.integration.csat.assertions import on
from tests.integration.csat.http_app import auth_of
from tests.support import operators_browser
from tests.support.browser import SCREENSHOTS, screenshot_path
from tests.support.operators_browser import (
    LOOKS,
    PAPER,
    PHONE,
    Site,
    fits_on_paper,
    has_no_faults,
    serving,
    visit,
)

pytestmark = [pytest.mark.browser, on("sqlite")]


@pytest.fixture
async def site(store: Store, clock: ManualClock) -> AsyncIterator[Site]:
    opened = auth_of(store, dashboard_app.settings(), "http://127.0.0.1")
    async with serving(dashboard_app.application(store, clock, opened)) as running:
        yield running


async def log_in(page: Page, site: Site, path: str = "/dashboard") -> None:
    await operators_browser.log_in(page, site, path, dashboard_app.PASSWORD)


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
async def test_it_looks_right(
    browser: Browser, site: Site, store: Store, clock: ManualClock, viewport: ViewportSize, scheme: str
) -> None:
    await dashboard_app.quarter(store, clock)
    name = f"dashboard-{'phone' if viewport is PHONE else 'desktop'}-{scheme}"
    async with visit(browser, site, viewport, scheme) as page:
        await page.goto(f"{site.origin}/dashboard")
        await has_no_faults(page)
        await page.screenshot(path=screenshot_path(f"{name}-login"))
        await log_in(page, site)
        await has_no_faults(page)
        await page.screenshot(path=screenshot_path(name), full_page=True)
        for summary in await page.locator("summary").all():
            await summary.click()
        await has_no_faults(page)


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
async def test_it_looks_right_before_anybody_answered(
    browser: Browser, site: Site, viewport: ViewportSize, scheme: str
) -> None:
    async with visit(browser, site, viewport, scheme) as page:
        await log_in(page, site)
        assert await page.get_by_text("Nobody has answered yet").is_visible()
        await has_no_faults(page)
        await page.screenshot(
            path=screenshot_path(f"dashboard-empty-{viewport['width']}-{scheme}"), full_page=True
        )


async def test_on_paper_nothing_is_cut(
    browser: Browser, site: Site, store: Store, clock: ManualClock
) -> None:
    await dashboard_app.quarter(store, clock)
    async with visit(browser, site) as page:
        await log_in(page, site)
        await page.pdf(path=SCREENSHOTS / "dashboard.pdf", format="A4", print_background=True)
        await fits_on_paper(page)
        await page.emulate_media(media="print")
        await page.set_viewport_size(PAPER)
        assert await page.get_by_role(
            "table", name="Satisfaction (KPI) by week"
        ).is_visible()  # on the screen it is folded
        await page.screenshot(path=screenshot_path("dashboard-print"), full_page=True)


async def test_filters_by_keyboard_and_chips(
    browser: Browser, site: Site, store: Store, clock: ManualClock
) -> None:
    await dashboard_app.quarter(store, clock, tickets=300)
    async with visit(browser, site, PHONE) as page:
        await log_in(page, site)
        await page.get_by_role("combobox", name="Plan").focus()
        await page.keyboard.type("Prem")
        await page.get_by_role("button", name="Show").focus()
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert "plan=Premium" in page.url
        chip = page.get_by_role("link", name="Plan: Premium")
        await page.screenshot(path=screenshot_path("dashboard-phone-filtered"))
        await chip.focus()
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert "plan=" not in page.url


async def test_logging_out_ends_it(browser: Browser, site: Site) -> None:
    async with visit(browser, site) as page:
        await log_in(page, site)
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url(f"{site.origin}/login", timeout=30_000)
        await page.goto(f"{site.origin}/dashboard?step=month")
        assert page.url == f"{site.origin}/login?next=%2Fdashboard%3Fstep%3Dmonth"
