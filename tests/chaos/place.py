"""Where the bad days happen: the whole system on a broker and a database of its own."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.adversities import pass_time
from tests.chaos.rules import rules
from tests.chaos.verdict import Verdict, judge
from tests.support import infra
from tests.support.eventually import eventually_now
from tests.support.servers import Server, Unavailable
from tests.support.system import Plan, System, postgres_databases, running

GROUPS = 10
WORKERS = {"csat": 2, "sfdc_sync": 1, "notifier": 2}


@dataclass(frozen=True)
class Place:
    """The system and the servers it stands on."""

    system: System
    kafka: Server
    postgres: Server


def open_place(stack: ExitStack, home: Path, workers: Mapping[str, int] = WORKERS, **options: Any) -> Place:
    """Start broker, database and every process; they end with `stack`. Skips where there are no real servers.
    `options` are a plan's: named members, forks.
    """
    try:
        kafka, postgres = infra.own_server("kafka"), infra.own_server("postgres")
    except Unavailable as error:
        if infra.ci():
            raise
        pytest.skip(str(error))
    for server in (kafka, postgres):
        stack.callback(server.remove)
    with ThreadPoolExecutor() as starting:
        list(starting.map(lambda server: server.start(), (kafka, postgres)))
    databases = postgres_databases(postgres.address, "chaos")
    plan = Plan(kafka.address, databases, home, rules("5s", GROUPS), workers, **options)
    system = stack.enter_context(running(plan))
    system.control.post("/control/limits", json={"slack": {"per_second": None}}).raise_for_status()
    # Zendesk's own retries are few and their spacing unknown: here they outlast a restart on a busy machine.
    system.register_webhook(retry_spacing=12, modes={"duplicate": 0.05, "duplicate_after": 1, "reorder": 1.5})
    return Place(system, kafka, postgres)


def clean(system: System, within: float = 200) -> Verdict:
    """Wait until the outside world is as it should be, and see that it stays so for a moment."""

    def as_it_should_be() -> bool:
        system.keep_alive()
        sender = system.get("/control/summary")
        assert sender["idle"], f"webhooks are still being sent: {sender['sender']['invocations']}"
        verdict = judge(system)
        assert verdict.clean, f"{verdict}\n  webhooks: {sender['sender']['invocations']}"
        return True

    eventually_now(as_it_should_be, within=within, every=1, about="nothing lost, doubled or stale")
    pass_time(system, 1)
    verdict = judge(system)
    assert verdict.clean, str(verdict)
    return verdict
