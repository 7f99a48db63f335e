"""The survey page in Chromium, on a real server: no scripts, one origin, every way of looking at it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from playwright.async_api import Browser, Page, ViewportSize

from csat import tables
from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat.assertions import on, rows_of, sent_survey
from tests.integration.csat.http_app import csat_app
from tests.support import operators_browser
from tests.support.browser import in_browser, in_its_loop, picture
from tests.support.engine import store_on
from tests.support.operators_browser import DESKTOP, PHONE, Look, in_all_looks, looks_right, serving

pytestmark = [*in_browser, on("sqlite")]


@in_its_loop
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("csat"), clock) as opened:
        yield opened


LONG = "Donaudampfschifffahrtsgesellschaft" * 8


@dataclass(frozen=True)
class Site(operators_browser.Site):
    """A running server, and the address of a survey on it."""

    link: str


@in_its_loop
async def site(store: Store, tokens: SurveyTokens, clock: ManualClock) -> AsyncIterator[Site]:
    survey = await sent_survey(store, "17", clock.now() - timedelta(days=1))
    async with serving(csat_app(store, tokens, CsatPolicy())) as running:
        yield Site(running.origin, f"{running.origin}/s/{tokens.issue(survey.survey_id)}")


@asynccontextmanager
async def visit(
    browser: Browser, site: Site, viewport: ViewportSize = DESKTOP, locale: str = "en-GB"
) -> AsyncIterator[Page]:
    """A page without JavaScript that may contact the site alone; what it was told to keep is nothing."""
    how: dict[str, Any] = {"java_script_enabled": False, "locale": locale}
    async with operators_browser.visit(browser, site, viewport, "/s/", **how) as page:
        yield page
        assert await page.context.cookies() == []


async def follow(page: Page, name: str, role: Literal["button", "link"] = "button") -> None:
    """Click what leads to another page, and wait for that page."""
    async with page.expect_navigation():
        await page.get_by_role(role, name=name).click()


async def has_no_faults(page: Page) -> None:
    """As on operators' pages. Axe needs timers, which a page without scripts does not have: it gets them meanwhile."""
    switch = await page.context.new_cdp_session(page)  # not detached: what it set would be forgotten
    for disabled in (True, False):  # a new session takes everything for allowed: False alone would do nothing
        await switch.send("Emulation.setScriptExecutionDisabled", {"value": disabled})
    await operators_browser.has_no_faults(page)
    await switch.send("Emulation.setScriptExecutionDisabled", {"value": True})


@in_all_looks
async def test_every_page_looks_right(browser: Browser, site: Site, looks: tuple[Look, ...]) -> None:
    async with visit(browser, site) as page:

        async def look(what: str) -> None:
            await looks_right(page, f"survey-{{look}}-{what}", looks, has_no_faults)

        await page.goto(site.link)
        await look("empty")
        await page.goto(f"{site.link}?score=bad")
        await page.get_by_label("main reason").select_option("My issue was not resolved")
        await page.get_by_label("tell us more").fill("The answer came quickly, but the build still fails.")
        await look("bad")
        await follow(page, "Send my answer")
        await look("thanks")
        await follow(page, "Please don't ask me again")
        await look("no-more")
        await follow(page, "Change my answer", role="link")
        await look("change")
        await page.goto(f"{site.link}x")
        await look("not-valid")


@in_all_looks
async def test_a_problem_is_said_first_and_where(
    browser: Browser, site: Site, looks: tuple[Look, ...]
) -> None:
    async with visit(browser, site) as page:
        await page.goto(f"{site.link}?score=good")
        comment = page.get_by_label("tell us more")
        await comment.evaluate("field => field.removeAttribute('maxlength')")
        await comment.fill(LONG * 20)
        await follow(page, "Send my answer")
        alert = page.get_by_role("alert")
        assert "5,440 characters, 5,000 are possible" in await alert.inner_text()
        assert await alert.evaluate("alert => alert === document.activeElement")
        assert (await page.title()).startswith("There is a problem")
        assert await comment.get_attribute("aria-invalid") == "true"
        described = str(await comment.get_attribute("aria-describedby")).split()
        assert described == ["problem-text", "comment-hint"]
        assert await comment.input_value() == LONG * 20
        await looks_right(page, "survey-{look}-problem", looks, has_no_faults, whole=False)
        await page.keyboard.press("Tab")  # from the summary to its link, and by it to the field
        await page.keyboard.press("Enter")
        assert page.url.endswith("#comment")


async def test_a_vote_by_keyboard_alone(browser: Browser, site: Site, store: Store) -> None:
    async with visit(browser, site) as page:
        await page.goto(site.link)
        press = page.keyboard.press
        await press("Tab")
        await press("Space")
        await press("ArrowDown")  # radio buttons are one stop: arrows choose
        assert await page.get_by_role("radio", name="Bad").is_checked()
        await press("Tab")
        await page.keyboard.type("The answer w")  # a select is chosen from by typing
        await press("Tab")
        await page.keyboard.type("Slow, but polite")
        await press("Tab")
        focused = page.locator(":focus-visible")
        assert await focused.inner_text() == "Send my answer"
        assert await focused.evaluate(
            "b => getComputedStyle(b).outlineStyle + getComputedStyle(b).outlineWidth"
        ) == ("solid3px")
        async with page.expect_navigation():
            await press("Enter")
        assert "Your answer is recorded: Bad." in await page.get_by_role("status").first.inner_text()
    [rating] = await rows_of(store, tables.ratings)
    assert (rating.score, rating.comment) == ("bad", "Slow, but polite")
    assert rating.reason == "The answer wasn't delivered in a timely manner"


async def test_the_reasons_are_there_for_bad_only(browser: Browser, site: Site) -> None:
    async with visit(browser, site, PHONE) as page:
        await page.goto(site.link)
        reasons = page.get_by_role("combobox")
        assert not await reasons.is_visible()
        await page.get_by_text("Bad, I'm unsatisfied").click()
        assert await reasons.is_visible()
        options = await reasons.get_by_role("option").all()
        shown = [await option.inner_text() for option in options]
        assert shown == ["Please choose a reason", *CsatPolicy().reasons]
        await page.get_by_text("Good, I'm satisfied").click()
        assert not await reasons.is_visible()


async def test_nothing_is_sent_without_a_choice(browser: Browser, site: Site, store: Store) -> None:
    async with visit(browser, site) as page:
        await page.goto(site.link)
        await page.get_by_role("button", name="Send my answer").click()
        assert await page.get_by_role("radio", name="Good").evaluate("radio => radio.matches(':invalid')")
        assert page.url == site.link
    assert await rows_of(store, tables.ratings) == []


async def test_german_is_spoken_to_those_who_want_it(browser: Browser, site: Site) -> None:
    async with visit(browser, site, PHONE, locale="de-CH") as page:
        await page.goto(f"{site.link}?score=bad")
        assert await page.locator("html").get_attribute("lang") == "de"
        await page.get_by_label("Hauptgrund").select_option("Mein Anliegen wurde nicht gelöst")
        await has_no_faults(page)
        await picture(page, "survey-phone-light-german")
        await follow(page, "Antwort senden")
        assert (
            "Ihre Antwort ist gespeichert: Schlecht." in await page.get_by_role("status").first.inner_text()
        )
        await has_no_faults(page)


async def test_text_at_twice_its_size_still_fits(browser: Browser, site: Site) -> None:
    async with visit(browser, site, ViewportSize(width=320, height=640)) as page:
        await page.goto(f"{site.link}?score=bad")
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await has_no_faults(page)
