"""The operators' pages: notices with their state, routing with the last decisions, the story of a ticket's messages."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import insert, update

from notifier import tables
from notifier.destinations import NOTICES, POSTS
from notifier.notices.payloads import Notice
from notifier.operations.pages import PAGES
from notifier.policy.conditions import NameRule, Routable
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.posting.names import hear_names
from notifier.posting.prepared import Note, schedule_note
from notifier.web import START, create_app
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.proxy import SECRET_HEADER
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of
from tests.integration.notifier.pages import HOSTILE, MINUTE, NOW, decide, notice, odd_day, posted
from tests.support.engine import store_on

PROXY = {"X-Forwarded-User": "lena", SECRET_HEADER: "the-secret-of-the-proxy-of-these-tests"}
TAGS = frozenset(
    {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "nav",
        "main",
        "section",
        "h1",
        "h2",
        "p",
        "a",
    }
    | {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
    | {"form", "label", "input", "button"}
)


class Page(HTMLParser):
    """A page as a browser reads it: its text, its tags, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.tags, self.links, self.attributes = "", set[str](), list[str](), set[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "action", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data

    def is_harmless(self) -> bool:
        inside = all(each.startswith(("/", "#")) and not each.startswith("//") for each in self.links)
        return inside and self.tags <= TAGS and not any(each.startswith("on") for each in self.attributes)


@pytest.fixture
async def store(new_database: Callable[[str], str]) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), ManualClock(NOW)) as opened:
        yield opened


@pytest.fixture
async def browser(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    chosen = OperatorsSettings(
        proxy_header="X-Forwarded-User", proxy_secret=PROXY[SECRET_HEADER], proxy_role="look"
    )
    auth = OperatorAuth(chosen, site_of(chosen, "notifier", START, PAGES), store, Metrics())
    transport = httpx.ASGITransport(create_app(store, auth))
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as http:
        yield http


async def page(browser: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    answer = await browser.get(path, headers=PROXY)
    assert answer.status_code == status
    found = Page(answer.text)
    assert found.is_harmless()
    return found


async def test_notices_of_a_day_stand_with_their_state(store: Store, browser: httpx.AsyncClient) -> None:
    taken = {"taken_by": "U0ADA", "taken_until": NOW + 5 * MINUTE}
    await notice(store, "1", "posted", target="open", **posted(), **taken)
    await notice(store, "2", "posted", target="answered", **posted(late_ms=0))
    await notice(store, "3", "posted", target="breached", **posted(road="email", channel=None))
    await notice(store, "4", "planned", due_at=NOW + 30 * MINUTE)
    await notice(store, "5", "planned", breach_at=NOW - 30 * MINUTE)
    await notice(store, "6", "no", reason="it was answered before", decided_at=NOW)
    await notice(store, "7", "planned", due_at=NOW + timedelta(days=1))
    async with store.transaction() as tx:
        rating = msgspec.to_builtins(Notice("rating", "8", {"comment": "our secret words"}))
        tx.deliveries.schedule(NOTICES, "8", lane="8", payload=rating)
        note = Note("success", "success", "9", {"words": "our secret words"})
        schedule_note(tx, note, channel="C0SUCCESS", key="C0SUCCESS:success:9")
        schedule_note(tx, Note("account_manager", "tam", "10"), channel="U0TAM", key="gone")
    d = tables.engine.deliveries
    cancelled = '{"kind":"cancel","reason":"the ticket is gone"}'
    async with store.transaction() as tx:
        done = update(d).where(d.c.key == "gone")
        await tx.execute(done.values(state="done", finished_at=NOW, outcome=cancelled))
        await hear_names(tx, {"U0ADA": "Ada Agent", "C0BREACH": "breaches", "U0TAM": "", "C0SUCCESS": "<b>"})
    shown = " ".join((await page(browser, "/notices")).text.split())
    for words in (
        "11:00:00posted 11:00:00 by slack in #breaches (C0BREACH)0.250 s late open",
        "0.250 s late opentaken by Ada Agent (U0ADA) until 12:05:00",
        "in #breaches (C0BREACH)in time answered",
        "posted 11:00:00 by email0.250 s late breached",
        "12:30:00due in 30m waiting",
        "late by 1h missed",
        "not sentit was answered before",
        "3 breach notices: 1 target answered in time, 1 breached",
        "rating8 2026-03-02 12:00:00 waiting",
        "success9 2026-03-02 12:00:00#<b> (C0SUCCESS) waiting",
        "account manager10, rule tam 2026-03-02 12:00:00U0TAM not postedthe ticket is gone",
    ):
        assert words in shown
    assert "secret words" not in shown
    assert "/tickets/7" not in (await page(browser, "/notices")).links
    tomorrow = await page(browser, "/notices?day=2026-03-03")
    assert ("/tickets/7" in tomorrow.links, "/tickets/1" in tomorrow.links) == (True, False)
    assert "A day is written" in (await page(browser, "/notices?day=9999-12-31", 422)).text


async def test_routing_tells_what_went_where_and_why_not(store: Store, browser: httpx.AsyncClient) -> None:
    assert "Nothing was decided yet:" in (await page(browser, "/routing")).text
    urgent = FeedRule(name="urgent", channel="C0URGENT", priorities=NameRule(include=("urgent",)))
    rules = NotifierPolicy(feeds=(FeedRule(name="everything", channel="C0ALL"), urgent))
    facts = Routable("Self-Managed", frozenset(), True, priority="low")
    await decide(store, rules, "1", facts, "everything")
    await decide(store, rules, "2", facts, item="first")
    private = Routable("Self-Managed", frozenset(), False, priority="urgent")
    await decide(store, rules, "3", private)
    async with store.transaction() as tx:
        tx.deliveries.schedule(POSTS, "C0ALL:1:1", lane="C0ALL", payload={"x": 1})
    shown = " ".join((await page(browser, "/routing")).text.split())
    assert "everythingwaiting in C0ALL" in shown
    assert "urgentpriorities: the ticket has 'low'" in shown
    assert "comment 1, private" in shown
    assert "the first comment" in shown
    assert "private_comments: the comment is private" in shown
    assert "urgentC0URGENT priorities include: urgent" in shown
    row: dict[str, Any] = {
        "key": "C0ALL:1:1",
        "channel": "C0ALL",
        "address": "C0ALL",
        "ticket_id": "1",
        "item": "1",
    }
    row |= {"feed": "everything", "state": "redacted", "revision": 1, "confidential": False}
    async with store.transaction() as tx:
        await tx.execute(insert(tables.feed_messages), [row | {"changed_at": NOW}])
    assert "everythingredacted in C0ALL" in (await page(browser, "/routing")).text


async def test_a_story_is_what_explain_tells_without_customers_words(
    store: Store, browser: httpx.AsyncClient
) -> None:
    await notice(store, "17", "posted", target="open", **posted())
    secret = {"ticket_id": "17", "state": '{"comment":"a private note"}', "changed_at": NOW}
    reading = {"ticket_id": "17", "reading": "a private subject", "changed_at": NOW, "open": True}
    async with store.transaction() as tx:
        await tx.execute(insert(tables.feed_tickets), [secret])
        await tx.execute(insert(tables.breach_tickets), [reading])
    shown = (await page(browser, "/tickets/17")).text
    assert "breach notice first_reply_time 2h posted in C0BREACH" in shown
    assert "by slack, 250 ms late, rule premium, rules v1" in shown
    assert "private" not in shown
    assert "Nothing is known of ticket 18" in (await page(browser, "/tickets/18", 404)).text
    answer = await browser.get("/tickets?id=%2317", headers=PROXY)
    assert (answer.status_code, answer.headers["location"]) == (303, "/tickets/17")


async def test_hostile_names_are_text(store: Store, browser: httpx.AsyncClient) -> None:
    await odd_day(store)
    for path in ("/notices", "/routing"):
        shown = await page(browser, path)
        assert [name for name in HOSTILE if name not in shown.text] == []
    odd = await page(browser, "/tickets/%3Cscript%3Ealert(1)", 404)
    assert "is a number" in odd.text


async def test_the_pages_are_behind_the_login_and_in_the_navigation(browser: httpx.AsyncClient) -> None:
    links = {each.href for each in PAGES}
    for path in (*sorted(links), "/tickets/17"):
        assert (await browser.get(path)).status_code in (303, 403)
    assert links <= set((await page(browser, "/figures")).links)
