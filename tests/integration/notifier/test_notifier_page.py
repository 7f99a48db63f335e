"""The page of figures, the tables' way back, and the table of events."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from notifier import wiring
from notifier.endpoints import create_app
from notifier.planning import POSTS
from notifier.settings import Settings
from supportops.store import migrate
from tests.integration.notifier.happenings import created
from tests.integration.notifier.outside import Outside
from tests.integration.notifier.parts import Service
from tests.support.databases import on_the_side


async def figures(service: Service) -> dict[str, Any]:
    transport = httpx.ASGITransport(create_app(service.store))
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as http:
        answer = await http.get("/")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_the_page_counts_and_says_no_word_of_a_ticket(service: Service, outside: Outside) -> None:
    assert await figures(service) == {"service": "notifier", "messages": {}, "deliveries": {}}
    ticket = outside.create(form="Self-Managed", subject="Confidential")
    await service.hears(created(ticket, datetime.now(UTC)))
    assert "waiting" in str(await figures(service))
    async with service.delivering():
        await service.settled()
    found = await figures(service)
    assert found["messages"] == {"posted": 1}
    assert found["deliveries"][POSTS] == {"done": 1}
    assert "Confidential" not in str(found)


def test_migrating_twice_and_back(settings: Settings, new_database: Callable[[str], str]) -> None:
    assert on_the_side(lambda: wiring.upgrade(settings)) == 0
    assert on_the_side(lambda: wiring.upgrade(settings)) == 0
    url = new_database("notifier")
    on_the_side(lambda: migrate.downgrade(url, "notifier", "base"))
    on_the_side(lambda: migrate.upgrade(url, "notifier"))
