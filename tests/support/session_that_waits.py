"""A session of tests that starts the run's servers, a worker each, and then waits, to be interrupted (tests/e2e)."""

import threading

import pytest


@pytest.mark.parametrize("server", ["kafka_address", "postgres_server_url"])
@pytest.mark.timeout(600)
def test_waits(request: pytest.FixtureRequest, server: str) -> None:
    assert request.getfixturevalue(server)
    threading.Event().wait()
