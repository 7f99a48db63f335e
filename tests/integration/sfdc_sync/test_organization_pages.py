"""Pages of runs, integrity, accounts and organizations over HTTP, and what `explain` tells of the latter two."""

import re
from pathlib import Path

import pytest

from sfdc_sync.integrity import findings
from sfdc_sync.integrity.findings import Weighed
from sfdc_sync.integrity.reports import Finding
from sfdc_sync.operations import organization_pages
from sfdc_sync.operations.explain import explain_subject
from sfdc_sync.organizations.runs import OrganizationSync, Stopped
from sfdc_sync.policy.organizations import BrakePolicy, Limit
from sfdc_sync.tables import tickets
from supportops.operations.timeline import Explanation
from supportops.store.upsert import insert_for
from tests.integration.sfdc_sync.app import Service, settled
from tests.integration.sfdc_sync.events import created
from tests.integration.sfdc_sync.sharing_site import Browser, application
from tests.integration.sfdc_sync.sync_app import ACME, ACME_ORG, GITLAB_ORG, GROABLET, GROABLET_ORG, Sync

EVIL = '<script>alert(1)</script>"><b>'


@pytest.fixture
async def browser(sync: Sync, tmp_path: Path) -> Browser:
    found = Browser(application(sync.vendors.store, tmp_path))
    await found.log_in("lena-looks")
    return found


async def text_of(browser: Browser, path: str, **query: str) -> str:
    """The page, without the marks that say where a name may break."""
    answer = await browser.http.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return re.sub(r'<wbr>|<span class="joined">(.*?)</span>', r"\1", answer.text)


async def told_of(sync: Sync, subject: str) -> Explanation:
    store = sync.vendors.store
    async with store.reading() as conn:
        return await explain_subject(conn, subject, store.clock.now(), False)


def strict(sync: Sync) -> OrganizationSync:
    """Runs that no change may pass."""
    return sync.with_rules(brake=BrakePolicy(changes=Limit(absolute=0, share=0.1, least=0)))


async def test_a_stopped_run_says_its_cause_until_it_is_lifted(sync: Sync, browser: Browser) -> None:
    assert "It is armed." in await text_of(browser, "/runs")
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    with pytest.raises(Stopped) as stopped:
        await strict(sync).full("full", "test")
    page = await text_of(browser, "/runs")
    assert f"/runs/{stopped.value.run_id}" in page
    for words in ("stopped before its first write", "a mass edit in Salesforce", "release-brake"):
        assert words in page, words
    assert "a mass edit in Salesforce" in await text_of(browser, f"/runs/{stopped.value.run_id}")
    await sync.repository.release_brake("olga", "it is right so")
    assert "by olga" in await text_of(browser, "/runs")
    done = await strict(sync).full("full", "test")
    page = await text_of(browser, "/runs")
    assert "stopped before its first write" not in page
    assert "by olga" not in page
    assert "Brake lifted for" in await text_of(browser, f"/runs/{done.run_id}")


async def test_rows_of_a_run_are_found_by_whom_they_are_about_and_by_outcome(
    sync: Sync, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    sync.systems.edit_account(GROABLET, Support_Level__c="Silver")
    path = f"/runs/{(await sync.of().full('full', 'test')).run_id}"
    both = {f"/organizations/{ACME_ORG}", f"/organizations/{GROABLET_ORG}"}
    for query, found in (
        ({}, both),
        ({"about": ACME[:15]}, {f"/organizations/{ACME_ORG}"}),
        ({"about": GROABLET_ORG}, {f"/organizations/{GROABLET_ORG}"}),
        ({"about": "groablet ENT"}, {f"/organizations/{GROABLET_ORG}"}),
        ({"about": "%"}, set()),
        ({"state": "done", "action": "update"}, both),
        ({"state": "refused"}, set()),
        ({"action": "create"}, set()),
        ({"state": "nonsense", "after": "-9x"}, both),
    ):
        page = await text_of(browser, path, **query)
        assert {each for each in both if each in page} == found, query
    assert "premium → gold" in await text_of(browser, path)
    monkeypatch.setattr(organization_pages, "SHOWN", 1)
    first = await text_of(browser, path)
    assert "after=0" in first
    second = await text_of(browser, path, after="0")
    assert "The next rows" not in second
    assert [sum(each in page for each in both) for page in (first, second)] == [1, 1]


async def test_a_plan_shows_what_would_be_done(sync: Sync, browser: Browser) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Expired")
    await sync.of().plan("test", create=False)
    (run, *_) = await sync.repository.runs(1)
    page = await text_of(browser, f"/runs/{run['run_id']}", state="planned")
    for words in ("Plan of", "premium → expired", "SLA:", "open tickets"):
        assert words in page, words


async def test_a_finding_is_shown_with_both_values_filtered_saved_and_gone(
    sync: Sync, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nothing was checked yet" in await text_of(browser, "/integrity")
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    await sync.integrity().run()
    command = f"sfdc-sync check --repair support_level_mismatch:{ACME_ORG}"
    page = await text_of(browser, "/integrity", severity="high", about=ACME[:15])
    for words in (command, f"/accounts/{ACME}", f"/organizations/{ACME_ORG}", "gold", "Zendesk: premium"):
        assert words in page, words
    for query in ({"report": "marked"}, {"severity": "low"}, {"state": "gone"}, {"about": "groablet"}):
        assert command not in await text_of(browser, "/integrity", **query), query
    file = await browser.http.get("/integrity.csv", params={"report": "support_level_mismatch"})
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert [line.split(",")[0] for line in file.text.removeprefix("\ufeff").splitlines()] == [
        "report",
        "support_level_mismatch",
    ]
    more = [Weighed(Finding("marked", key, key)) for key in "abc"]
    async with sync.vendors.store.transaction() as tx:
        await findings.keep(tx, more, {}, ())
    whole = (await browser.http.get("/integrity.csv")).text
    assert whole.count("marked,") == len(more)
    with monkeypatch.context() as patch:
        patch.setattr(findings, "SOME", 1)  # the rows of a page
        assert (await browser.http.get("/integrity.csv")).text == whole
        assert command in await text_of(browser, "/integrity")
    await sync.of().full("full", "test")
    await sync.integrity().run()
    page = await text_of(browser, "/integrity", report="support_level_mismatch", state="gone")
    assert "gone since" in page
    assert command not in page
    sync.systems.salesforce("rights", hidden=["Account.Support_Level__c"])
    with pytest.raises(Exception, match="Support_Level__c"):
        await sync.integrity().run()
    assert "The last check failed" in await text_of(browser, "/integrity")


async def test_the_story_of_both_sides(sync: Sync, browser: Browser) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    await sync.integrity().run()
    await sync.of().full("full", "test")
    for path in (f"/accounts/{ACME}", f"/accounts/{ACME[:15]}", f"/organizations/{ACME_ORG}"):
        page = await text_of(browser, path)
        for words in ("rule salesforce_id", "premium → gold", "support_level_mismatch", ACME, ACME_ORG):
            assert words in page, (path, words)
        assert GROABLET_ORG not in page
    for subject in (ACME, ACME[:15], ACME_ORG, f"organization:{ACME_ORG}", f"account:{ACME}"):
        told = await told_of(sync, subject)
        assert told.known, subject
        assert {each["organization_id"] for each in told.document["organizations"]} == {ACME_ORG}
        assert told.document["findings"][0]["salesforce_value"] == "gold"
        assert "support_level: premium → gold" in "".join(line.detail for line in told.lines)
        assert f"differs in {ACME_ORG}" not in told.standing
    sync.systems.edit_organization(ACME_ORG, organization_fields={"support_level": "silver"})
    await sync.of().plan("test", create=False)
    assert "support_level" in (await told_of(sync, ACME)).standing[f"differs in {ACME_ORG}"]


async def test_digits_are_a_tickets_first(sync: Sync) -> None:
    assert (await told_of(sync, ACME_ORG)).title == f"organization {ACME_ORG}"
    assert not (await told_of(sync, "404")).known
    async with sync.vendors.store.transaction() as tx:
        row = {"ticket_id": ACME_ORG, "state": "{}", "revision": 1, "erased": False, "changed_at": tx.now}
        await tx.execute(insert_for(tx.dialect, tickets).values(row))
    assert (await told_of(sync, ACME_ORG)).document["ticket_id"] == ACME_ORG
    assert (await told_of(sync, f"ticket:{ACME_ORG}")).document["ticket_id"] == ACME_ORG
    assert (await told_of(sync, f"organization:{ACME_ORG}")).title == f"organization {ACME_ORG}"


async def test_the_story_of_a_ticket_is_a_page_a_text_and_a_document(
    sync: Sync, service: Service, browser: Browser
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
    told = await told_of(sync, "7")
    record = told.document["record"]
    account = f"{GROABLET}, by the rule salesforce_id"
    assert (told.standing["account"], record["account_id"]) == (account, GROABLET)
    page = await text_of(browser, "/tickets/7")
    for words in (record["record_id"], account, "record written", "salesforce.ticket_record"):
        assert words in page, words
    assert 'href="/tickets"' in page, "it is in the navigation"
    found = await browser.http.get("/tickets", params={"id": "#7"})
    assert (found.status_code, found.headers["location"]) == (303, "/tickets/7")
    for path in ("/tickets/8", "/tickets/x", f"/tickets/{GROABLET}"):
        assert (await browser.http.get(path)).status_code == 404, path


async def test_a_merge_is_in_the_story_of_both_accounts(sync: Sync, browser: Browser) -> None:
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET])
    await sync.of().full("full", "test")
    words = f"{GROABLET} into {winner}"
    for subject in (GROABLET, winner):
        told = await told_of(sync, subject)
        assert told.standing["merged"] == words
        assert words in await text_of(browser, f"/accounts/{subject}")
    sync.systems.salesforce("undelete", object="Account", id=GROABLET)
    await sync.of().full("full", "test")
    told = await told_of(sync, GROABLET)
    assert "merged" not in told.standing
    assert [line.what for line in told.lines if line.detail in (words, GROABLET)] == [
        "accounts merged",
        "account is back",
    ]


async def test_one_is_found_by_name_or_id_and_who_is_marked_without_asking(
    sync: Sync, browser: Browser
) -> None:
    found = await text_of(browser, "/organizations", about="groaBLET")
    assert f"/organizations/{GROABLET_ORG}" in found
    assert f"/accounts/{GROABLET}" in found
    for wanted, path in ((ACME[:15], f"/accounts/{ACME}"), (ACME_ORG, f"/organizations/{ACME_ORG}")):
        answer = await browser.http.get("/organizations", params={"about": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    assert (await browser.http.get("/organizations", params={"about": "nobody"})).status_code == 404
    assert ACME_ORG not in await text_of(browser, "/organizations")
    sync.systems.salesforce("delete", id=ACME, object="Account")
    await sync.of().full("full", "test")
    await sync.of().full("full", "test")
    assert f"/organizations/{ACME_ORG}" in await text_of(browser, "/organizations")
    assert "marked for review" in await text_of(browser, f"/organizations/{ACME_ORG}")


async def test_names_of_strangers_stay_words(sync: Sync, browser: Browser) -> None:
    sync.systems.edit_organization(GITLAB_ORG, name=EVIL)
    made = sync.systems.account(EVIL + "2", Product__c="GitLab.com")
    run = await sync.of().full("bulk", EVIL, create=True)
    await sync.integrity().run()
    paths = ("/runs", f"/runs/{run.run_id}", "/integrity?state=all", "/organizations?about=script")
    for path in (*paths, f"/accounts/{made}", f"/organizations/{GITLAB_ORG}"):
        page = await text_of(browser, path)
        assert "&lt;script&gt;" in page, path
        assert "<script>" not in page, path
        assert "<b>" not in page, path
    assert "No value of a mapped field is known" in await text_of(browser, f"/organizations/{GITLAB_ORG}")
    for path in ("/integrity", f"/runs/{run.run_id}"):
        page = await text_of(browser, path, about=EVIL, state=EVIL, report=EVIL, action=EVIL)
        assert "<script>" not in page, path


async def test_what_is_not_there_is_said_to_be_so(browser: Browser) -> None:
    nowhere = (
        "/runs/x",
        "/runs/00000000-0000-0000-0000-000000000000",
        "/organizations/1",
        "/organizations/x",
    )
    odd = ("/organizations/account:1", "/accounts/1", "/accounts/001000000000000AAA", "/accounts/%C2%B2")
    for path in (*nowhere, *odd):
        assert (await browser.http.get(path)).status_code == 404, path


async def test_nobody_sees_them_without_a_login(sync: Sync, tmp_path: Path) -> None:
    stranger = Browser(application(sync.vendors.store, tmp_path))
    for path in (
        "/runs",
        "/runs/x",
        "/integrity",
        "/integrity.csv",
        "/organizations",
        f"/accounts/{ACME}",
        "/tickets/7",
    ):
        answer = await stranger.http.get(path)
        assert (answer.status_code, answer.headers["location"].startswith("/login?")) == (303, True), path
