"""Many surveys due within a short time: real csat workers on servers of their own, and what their logs say of it."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from csat.destinations import SURVEY
from csat.surveys.repository import solve_key
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.store import open_store
from tests.support import infra
from tests.support.databases import on_the_side
from tests.support.eventually import eventually_now
from tests.support.servers import Unavailable
from tests.support.system import Plan, System, postgres_databases, running

AT_ONCE = 500  # rows written in one transaction


@dataclass(frozen=True)
class Attempt:
    """One claim of a survey, as a worker's log tells it; `late` in seconds from the due moment to the claim."""

    ticket_id: str
    worker: str
    number: int
    late: float
    outcome: str


@contextmanager
def csat_workers(home: Path, rules: dict[str, Any], workers: int = 2) -> Iterator[System]:
    """The sandbox, and csat on a broker and a database of its own. Skips where there are no real servers."""
    with ExitStack() as stack:
        try:
            kafka, postgres = infra.own_server("kafka"), infra.own_server("postgres")
        except Unavailable as error:
            if infra.ci():
                raise
            pytest.skip(str(error))
        for server in (kafka, postgres):
            stack.callback(server.remove)
            server.start()
        databases = postgres_databases(postgres.address, "rush")
        plan = Plan(kafka.address, databases, home, {"ingest": {}, "csat": rules}, {"csat": workers})
        yield stack.enter_context(running(plan))


def solved_tickets(system: System, count: int) -> dict[str, datetime]:
    """That many tickets, solved by agents just now; when each was."""
    burst = system.burst(count, "create,solve", 5000)
    eventually_now(
        lambda: system.get(f"/control/zendesk/burst/{burst}")["finished"],
        within=60 + count / 20,
        every=0.2,
        about="the tickets are solved",
    )
    tickets = system.get("/control/expected")["tickets"]
    return {each["ticket_id"]: datetime.fromisoformat(each["solved_at"]) for each in tickets}


def arm(system: System, tickets: dict[str, datetime], start: datetime, within: timedelta) -> list[str]:
    """Surveys for all of them, due evenly spread from `start` on; the tickets in due order."""
    order = sorted(tickets)
    on_the_side(lambda: asyncio.run(_arm(system, tickets, start, within / len(order))))
    return order


async def _arm(system: System, tickets: dict[str, datetime], start: datetime, every: timedelta) -> None:
    settings = DatabaseSettings(url=SecretStr(system.plan.databases["csat"]))
    async with open_store(settings, clock=SystemClock()) as store:
        order = sorted(tickets)
        for first in range(0, len(order), AT_ONCE):
            async with store.transaction() as tx:
                for nth, ticket_id in enumerate(order[first : first + AT_ONCE], first):
                    solved_at = tickets[ticket_id]
                    payload = {"ticket_id": ticket_id, "solved_at": solved_at.isoformat(), "cause": None}
                    key, due_at = solve_key(ticket_id, solved_at), start + nth * every
                    tx.deliveries.rearm(SURVEY, key, lane=ticket_id, payload=payload, due_at=due_at)


def asked(system: System) -> list[str]:
    """The tickets whose requesters were asked, in order, as the outside world saw it."""
    return [str(entry["ticket_id"]) for entry in system.ledger("zendesk.comment")]


def attempts(system: System) -> list[Attempt]:
    """Every attempt at a survey, from the logs of the workers."""
    found = []
    for name in system.children:
        if name.startswith("csat-") and name != "csat-web":
            lines = (system.plan.home / f"{name}.log").read_bytes().splitlines()
            found += [_attempt(name, orjson.loads(line)) for line in lines if SURVEY_LINE in line]
    return found


SURVEY_LINE = f'"destination":"{SURVEY}"'.encode()


def _attempt(worker: str, line: dict[str, Any]) -> Attempt:
    return Attempt(line["lane"], worker, line["attempt"], line["late_ms"] / 1000, line["outcome"])


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
