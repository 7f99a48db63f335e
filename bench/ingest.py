"""Row "ingest": webhooks/s of one worker, durable before 200, the relay running, beside two floors."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

import yaml

from bench.figures import Figure, alternate, percentile
from bench.hooks import Load, comment_added, flat_out, paced, request
from bench.servers import Servers
from sandbox.demo import reaper
from supportops.config import KafkaSettings
from supportops.contracts import all_topics
from supportops.messaging import Broker
from supportops.store import migrate
from tests.chaos.rules import rules
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, answers, free_port, python_module
from tests.support.system import SECRET

HOOKS = 6_000
UNIT = "webhooks/s"
Run = Callable[[str], Coroutine[None, None, Load]]


def measure(servers: Servers, rounds: int = 3) -> list[Figure]:
    """Throughput on both databases, and the answer's time at 100/s."""
    asyncio.run(topics(servers.kafka))
    home = reaper.temporary_folder("supportops-bench-")
    figures = []
    bare = 0.0
    for dialect in ("postgresql", "sqlite"):
        ours, hand, bare = alternate(
            rounds,
            *(partial(throughput, kind, servers, dialect, home) for kind in ("ours", "hand", "bare")),
        )
        figures += [
            Figure(f"ingest on {dialect}", ours, UNIT, ">= 0.8 x", ours >= 0.8 * hand, hand, "by hand"),
            Figure(f"ingest on {dialect}", ours, UNIT, ">= 0.2 x", ours >= 0.2 * bare, bare, "bare"),
        ]
    ours, bare = (answer_time(kind, servers, home) for kind in ("ours", "bare"))
    figures.append(Figure("answer at 100/s, p50", ours, "ms", "<= 8 x bare", ours <= 8 * bare, bare, "bare"))
    return figures


async def topics(kafka: str) -> None:
    """The topics must be there before anybody publishes."""
    await Broker(KafkaSettings(bootstrap_servers=kafka)).ensure_topics(all_topics())


def throughput(kind: str, servers: Servers, dialect: str, home: Path) -> float:
    """Webhooks answered per second, flat out over 64 connections."""

    async def run(url: str) -> Load:
        made = [request(url, comment_added(number)) for number in range(HOOKS)]
        await flat_out(url, made[:200])
        return await flat_out(url, made[200:])

    return under_load(kind, servers, dialect, home, run).rate


def answer_time(kind: str, servers: Servers, home: Path) -> float:
    """Median milliseconds of an answer at 100 webhooks a second."""

    async def run(url: str) -> Load:
        return await paced(url, 500, 100)

    return percentile(under_load(kind, servers, "postgresql", home, run).answers, 0.5) * 1000


def under_load(kind: str, servers: Servers, dialect: str, home: Path, run: Run) -> Load:
    """Start one server of `kind` on a fresh database, load it, end it."""
    name = uuid.uuid4().hex[:8]
    url = servers.new_database() if dialect == "postgresql" else f"sqlite:///{home}/{name}.db"
    migrate.upgrade(url, "ingest")
    port, side = free_port(), free_port()
    child = server(kind, servers, url, (port, side), home / name)
    child.start_only()
    try:
        eventually_now(lambda: answers(port), within=30, every=0.05, about=f"{kind} listens")
        load: Load = asyncio.run(run(f"http://127.0.0.1:{port}/webhooks/zendesk"))
    finally:
        child.stop()
    wrong = {status: count for status, count in load.statuses.items() if status not in (200, 202)}
    if wrong:
        raise RuntimeError(f"{kind} answered {wrong}\n{child.tail()}")
    return load


def server(kind: str, servers: Servers, url: str, ports: tuple[int, int], home: Path) -> ChildProcess:
    """The process to be measured."""
    port, side = ports
    home.mkdir()
    log = home / "server.log"
    if kind != "ours":
        return ChildProcess(python_module("bench.ingest_floor", kind, str(port), url, servers.kafka), log=log)
    (home / "rules.yaml").write_text(yaml.safe_dump(rules()))
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "DATABASE_URL": url,
        "CONFIG_FILE": str(home / "rules.yaml"),
        "HTTP_PORT": str(port),
        "SIDE_PORT": str(side),
        "INGEST_ACCOUNT_ID": "22129848",
        "INGEST_WEBHOOK_SECRETS": SECRET,
        "INGEST_INTEGRATION_USER_IDS": "8447388090001",
        "INGEST_SPOOL_DIR": str(home / "spool"),
    }
    return ChildProcess(python_module("ingest", "serve"), log=log, environment=environment)
