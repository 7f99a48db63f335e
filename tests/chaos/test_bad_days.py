"""Bad days, one after the other on the same running system, each followed by the same question: is anything lost,
doubled or stale outside? Real processes, Apache Kafka and PostgreSQL of their own, the sandbox as the outside world.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos import adversities, damage
from tests.chaos.place import Place, clean, open_place
from tests.support.eventually import eventually_now

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


def test_poisoned_records_come_between_the_events(place: Place) -> None:
    """Each group buries what it cannot read, once, and its neighbours pass."""
    system, sent = place.system, 0

    def trouble() -> None:
        nonlocal sent
        before = {group: damage.buried(system, group) for group in damage.GROUPS}
        sent = damage.poison(system, 10)
        unreadable = (
            sent * 2 // 3
        )  # the third kind is an event of ours: what becomes of it is its handlers' matter
        eventually_now(
            lambda: all(
                damage.buried(system, group) - count >= unreadable for group, count in before.items()
            ),
            within=60,
            every=0.5,
            about="the poison is buried",
        )
        assert all(damage.buried(system, group) - count <= sent for group, count in before.items())

    adversities.send_while(system, 300, 60, trouble)
    clean(system)
    eventually_now(lambda: not damage.behind(system), within=60, every=0.5, about="nobody is behind")


def test_somebody_compresses_records_in_every_way_there_is(place: Place) -> None:
    codecs = ("gzip", "snappy", "lz4", "zstd")
    adversities.send_while(place.system, 300, 60, lambda: damage.compress(place.system, codecs))
    clean(place.system)
    eventually_now(lambda: not damage.behind(place.system), within=60, every=0.5, about="nobody is behind")


def test_a_segment_of_the_spool_is_torn(place: Place) -> None:
    """All that was answered 200 arrives, and what nobody can explain is kept aside."""
    system, torn = place.system, list[Path]()

    def trouble() -> None:
        place.postgres.kill()
        adversities.pass_time(system, 3)
        torn.extend(damage.tear_spool(system))
        adversities.pass_time(system, 1)
        place.postgres.start()

    adversities.send_while(system, 300, 60, trouble)
    clean(system)
    assert torn
    assert [segment for segment in torn if not segment.with_suffix(".damaged").exists()] == []


@pytest.mark.timeout(600)
def test_databases_are_put_back_to_an_older_state(place: Place) -> None:
    """What was done since is known from Kafka and asked of the outside world: nothing is lost or made twice."""
    packages = ("csat", "sfdc_sync", "notifier")
    with damage.put_back(place.system, place.postgres.address, packages):
        adversities.send_while(place.system, 300, 60, lambda: None)
        clean(place.system)
    adversities.send_while(place.system, 300, 60, lambda: None)
    clean(place.system)


def test_everything_stops_in_order(place: Place) -> None:
    codes = place.system.stop()
    assert {name: code for name, code in codes.items() if name != "sandbox" and code != 0} == {}
