"""The stand-ins without a process: parts with a fake clock, and the application."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.app import create_app
from sandbox.world import World
from tests.contract.sandbox.fakes import FakeClock, FakePost
from tests.support.sandbox import INTEGRATION_LOGIN


@pytest.fixture
def fake_clock() -> FakeClock:
    """Stands still unless something sleeps on it or a test moves it."""
    return FakeClock()


@pytest.fixture
def post() -> FakePost:
    """Where webhooks go: records them and answers 200 unless a test scripts other answers."""
    return FakePost()


@pytest.fixture
def application(fake_clock: FakeClock, post: FakePost) -> tuple[httpx.ASGITransport, World]:
    app, world = create_app(clock=fake_clock, post=post)
    return httpx.ASGITransport(app), world


@pytest.fixture
def world(application: tuple[httpx.ASGITransport, World]) -> World:
    return application[1]


@pytest.fixture
async def client(application: tuple[httpx.ASGITransport, World]) -> AsyncIterator[httpx.AsyncClient]:
    """Everything by HTTP, as the integration user of Zendesk."""
    transport, world = application
    base = "http://sandbox"
    async with httpx.AsyncClient(transport=transport, base_url=base, auth=INTEGRATION_LOGIN) as made:
        yield made
    await world.zendesk.sender.stop()
