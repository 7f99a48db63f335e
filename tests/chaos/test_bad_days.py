"""Bad days, one after the other on the same running system, each followed by the same question: is anything lost,
doubled or stale outside? Real processes, Apache Kafka and PostgreSQL of their own, the sandbox as the outside world.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.chaos import adversities
from tests.chaos.place import Place, clean, open_place

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The whole system on servers of its own."""
    with ExitStack() as stack:
        yield open_place(stack, tmp_path_factory.mktemp("chaos"))


def test_every_service_is_killed_while_webhooks_flow(place: Place) -> None:
    dice = random.Random(20261122)
    killed: list[str] = []
    adversities.send_while(
        place.system, 2000, 120, lambda: killed.extend(adversities.kill_at_random(place.system, 14, dice))
    )
    assert {name for name in place.system.children if name != "sandbox"} <= set(killed)
    clean(place.system)


def test_the_broker_is_killed(place: Place) -> None:
    adversities.send_while(place.system, 300, 60, lambda: adversities.away(place.system, place.kafka, 2))
    clean(place.system)


def test_the_database_is_killed_and_webhooks_go_to_the_spool(place: Place) -> None:
    before = place.system.get("/control/summary")["sender"]["invocations"]
    adversities.send_while(place.system, 300, 60, lambda: adversities.away(place.system, place.postgres, 2))
    clean(place.system)
    after = place.system.get("/control/summary")["sender"]["invocations"]
    refused = {
        status: count - before.get(status, 0) for status, count in after.items() if status != "success"
    }
    assert not any(refused.values()), f"ingest answered 200 to everything, but: {refused}"


def test_slack_storms_sessions_expire_and_answers_get_lost(place: Place) -> None:
    def trouble() -> None:
        adversities.slack_storm(place.system, 10)
        adversities.sessions_expire(place.system, 2)
        adversities.lost_answers(place.system, 3)

    adversities.send_while(place.system, 300, 60, trouble)
    clean(place.system)


def test_everything_stops_in_order(place: Place) -> None:
    codes = place.system.stop()
    assert {name: code for name, code in codes.items() if name != "sandbox" and code != 0} == {}
