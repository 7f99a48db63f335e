"""Row "due rows, claim lateness": 10,000 in one minute among 1,000,000 done and 100,000 future ones."""

from bench.consumer_events import make_tables
from bench.figures import Figure, last_line
from bench.servers import Servers, child, finish


def measure(servers: Servers, count: int = 10_000, seconds: int = 60) -> list[Figure]:
    """Lateness of claims and of the calls themselves, p99, in milliseconds."""
    url = servers.new_database()
    make_tables(url)
    result = last_line(finish(child("bench.timer_destination", url, str(count), str(seconds)), 600))
    return [
        Figure(
            f"{count:,} due in {seconds} s: {what} lateness p99",
            late * 1000,
            "ms",
            "<= 1,000 ms",
            late <= 1.0,
        )
        for what, late in (("claim", result["claimed_0.99"]), ("call", result["called_0.99"]))
    ]
