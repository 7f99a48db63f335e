"""The notifier's pages in Chromium: on a phone and a desktop, in the light, the dark, on paper; by keyboard alone."""

from collections.abc import AsyncIterator, Callable

import pytest
from playwright.async_api import Browser, expect

from notifier.operations.pages import PAGES
from notifier.web import START, create_app
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.site import site_of
from tests.integration.csat import dashboard_app
from tests.integration.csat.dashboard_app import PASSWORD
from tests.integration.notifier.pages import NOW, busy_day, odd_day
from tests.support.browser import in_browser, in_its_loop
from tests.support.engine import store_on
from tests.support.operators_browser import (
    Look,
    Site,
    all_look_right,
    in_all_looks,
    log_in,
    press_enter,
    serving,
    tab_to,
    visit,
)

pytestmark = [*in_browser, pytest.mark.parametrize("dialect", ["sqlite"])]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@in_its_loop
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), clock) as opened:
        yield opened


@in_its_loop
async def site(store: Store) -> AsyncIterator[Site]:
    siblings = {f"{name}_url": f"http://{name}.ops.example.com" for name in ("csat", "ingest", "sfdc_sync")}
    chosen = dashboard_app.settings(**siblings)
    auth = OperatorAuth(chosen, site_of(chosen, "notifier", START, PAGES), store, Metrics())
    async with serving(create_app(store, auth)) as running:
        yield running


@in_all_looks
async def test_pages_of_a_busy_day_look_right(
    browser: Browser, site: Site, store: Store, clock: ManualClock, looks: tuple[Look, ...]
) -> None:
    await busy_day(store, clock)
    async with visit(browser, site) as page:
        await log_in(page, site, "/notices", PASSWORD)
        shown = {
            "notices": "/notices",
            "routing": "/routing",
            "ticket": "/tickets/35436",
            "figures": "/figures",
        }
        await all_look_right(page, site, {f"notifier-{name}": path for name, path in shown.items()}, looks)
        await odd_day(store)
        odd = {f"notifier-odd-{name}": f"/{name}" for name in ("notices", "routing")}
        await all_look_right(page, site, odd, looks[:1])


@in_all_looks
async def test_pages_of_an_empty_house_say_so(browser: Browser, site: Site, looks: tuple[Look, ...]) -> None:
    async with visit(browser, site) as page:
        await log_in(page, site, "/notices", PASSWORD)
        empty = {
            "notices": "/notices?day=tomorrow",
            "routing": "/routing",
            "find": "/tickets",
            "figures": "/figures",
        }
        await all_look_right(
            page, site, {f"notifier-empty-{name}": path for name, path in empty.items()}, looks
        )


async def test_from_a_notice_to_its_story_and_to_why_not_by_keyboard_alone(
    browser: Browser, site: Site, store: Store, clock: ManualClock
) -> None:
    await busy_day(store, clock)
    async with visit(browser, site) as page:
        await log_in(page, site, "/notices", PASSWORD)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await tab_to(page, "link", "35436")
        await press_enter(page)
        assert page.url == f"{site.origin}/tickets/35436"
        await tab_to(page, "textbox", "Ticket")
        await page.keyboard.type("#35441")
        await press_enter(page)
        assert page.url == f"{site.origin}/tickets/35441"
        await tab_to(page, "link", "Routing")
        await press_enter(page)
        decision = page.locator("tr", has_text="35441")
        why = decision.get_by_text("tags: the ticket has no tags")
        await expect(why).to_be_hidden()
        await decision.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(why).to_be_visible()
