"""Pages of sharing requests over HTTP: who may do what, forms that are not ours, words of strangers."""

import asyncio
from pathlib import Path

import pytest

from sandbox.demo.acts.sharing import PHRASE, SharingPages
from sfdc_sync.sharing import requests
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option
from tests.integration.sfdc_sync.sharing_app import ACME, BEN, GROABLET, RITA, SAM, SharingWorld
from tests.integration.sfdc_sync.sharing_site import BY_PROXY, Browser, application
from tests.support.for_each import for_each
from tests.support.operators_browser import serving

ASKED = {"organization": str(GROABLET), "option": "selected_view", "people": "rita@groablet.example"}


@pytest.fixture
def browser(world: SharingWorld, tmp_path: Path) -> Browser:
    return Browser(application(world.store, tmp_path))


async def test_one_asks_another_approves_and_undoes(world: SharingWorld, browser: Browser) -> None:
    world.user(RITA).organization_ids.append(ACME)
    await browser.log_in("otto-operates")
    assert (await browser.http.get("/sharing/new")).status_code == 200
    sent = await browser.send("/sharing/new", ticket=world.ticket(), **ASKED)
    assert (sent.status_code, sent.headers["location"]) == (303, "/sharing/1")
    assert "It is being read from Zendesk" in (await browser.http.get("/sharing/1")).text
    seen = (await world.worked(1)).request.seen or ""
    page = (await browser.http.get("/sharing/1")).text
    for words in ("UNCONFIRMED", "Rita Requester", "Acme Ltd", "opens", "somebody else approves"):
        assert words in page, words
    assert 'value="approve"' not in page
    assert (await browser.send("/sharing/1", do="approve", seen=seen)).status_code == 403
    await browser.log_in("anna-approves")
    assert 'value="approve"' in (await browser.http.get("/sharing/1")).text
    stale = await browser.send("/sharing/1", do="approve", seen="something older")
    assert (stale.status_code, "look once more" in stale.text) == (409, True)
    assert (await browser.send("/sharing/1", do="approve", seen=seen)).status_code == 303
    assert (await world.worked(1)).request.state is State.APPLIED
    world.outside.zendesk.account.organization(GROABLET).shared_tickets = True
    assert (await browser.send("/sharing/1", do="undo")).status_code == 409  # without a reason
    assert (await browser.send("/sharing/1", do="undo", reason="a mis\x00take")).status_code == 303
    assert (await world.worked(1)).request.state is State.UNDONE
    told = (await browser.http.get("/sharing/1")).text
    assert "undo_asked: a mistake" in told
    assert "left alone" in told
    assert f"shared_tickets of {GROABLET}" in told
    assert "otto-operates" in told


async def test_whoever_asked_does_not_approve_whatever_their_role(
    world: SharingWorld, browser: Browser
) -> None:
    await browser.log_in("anna-approves")
    await browser.send("/sharing/new", ticket=world.ticket(), **ASKED)
    seen = (await world.worked(1)).request.seen or ""
    page = (await browser.http.get("/sharing/1")).text
    assert 'value="approve"' not in page
    refused = await browser.send("/sharing/1", do="approve", seen=seen)
    assert (refused.status_code, "a second person approves" in refused.text) == (409, True)
    assert (await world.find(1)).request.state is State.ASKED


async def test_who_may_only_look_sees_no_form_and_sends_none(world: SharingWorld, browser: Browser) -> None:
    await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(1)
    await browser.log_in("lena-looks")
    page = (await browser.http.get("/sharing/1")).text
    assert 'name="do"' not in page
    for what in ("approve", "refuse", "undo", "look again"):
        assert (await browser.send("/sharing/1", do=what, reason="x")).status_code == 403
    assert (await browser.http.get("/sharing/new")).status_code == 403
    assert (await world.find(1)).request.state is State.ASKED


async def test_a_form_that_is_not_ours_does_nothing(world: SharingWorld, browser: Browser) -> None:
    await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(1)
    await browser.log_in("anna-approves")
    for fields in ({}, {"form_token": ""}, {"form_token": "made.up"}):
        sent = await browser.http.post("/sharing/1", data={"do": "refuse", "reason": "x", **fields})
        assert (sent.status_code, "Nothing was done" in sent.text) == (403, True)
    assert (await browser.http.post("/sharing/1", json={"do": "refuse"})).status_code == 400
    assert (await browser.send("/sharing/1", do="burn")).status_code == 400
    assert (await world.find(1)).request.state is State.ASKED


@for_each(
    "headers, status",
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "http://127.0.0.1:8003"}, 303),
        ({"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8003"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({}, 403),
    ],
)
async def test_behind_a_proxy_the_browser_says_whose_form_it_is(
    world: SharingWorld, browser: Browser, headers: dict[str, str], status: int
) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(number)
    form = {"do": "refuse", "reason": "no"}
    sent = await browser.http.post(f"/sharing/{number}", data=form, headers=BY_PROXY | headers)
    found = await world.find(number)
    if found.request.state is State.ASKED:  # an organization has one open request at a time
        async with world.store.transaction() as tx:
            await requests.refuse(tx, number, BEN, "the next row asks anew")
    assert sent.status_code == status
    assert found.request.state is (State.REFUSED if status == 303 else State.ASKED)


@for_each(
    "changes, why",
    [
        ({"organization": "Groablet"}, "the organization is named by its number"),
        ({"option": "everything"}, "one of the five options"),
        ({"people": ""}, "needs selected users"),
        ({"option": "all_view"}, "takes no selected users"),
        ({"ticket": "../1"}, "the ticket is named by its number"),
    ],
)
async def test_a_mistake_in_the_form_is_named_and_what_was_written_stays(
    browser: Browser, changes: dict[str, str], why: str
) -> None:
    await browser.log_in("otto-operates")
    sent = await browser.send("/sharing/new", **({"ticket": "5001"} | ASKED | changes))
    assert sent.status_code == 422
    assert why in sent.text
    if "people" not in changes:
        assert "rita@groablet.example" in sent.text


async def test_words_of_strangers_stay_words(world: SharingWorld, browser: Browser) -> None:
    evil = '<script>alert(1)</script>"><b>'
    world.user(SAM).name = evil
    world.outside.zendesk.account.organization(GROABLET).name = evil
    await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(1)
    await browser.log_in("lena-looks")
    for path in ("/sharing", "/sharing/1", "/sharing?which=%3Cscript%3E"):
        page = (await browser.http.get(path)).text
        assert "<script>" not in page
        assert "<b>" not in page


async def test_what_somebody_changed_by_hand_is_on_the_list_and_on_the_page(
    world: SharingWorld, browser: Browser
) -> None:
    number = await world.apply(Option.ALL_VIEW)
    world.user(SAM).ticket_restriction = "organization"
    await world.watch(number)
    await browser.log_in("lena-looks")
    assert "1 changed by hand" in (await browser.http.get("/sharing?which=in+force")).text
    page = (await browser.http.get(f"/sharing/{number}")).text
    assert f"ticket_restriction of {SAM}" in page


@for_each("path", ["/sharing/2", "/sharing/x", "/sharing/-1", "/sharing/99999999999999999999"])
async def test_what_is_not_there_is_said_to_be_so(browser: Browser, path: str) -> None:
    await browser.log_in("anna-approves")
    assert (await browser.http.get(path)).status_code == 404
    assert (await browser.send(path, do="refuse", reason="x")).status_code in (404, 409)


async def test_the_demos_two_people_find_their_way(world: SharingWorld, tmp_path: Path) -> None:
    async with serving(application(world.store, tmp_path)) as site, world.delivering():
        pages = SharingPages(site.origin, patience=30)
        ticket = int(world.ticket(f"{PHRASE}, please."))
        request = await asyncio.to_thread(pages.ask, GROABLET, ticket)
        await asyncio.to_thread(pages.approve, request)
        await asyncio.to_thread(pages.wait_for, request, "applied")
        assert world.sharing() == (True, False)
        await asyncio.to_thread(pages.undo, request)
        await asyncio.to_thread(pages.wait_for, request, "undone")
        pages.close()
    kinds = [
        (each.kind, each.facts.get("fields")) for each in world.outside.ledger.find("zendesk.organization")
    ]
    assert kinds == [
        ("zendesk.organization.updated", {"shared_tickets": True}),
        ("zendesk.organization.updated", {"shared_tickets": False}),
    ]
