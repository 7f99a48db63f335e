"""Bad days, one after the other on the same running system, each followed by the same question: is anything lost,
doubled or stale outside? Real processes, Apache Kafka and PostgreSQL of their own, the sandbox as the outside world.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import adversities
from tests.chaos.rules import rules
from tests.chaos.verdict import judge
from tests.support import infra
from tests.support.eventually import eventually_now
from tests.support.servers import Server, Unavailable
from tests.support.system import Plan, System, postgres_databases, running

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300), pytest.mark.xdist_group("chaos")]

GROUPS = 10
WORKERS = {"csat": 2, "sfdc_sync": 1, "notifier": 2}


@dataclass(frozen=True)
class Place:
    """Where the bad days happen."""

    system: System
    kafka: Server
    postgres: Server


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The whole system on servers of its own."""
    with ExitStack() as stack:
        yield open_place(stack, tmp_path_factory.mktemp("chaos"))


def open_place(stack: ExitStack, home: Path) -> Place:
    """Start broker, database and every process; they end with `stack`."""
    try:
        kafka, postgres = infra.own_server("kafka"), infra.own_server("postgres")
    except Unavailable as error:
        if infra.ci():
            raise
        pytest.skip(str(error))
    for server in (kafka, postgres):
        stack.callback(server.remove)
        server.start()
    databases = postgres_databases(postgres.address, "chaos")
    plan = Plan(kafka.address, databases, home, rules("5s", GROUPS), WORKERS)
    system = stack.enter_context(running(plan))
    system.control.post("/control/limits", json={"slack": {"per_second": None}}).raise_for_status()
    # Zendesk's own retries are few and their spacing unknown: here they outlast a restart.
    system.register_webhook(retry_spacing=4, modes={"duplicate": 0.05, "duplicate_after": 1, "reorder": 1.5})
    return Place(system, kafka, postgres)


def clean(system: System, within: float = 200) -> None:
    """Wait until the outside world is as it should be, and see that it stays so for a moment."""

    def as_it_should_be() -> bool:
        system.keep_alive()
        assert system.get("/control/summary")["idle"], "webhooks are still being sent"
        verdict = judge(system)
        assert verdict.clean, str(verdict)
        return True

    eventually_now(as_it_should_be, within=within, every=0.5, about="nothing lost, doubled or stale")
    adversities.pass_time(system, 1)
    assert judge(system).clean, str(judge(system))


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
