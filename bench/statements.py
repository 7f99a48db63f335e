"""Row "statements": what a message and an idle process cost PostgreSQL, counted on its own log at 10 messages a second.

Every line of the log counts: BEGIN, COMMIT, probes of readiness and all.
"""

import re
import time
from collections import Counter
from pathlib import Path

from bench.figures import Figure
from bench.road import posted, road, send
from bench.servers import Servers
from tests.support.databases import run_sql
from tests.support.eventually import eventually_now
from tests.support.postgres_server import PostgresServer
from tests.support.system import System

RATE, SECONDS = 10, 20
IDLE_SECONDS = 20
PROCESSES = {"ingest": 1, "csat": 2, "sfdc_sync": 1, "notifier": 1}  # csat has its web side too
BUDGETS = {
    "ingest": 3,
    "csat": 5,
    "sfdc_sync": 5,
    "notifier": 10,
}  # the notifier's: five to consume, five to deliver
IDLE = 2
_STATEMENT = re.compile(r"^database=(\S*) LOG:  (?:statement|execute [^:]+): ")


def measure(servers: Servers) -> list[Figure]:
    """On a PostgreSQL of its own, whose log is a file."""
    server = PostgresServer()
    server.start()
    try:
        for setting in ("log_statement = 'all'", "log_line_prefix = 'database=%d '"):
            run_sql(server.address, f"ALTER SYSTEM SET {setting}")
        run_sql(server.address, "SELECT pg_reload_conf()")
        with road(Servers(servers.kafka, server.address)) as system:
            return [*busy(system, server.home / "postgres.log"), *idle(server.home / "postgres.log")]
    finally:
        server.remove()


def busy(system: System, log: Path) -> list[Figure]:
    """Statements per comment of one customer after the other, each of which becomes a Slack message."""
    before = posted(system)
    send(system, 0, RATE * 2, RATE)  # tables and caches are new
    eventually_now(
        lambda: posted(system) >= before + RATE * 2, within=60, every=0.2, about="the warm-up arrives"
    )
    start, count, begun = log.stat().st_size, RATE * SECONDS, time.monotonic()
    send(system, 100_000, count, RATE)
    eventually_now(
        lambda: posted(system) >= before + RATE * 2 + count, within=60, every=0.2, about="all arrive"
    )
    found, took = statements(log, start), time.monotonic() - begun
    note = f"{RATE}/s for {took:.0f} s, idle work included"
    return [
        _figure(f"statements of {name} per message", found[name] / count, budget, note)
        for name, budget in BUDGETS.items()
    ]


def idle(log: Path) -> list[Figure]:
    """Statements a second and process when nothing happens."""
    start, begun = log.stat().st_size, time.monotonic()
    time.sleep(IDLE_SECONDS)
    found, took = statements(log, start), time.monotonic() - begun
    return [
        _figure(f"statements of an idle {name} process, a second", found[name] / took / number, IDLE)
        for name, number in PROCESSES.items()
    ]


def statements(log: Path, start: int) -> Counter[str]:
    """How many there are in the log from a byte on, by service."""
    found: Counter[str] = Counter()
    with log.open("rb") as file:
        file.seek(start)
        for line in file:
            if match := _STATEMENT.match(line.decode(errors="replace")):
                service = match[1].split("_", 2)[-1]  # bench_<run>_<service>
                found[service] += 1
    return found


def _figure(name: str, figure: float, budget: float, note: str = "") -> Figure:
    return Figure(name, figure, "", f"<= {budget}", figure <= budget, note=note)
