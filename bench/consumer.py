"""Row "consumer with inbox, handler and state": ours beside a bare aiokafka loop, as processes."""

import asyncio
import uuid

from bench.consumer_events import fill, make_tables
from bench.figures import Figure, alternate, last_line
from bench.servers import Servers, child, finish

EVENTS = 20_000


def measure(servers: Servers, rounds: int = 3) -> list[Figure]:
    """Events per second of each, alternating, a new group and an empty database each time."""
    topic = f"bench.{uuid.uuid4().hex[:8]}"
    asyncio.run(fill(servers.kafka, topic, EVENTS))
    ours, floor = alternate(
        rounds,
        lambda: rate(servers, topic, "bench.consumer_ours"),
        lambda: rate(servers, topic, "bench.consumer_floor"),
    )
    return [
        Figure(
            "consumer with inbox, handler and state",
            ours,
            "events/s",
            ">= 0.6 x floor",
            ours >= 0.6 * floor,
            floor,
            "bare aiokafka loop, bulk inserts by hand",
        )
    ]


def rate(servers: Servers, topic: str, module: str) -> float:
    """Events per second from the first handled to the last."""
    url = servers.new_database()
    make_tables(url)
    group = f"bench-{uuid.uuid4().hex[:8]}"
    result = last_line(finish(child(module, servers.kafka, topic, group, url, str(EVENTS))))
    return result["events"] / (result["last"] - result["first"])
