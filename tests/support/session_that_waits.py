"""A session of tests that starts the run's servers and then waits, to be interrupted (tests/e2e)."""

import threading

import pytest


@pytest.mark.parametrize("worker", [1, 2])
@pytest.mark.timeout(600)
def test_waits(kafka_address: str, postgres_server_url: str, worker: int) -> None:
    assert kafka_address
    assert postgres_server_url
    assert worker
    threading.Event().wait()
