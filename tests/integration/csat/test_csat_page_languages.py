"""The page speaks the requester's language, then the browser's, then the default one."""

from datetime import timedelta
from pathlib import Path

import httpx

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_link.translations import SHIPPED, load_languages
from csat.survey_page.routes import SurveyPage
from csat.surveys import repository
from supportops.store import Store
from tests.integration.csat.assertions import on
from tests.integration.csat.http_app import csat_app

pytestmark = on("sqlite")


async def link_of(store: Store, tokens: SurveyTokens, locale: str | None, ticket_id: str = "17") -> str:
    async with store.transaction() as tx:
        solved_at = tx.now - timedelta(days=1)
        survey = await repository.reserve_survey(tx, ticket_id, solved_at, "5", locale=locale)
    return f"/s/{tokens.issue(survey.survey_id)}"


SPOKEN = [
    (None, "", "en"),
    (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
    (None, "fr-FR, en;q=0.2, de;q=0.7", "de"),
    ("de", "en-GB", "de"),
    ("de-CH", "en", "de"),
    ("en-US", "de", "en"),
    ("ja", "de", "de"),
    ("../../etc/passwd", '"><script>', "en"),
]


async def test_the_language(page: httpx.AsyncClient, store: Store, tokens: SurveyTokens) -> None:
    for number, (locale, accepted, spoken) in enumerate(SPOKEN):
        link = await link_of(store, tokens, locale, str(number))
        reply = await page.get(link, headers={"Accept-Language": accepted})
        told = (reply.headers["content-language"], reply.headers["vary"])
        assert told == (spoken, "Accept-Language"), (locale, accepted)
        assert f'<html lang="{spoken}" dir="ltr">' in reply.text
        assert ("Wie war unser Support?" in reply.text) is (spoken == "de")
        assert ("30. November 2026, 09:00 Uhr (UTC)" in reply.text) is (spoken == "de")


async def test_refusals_and_problems_are_in_the_language_too(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens
) -> None:
    german = {"Accept-Language": "de"}
    link = await link_of(store, tokens, "de")
    assert "Dieser Link ist ungültig" in (await page.get("/s/x", headers=german)).text
    problem = await page.post(link, data={"score": "bad", "comment": "x" * 201})
    assert "Der Kommentar ist zu lang: 201 Zeichen, möglich sind 200." in problem.text
    assert "<title>Da stimmt etwas nicht: Wie war unser Support?</title>" in problem.text
    await page.post(link, data={"score": "good"})
    assert "Ihre Antwort ist gespeichert: Gut." in (await page.get(f"{link}?voted=1")).text


async def test_reasons_are_translated_but_stored_as_configured(
    page: httpx.AsyncClient, store: Store, tokens: SurveyTokens
) -> None:
    link = await link_of(store, tokens, "de")
    shown = (await page.get(link)).text
    assert '<option value="My issue was not resolved">Mein Anliegen wurde nicht gelöst</option>' in shown
    assert shown.count("<option value=") == 6  # five, and the one that says that nothing is chosen
    await page.post(link, data={"score": "bad", "reason": "My issue was not resolved"})
    assert '<option value="My issue was not resolved" selected>' in (await page.get(link)).text


async def test_a_third_language_is_one_file(store: Store, tokens: SurveyTokens, tmp_path: Path) -> None:
    text = (
        (SHIPPED / "en.yaml")
        .read_text(encoding="utf-8")
        .replace("How was our support?", "איך הייתה התמיכה שלנו?")
    )
    (tmp_path / "he.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "en.yaml").write_text("texts:\n  title: How did <we> do?\n", encoding="utf-8")
    languages = load_languages("en", tmp_path)
    rules = CsatPolicy()
    survey_page = SurveyPage(store, tokens, rules, languages)
    app = csat_app(store, tokens, rules, page=survey_page)
    link = await link_of(store, tokens, "he")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="https://x.example"
    ) as page:
        hebrew = (await page.get(link)).text
        assert '<html lang="he" dir="rtl">' in hebrew
        assert "איך הייתה התמיכה שלנו?" in hebrew
        assert "How did &lt;we&gt; do?" in (await page.get(await link_of(store, tokens, None))).text
