"""Row "one -> two workers": processor time per event, and wall clock with a handler that waits."""

import asyncio
import uuid
from datetime import timedelta
from subprocess import Popen

from bench.consumer_events import fill, make_tables
from bench.figures import Figure, last_line
from bench.servers import Servers, child, finish
from supportops.config import KafkaSettings
from supportops.contracts import Topic
from supportops.messaging import Broker

EVENTS = 12_000
WAITING_EVENTS = 6_000
POOL = 4  # connections per worker: what one worker can wait for at once
WAIT_MS = 2


def measure(servers: Servers) -> list[Figure]:
    """Both figures, one worker beside two."""
    one, two = (run(servers, workers, EVENTS, 0) for workers in (1, 2))
    waiting_one, waiting_two = (run(servers, workers, WAITING_EVENTS, WAIT_MS) for workers in (1, 2))
    cpu = two["cpu"] / one["cpu"]
    speed = waiting_one["wall"] / waiting_two["wall"]
    return [
        Figure("processor time per event, two workers / one", cpu, "x", "<= 1.15", cpu <= 1.15),
        Figure("speed of two workers / one, handler waits 2 ms", speed, "x", ">= 1.7", speed >= 1.7),
    ]


def run(servers: Servers, workers: int, count: int, wait_ms: float) -> dict[str, float]:
    """Start the workers, fill the topic when they share it, and wait until it is consumed."""
    topic, group = f"bench.{uuid.uuid4().hex[:8]}", f"bench-{uuid.uuid4().hex[:8]}"
    asyncio.run(create(servers.kafka, topic))
    url = servers.new_database()
    make_tables(url)
    arguments = (servers.kafka, topic, group, url, str(count), str(12 // workers), str(POOL), str(wait_ms))
    children = [child("bench.consumer_ours", *arguments) for _ in range(workers)]
    for process in children:
        wait_ready(process)
    asyncio.run(fill(servers.kafka, topic, count))
    for process in children:
        go(process)
    results = [last_line(finish(process)) for process in children]
    handled = sum(result["events"] for result in results)
    if handled != count:
        raise RuntimeError(f"{handled:.0f} events handled instead of {count}")
    wall = max(result["last"] for result in results) - min(result["first"] for result in results)
    return {"cpu": sum(result["cpu"] for result in results) / count, "wall": wall}


def wait_ready(process: "Popen[str]") -> None:
    """Returns when the worker has its share of the partitions."""
    if process.stdout is None or process.stdout.readline().strip() != "ready":
        raise RuntimeError("a worker ended before it was ready")


def go(process: "Popen[str]") -> None:
    """Open the worker's gate."""
    if process.stdin is None:
        raise RuntimeError("the worker was started without an input")
    process.stdin.write("go\n")
    process.stdin.flush()


async def create(kafka: str, topic: str) -> None:
    """An empty topic."""
    broker = Broker(KafkaSettings(bootstrap_servers=kafka))
    await broker.ensure_topics([Topic(topic, 12, "ticket id", timedelta(days=1))])
