"""sfdc-sync's pages of runs, findings and stories in Chromium: in every look, on paper, empty, by keyboard alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from sfdc_sync.organizations.runs import Stopped
from sfdc_sync.policy.organizations import BrakePolicy, Limit
from sfdc_sync.salesforce.client import open_salesforce
from sfdc_sync.settings import SalesforceSettings
from sfdc_sync.tables import tickets
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.upsert import insert_for
from tests.integration.sfdc_sync.app import RULES
from tests.integration.sfdc_sync.sandbox import Outside
from tests.integration.sfdc_sync.sharing_site import application, walk_in
from tests.integration.sfdc_sync.sync_app import ACME, ACME_ORG, GITLAB_ORG, GROABLET, Sync, compared
from tests.support.browser import in_browser, in_its_loop
from tests.support.engine import store_on
from tests.support.operators_browser import (
    Look,
    all_look_right,
    in_all_looks,
    press_enter,
    serving,
    tab_to,
    visit,
)

pytestmark = [*in_browser, pytest.mark.parametrize("dialect", ["sqlite"])]
KEY = "Rhein-Main-Gesellschaft für Bau, Betrieb und Unterhaltung mbH & Co. KG"
LONG = "Donaudampfschifffahrtsgesellschaft" * 3
HOSTILE = '"><script>alert(1)</script> & Söhne'
STRICT = BrakePolicy(changes=Limit(absolute=0, share=0.1, least=0))


@in_its_loop
async def store(database: str) -> AsyncIterator[Store]:
    async with store_on(database) as opened:
        yield opened


@in_its_loop
async def sync(
    store: Store, salesforce_settings: SalesforceSettings, outside: Outside
) -> AsyncIterator[Sync]:
    async with (
        open_salesforce(salesforce_settings, RULES.pauses, Metrics()) as salesforce,
        compared(store, salesforce, outside) as made,
    ):
        yield made


async def busy(sync: Sync) -> dict[str, str]:
    """Runs of every kind, findings of both sides; the pages that show them."""
    sync.systems.edit_organization(GITLAB_ORG, name=KEY)
    sync.systems.edit_account(GROABLET, Name="Groablet Enterprises GmbH", Support_Level__c="Silver")
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    await sync.integrity().run()
    run = await sync.of().full("full", "somebody.with.a.long.name@groablet.example")
    sync.systems.edit_account(ACME, Support_Level__c="Expired")
    await sync.of().plan("otto-operates", create=False)
    (plan, *_) = await sync.repository.runs(1)
    with pytest.raises(Stopped) as stopped:
        await sync.with_rules(brake=STRICT).full("full", "schedule")
    await sync.integrity().run()
    async with sync.vendors.store.transaction() as tx:
        row = {"ticket_id": "35436", "state": "{}", "revision": 1, "erased": False, "changed_at": tx.now}
        await tx.execute(insert_for(tx.dialect, tickets).values(row))
    return {
        "sfdc-ticket": "/tickets/35436",
        "sfdc-runs": "/runs",
        "sfdc-run": f"/runs/{run.run_id}",
        "sfdc-plan": f"/runs/{plan['run_id']}",
        "sfdc-stopped": f"/runs/{stopped.value.run_id}",
        "sfdc-integrity": "/integrity?state=all",
        "sfdc-find": "/organizations?about=a",
        "sfdc-story": f"/accounts/{ACME}",
        "sfdc-story-organization": f"/organizations/{ACME_ORG}",
    }


async def oddly_named(sync: Sync) -> dict[str, str]:
    """Names too long for any column, and such as want to be more than text; the pages that show them."""
    sync.systems.edit_organization(GITLAB_ORG, name=LONG)
    sync.systems.edit_account(GROABLET, Name=HOSTILE, Support_Level__c="Gold")
    run = await sync.of().full("full", LONG)
    await sync.integrity().run()
    paths = ("/runs", f"/runs/{run.run_id}", "/integrity", "/organizations?about=a", f"/accounts/{GROABLET}")
    return {f"sfdc-odd-{at}": path for at, path in enumerate(paths)}


@in_all_looks
async def test_runs_findings_and_stories_look_right(
    browser: Browser, sync: Sync, tmp_path: Path, looks: tuple[Look, ...]
) -> None:
    pages = await busy(sync)
    async with (
        serving(application(sync.vendors.store, tmp_path)) as site,
        visit(browser, site) as page,
    ):
        await walk_in(page, site, "/runs")
        await all_look_right(page, site, pages, looks)
        odd = await oddly_named(sync)
        await all_look_right(page, site, odd, looks[:1])
        await page.goto(f"{site.origin}/runs")
        await tab_to(page, "link", "Accounts")
        await press_enter(page)
        await tab_to(page, "textbox", "Id or name")
        await page.keyboard.type("acme")
        await press_enter(page)
        await page.keyboard.press("Tab")
        await tab_to(page, "link", "Acme Ltd")
        await press_enter(page)
        await expect(page.get_by_role("heading", name="How it stands")).to_be_visible()


@in_all_looks
async def test_an_empty_house_says_what_to_do(
    browser: Browser, store: Store, tmp_path: Path, looks: tuple[Look, ...]
) -> None:
    async with serving(application(store, tmp_path)) as site, visit(browser, site) as page:
        await walk_in(page, site, "/runs")
        empty = ("runs", "integrity", "organizations", "sharing", "tickets")
        await all_look_right(page, site, {f"sfdc-empty-{name}": f"/{name}" for name in empty}, looks)
