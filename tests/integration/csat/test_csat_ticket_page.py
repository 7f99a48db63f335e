"""A ticket's story on a page: for those whom the gate lets in, with strangers' words harmless."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import update

from csat import tables
from supportops.clock import ManualClock
from supportops.store import Store
from tests.integration.csat import dashboard_app
from tests.integration.csat.assertions import on
from tests.integration.csat.http_app import auth_of
from tests.integration.csat.test_csat_explain import live_through

HOSTILE = "<script>alert(1)</script> \"onmouseover=\"x {{ 7*7 }} 'quoted' &amp;"


@pytest.fixture
async def visitor(store: Store, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has not logged in."""
    app = dashboard_app.application(store, clock, auth_of(store, dashboard_app.settings()))
    async with dashboard_app.browser_of(app) as client:
        yield client


@pytest.fixture
async def operator(visitor: httpx.AsyncClient, store: Store, clock: ManualClock) -> httpx.AsyncClient:
    """The same, logged in after ticket 17 has lived through a survey and a vote."""
    await live_through(store, clock)
    await dashboard_app.log_in(visitor)
    return visitor


@on("sqlite")
async def test_it_is_closed_to_strangers(
    visitor: httpx.AsyncClient, store: Store, clock: ManualClock
) -> None:
    await live_through(store, clock)
    for path in ("/tickets", "/tickets/17"):
        answer = await visitor.get(path)
        assert answer.status_code in (303, 401), path
        assert "secret words" not in answer.text


async def test_it_tells_the_story_with_the_customers_words(
    operator: httpx.AsyncClient,
) -> None:
    answer = await operator.get("/tickets/17")
    assert answer.status_code == 200
    assert all(words in answer.text for words in ("Ticket 17", "decision: ask", "secret words", "rated bad"))
    assert "default-src &#39;none&#39;" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@on("sqlite")
async def test_a_strangers_words_are_only_words(operator: httpx.AsyncClient, store: Store) -> None:
    async with store.transaction() as tx:
        await tx.execute(update(tables.answers).values(comment=HOSTILE))
        await tx.execute(update(tables.decisions).values(reason=HOSTILE))
        deliveries = tables.engine.deliveries
        await tx.execute(
            update(deliveries).values(state="dead", outcome='{"reason": "<img src=x onerror=y>"}')
        )
    text = (await operator.get("/tickets/17")).text
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{ 7*7 }}" in text


@on("sqlite")
async def test_only_web_addresses_become_links(operator: httpx.AsyncClient, store: Store) -> None:
    for url in ("javascript:alert(1)", "data:text/html,x"):
        async with store.transaction() as tx:
            issue = {"iid": "7", "web_url": url, "revision": 1, "created_at": tx.now, "updated_at": tx.now}
            await tx.execute(tables.issues.delete())
            await tx.execute(tables.issues.insert().values(ticket_id="17", **issue))
        answer = await operator.get("/tickets/17")
        assert f"#7 {url}" in answer.text
        assert f'href="{url}' not in answer.text


@on("sqlite")
async def test_what_is_not_known_or_no_id(operator: httpx.AsyncClient) -> None:
    statuses = {
        "/tickets/99": 404,
        "/tickets/abc": 404,
        "/tickets/1%3Cb%3E": 404,
        "/tickets/" + "1" * 21: 404,
        "/tickets": 200,
        "/tickets?id=abc": 422,
        "/tickets?id=%2317": 303,
        "/tickets?id=//evil.example": 422,
    }
    for path, status in statuses.items():
        answer = await operator.get(path)
        assert answer.status_code == status, path
        assert "<b>" not in answer.text
        if status == 303:
            assert answer.headers["location"] == "/tickets/17"
        else:
            assert 'name="id"' in answer.text, path
