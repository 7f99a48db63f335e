"""The dashboard in Chromium: on a phone, a desktop, in the dark, on paper; by keyboard; no other host is asked."""

from collections.abc import AsyncIterator, Callable

from playwright.async_api import Browser, Page

from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat import dashboard_app
from tests.integration.csat.assertions import on
from tests.integration.csat.http_app import auth_of
from tests.support import operators_browser
from tests.support.browser import PICTURES, SCREENSHOTS, in_browser, in_its_loop, picture
from tests.support.engine import store_on
from tests.support.operators_browser import (
    PAPER,
    PHONE,
    Look,
    Site,
    fits_on_paper,
    in_all_looks,
    looks_right,
    serving,
    visit,
)

pytestmark = [*in_browser, on("sqlite")]


@in_its_loop
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("csat"), clock) as opened:
        yield opened


@in_its_loop
async def site(store: Store, clock: ManualClock) -> AsyncIterator[Site]:
    opened = auth_of(store, dashboard_app.settings(), "http://127.0.0.1")
    async with serving(dashboard_app.application(store, clock, opened)) as running:
        yield running


async def log_in(page: Page, site: Site, path: str = "/dashboard") -> None:
    await operators_browser.log_in(page, site, path, dashboard_app.PASSWORD)


@in_all_looks
async def test_it_looks_right(
    browser: Browser, site: Site, store: Store, clock: ManualClock, looks: tuple[Look, ...]
) -> None:
    await dashboard_app.quarter(store, clock)
    async with visit(browser, site) as page:
        await page.goto(f"{site.origin}/dashboard")
        await looks_right(page, "dashboard-{look}-login", looks, whole=False)
        await log_in(page, site)
        await looks_right(page, "dashboard-{look}", looks)
        for summary in await page.locator("summary").all():
            await summary.click()
        await looks_right(page, "dashboard-{look}-unfolded", looks)


@in_all_looks
async def test_it_looks_right_before_anybody_answered(
    browser: Browser, site: Site, looks: tuple[Look, ...]
) -> None:
    async with visit(browser, site) as page:
        await log_in(page, site)
        assert await page.get_by_text("Nobody has answered yet").is_visible()
        await looks_right(page, "dashboard-{look}-empty", looks)


async def test_on_paper_nothing_is_cut(
    browser: Browser, site: Site, store: Store, clock: ManualClock
) -> None:
    await dashboard_app.quarter(store, clock)
    async with visit(browser, site) as page:
        await log_in(page, site)
        if PICTURES:
            await page.pdf(path=SCREENSHOTS / "dashboard.pdf", format="A4", print_background=True)
        await fits_on_paper(page)
        await page.emulate_media(media="print")
        await page.set_viewport_size(PAPER)
        assert await page.get_by_role(
            "table", name="Satisfaction (KPI) by week"
        ).is_visible()  # on the screen it is folded
        await picture(page, "dashboard-print")


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
        await picture(page, "dashboard-phone-filtered", whole=False)
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
