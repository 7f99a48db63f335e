"""Webhook sent -> Slack called at 100/s; accepted and delivered, sustained; memory under event load."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import psutil

from bench.figures import Figure, percentile
from bench.hooks import Load, paced
from bench.servers import Servers
from sandbox.demo import reaper
from tests.chaos.rules import rules
from tests.support.eventually import eventually_now
from tests.support.system import Plan, System, postgres_databases, running

CHANNELS = 100
MEMORY_EVENTS = 50_000


def measure(servers: Servers) -> list[Figure]:
    """Latency and throughput on one running system, one worker of each kind."""
    with road(servers) as system:
        warm_up(system)
        return [*latency(system), *sustained(system)]


def measure_memory(servers: Servers) -> list[Figure]:
    """Memory under event load, on a system of its own."""
    with road(servers) as system:
        return memory(system)


@contextmanager
def road(servers: Servers) -> Iterator[System]:
    """The system with 100 channels, a feed without REST reads, and Slack's limit lifted."""
    our_rules = rules("24h", CHANNELS)
    for feed in our_rules["notifier"]["feeds"]:
        feed["lookups"] = False
    home = reaper.temporary_folder("supportops-bench-")
    databases = postgres_databases(servers.postgres, f"bench_{uuid.uuid4().hex[:8]}")
    with running(Plan(servers.kafka, databases, home, our_rules)) as system:
        system.control.post("/control/limits", json={"slack": {"per_second": None}}).raise_for_status()
        yield system


def hook(system: System) -> str:
    """Where webhooks go."""
    return f"{system.url('ingest')}/webhooks/zendesk"


def messages(system: System, after: int = 0) -> list[dict[str, Any]]:
    """Slack messages since an entry of the ledger."""
    entries: list[dict[str, Any]] = system.get("/control/ledger", kind="slack.message", after=after)[
        "entries"
    ]
    return entries


def posted(system: System) -> int:
    """How many Slack messages there are."""
    return int(system.get("/control/summary")["ledger"].get("slack.message", 0))


def send(system: System, first: int, count: int, rate: float) -> Load:
    """Send comments numbered from `first` at `rate`; all must be answered 200."""
    load = asyncio.run(paced(hook(system), count, rate, first=first))
    if set(load.statuses) != {200}:
        raise RuntimeError(f"ingest answered {load.statuses}")
    return load


def reached(system: System, wanted: int) -> bool:
    """Whether so many messages are posted."""
    return posted(system) >= wanted


def warm_up(system: System) -> None:
    """The first events meet cold caches and empty statement caches."""
    before = posted(system)
    send(system, 0, 200, 100)
    eventually_now(lambda: posted(system) >= before + 200, within=60, every=0.2, about="the warm-up arrives")


def latency(system: System, count: int = 1500) -> list[Figure]:
    """From the moment a webhook is sent to the moment the stand-in's Slack has the message."""
    before, first = posted(system), 100_000
    load = send(system, first, count, 100)
    eventually_now(lambda: posted(system) >= before + count, within=60, every=0.2, about="all are posted")
    seen = {number_of(entry): moment(entry["at"]) for entry in messages(system)}
    delays = [(seen[number] - sent) * 1000 for number, sent in load.sent_at.items() if number in seen]
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    return [
        Figure("webhook sent -> Slack called at 100/s, p50", p50, "ms", "<= 30 ms", p50 <= 30),
        Figure("webhook sent -> Slack called at 100/s, p99", p99, "ms", "<= 100 ms", p99 <= 100),
    ]


def sustained(system: System, rate: float = 400, seconds: int = 30) -> list[Figure]:
    """Send at `rate`; what is delivered per second by the time the sending ends tells whether a backlog grows."""
    before, first, count = posted(system), 200_000, int(rate * seconds)
    begun = time.monotonic()
    send(system, first, count, rate)
    at_end, sent_in = posted(system) - before, time.monotonic() - begun
    eventually_now(lambda: posted(system) >= before + count, within=300, every=0.2, about="all are posted")
    whole = time.monotonic() - begun
    delivered = count / whole
    note = f"accepted {count / sent_in:.0f}/s; backlog at the end of sending {count - at_end}"
    return [
        Figure(
            "accepted and delivered, sustained",
            delivered,
            "/s",
            ">= 400/s",
            delivered >= 0.97 * rate,
            note=note,
        )
    ]


def memory(system: System, count: int = MEMORY_EVENTS, rate: float = 500) -> list[Figure]:
    """Resident memory per service after 50,000 events, and how much it grew over the second half."""
    names = ("ingest", "csat-1", "sfdc_sync-1", "notifier-1")
    half = resident(system, names)
    for part in range(2):
        wanted = posted(system) + count // 2
        send(system, 1_000_000 + part * count, count // 2, rate)
        eventually_now(partial(reached, system, wanted), within=900, every=1, about="all are posted")
        if part == 0:
            half = resident(system, names)
    end = resident(system, names)
    return [
        Figure(
            f"memory of {name} after {count:,} events",
            end[name],
            "MB",
            "<= 150 MB, flat",
            end[name] <= 150,
            note=f"{end[name] - half[name]:+.1f} MB over the second half",
        )
        for name in names
    ]


def resident(system: System, names: tuple[str, ...]) -> dict[str, float]:
    """Megabytes per process."""
    return {name: psutil.Process(system.children[name].pid).memory_info().rss / 1e6 for name in names}


def number_of(entry: dict[str, Any]) -> int:
    """The comment's number, from the message's key."""
    return int(str(entry["payload"]["key"]).rsplit(":", 1)[-1]) - 10_000_000


def moment(text: str) -> float:
    """Seconds since the epoch of a time with nine fractional digits."""
    return datetime.fromisoformat(text[:26] + "+00:00").timestamp()
