"""The page of figures, the tables' way back, and the table of events."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from notifier.__main__ import app
from notifier.destinations import POSTS
from notifier.service import SERVICE
from notifier.settings import Settings
from notifier.web import START, create_app
from supportops.delivery.dead import DEAD, revive
from supportops.delivery.listing import DeliveryFilter, list_deliveries
from supportops.observability.metrics import Metrics
from supportops.store import migrate
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of
from tests.integration.notifier.app import Service
from tests.integration.notifier.events import created
from tests.integration.notifier.sandbox import SELF_MANAGED, Outside
from tests.support.databases import on_the_side
from tests.support.sandbox import ZENDESK_CLIENT

TOKEN = "the-token-of-these-tests"


async def figures(service: Service) -> dict[str, Any]:
    chosen = OperatorsSettings()
    auth = OperatorAuth(
        chosen, site_of(chosen, "notifier", START), service.store, Metrics(), SecretStr(TOKEN)
    )
    transport = httpx.ASGITransport(create_app(service.store, auth))
    async with httpx.AsyncClient(transport=transport, base_url="http://notifier") as http:
        assert [(await http.get(path)).status_code for path in ("/figures", "/api/figures")] == [403, 401]
        answer = await http.get("/api/figures", headers={"Authorization": f"Bearer {TOKEN}"})
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


@pytest.mark.both_databases
async def test_posts_that_were_given_up_on_can_be_tried_again(service: Service, outside: Outside) -> None:
    outside.archive(SELF_MANAGED)
    ticket = outside.create(form="Self-Managed")
    await service.after(created(ticket, datetime.now(UTC)))
    (dead,) = await list_deliveries(service.store, DEAD, 10)
    assert "is_archived" in dead.reason
    assert await revive(service.store, DeliveryFilter(keys=("C0:1:nothing",))) == []
    outside.archive(SELF_MANAGED, archived=False)
    async with service.delivering():
        assert await revive(service.store, DeliveryFilter(keys=(dead.key,))) == [(POSTS, dead.key)]
        await service.settled()
    assert [post["payload"]["key"] for post in outside.posts()] == [dead.key]
    assert await list_deliveries(service.store, DEAD, 10) == []
    assert await revive(service.store) == []  # what is done stays done


def test_the_commands_tell_people_and_machines(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["given-up", "--json"])
    assert (shown.exit_code, shown.stdout.strip().splitlines()[-1]) == (0, "[]")
    unknown = CliRunner().invoke(app, ["post-again", "C0:1:nothing"])
    assert (unknown.exit_code, "`deliveries list` shows keys" in unknown.stderr) == (1, True)
    assert CliRunner().invoke(app, ["post-again", "--all"]).exit_code == 0


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give these settings."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "DATABASE_URL": settings.database.address(),
        "ZENDESK_BASE_URL": settings.zendesk.base_url,
        **ZENDESK_CLIENT,
        "SLACK_BASE_URL": settings.slack.base_url,
        "SLACK_TOKEN": settings.slack.token.get_secret_value(),
    }


@pytest.mark.both_databases
def test_migrating_twice_and_back(settings: Settings, new_database: Callable[[str], str]) -> None:
    assert on_the_side(lambda: SERVICE.migrate(settings)) == 0
    assert on_the_side(lambda: SERVICE.migrate(settings)) == 0
    url = new_database("notifier")
    on_the_side(lambda: migrate.downgrade(url, "notifier", "base"))
    on_the_side(lambda: migrate.upgrade(url, "notifier"))
