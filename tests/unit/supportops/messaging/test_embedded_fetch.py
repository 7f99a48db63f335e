"""On the embedded broker an idle consumer asks seldom, and a busy one often."""

import inspect
from types import SimpleNamespace

from aiokafka.consumer.fetcher import Fetcher

from supportops.messaging.embedded_fetch import BUSY_WAIT, QUIET_AFTER, QUIET_WAIT, EmbeddedFetch


def test_it_asks_seldom_after_a_quiet_while_and_often_as_soon_as_records_come() -> None:
    now = 100.0
    library = SimpleNamespace(_fetcher=SimpleNamespace(_fetch_max_wait_ms=BUSY_WAIT))
    fetch = EmbeddedFetch(library, clock=lambda: now)
    seen = []
    for later, happens in (
        (QUIET_AFTER - 0.1, fetch.look),
        (0.1, fetch.look),
        (60.0, fetch.records_came),
        (QUIET_AFTER - 0.1, fetch.look),
        (0.1, fetch.look),
    ):
        now += later
        happens()
        seen.append(library._fetcher._fetch_max_wait_ms)
    assert seen == [BUSY_WAIT, QUIET_WAIT, BUSY_WAIT, BUSY_WAIT, QUIET_WAIT]


def test_the_library_reads_its_wait_anew_for_each_request() -> None:
    assert "self._fetch_max_wait_ms" in inspect.getsource(Fetcher._get_actions_per_node)
