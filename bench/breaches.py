"""Row "breach notices": 10,000 due within a minute over 200 channels, Slack's limits lifted: how late they are."""

from bench.figures import Figure, last_line
from bench.servers import Servers, child, finish
from sandbox.demo import reaper
from tests.support.sandbox import SandboxProcess


def measure(servers: Servers, count: int = 10_000, seconds: int = 60) -> list[Figure]:
    """From the moment a notice was due to its post, in milliseconds; PostgreSQL, and Slack as the stand-in."""
    url = servers.new_database()
    home = reaper.temporary_folder("supportops-bench-")
    with SandboxProcess(home) as sandbox:
        sandbox.post("limits", slack={"per_second": None})
        result = last_line(
            finish(child("bench.breach_notices", url, sandbox.url, str(count), str(seconds)), 500)
        )
        sandbox.post("reset")
        sandbox.post("limits", slack={"per_second": None})
        floor = last_line(finish(child("bench.breach_floor", sandbox.url, str(count), str(seconds)), 500))
    late = result["late_0.99"]
    note = f"p50 {result['late_0.5'] * 1000:,.0f} ms, worst {result['late_1']:.2f} s"
    name = f"{count:,} breach notices due in {seconds} s over 200 channels: lateness p99"
    return [
        Figure(
            name,
            late * 1000,
            "ms",
            "<= 1,000 ms",
            late <= 1.0,
            floor["late_0.99"] * 1000,
            "posts alone",
            note=note,
        )
    ]
