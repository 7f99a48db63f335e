"""What can go wrong while webhooks flow; each runs for a while and leaves everything started again."""

import random
import time
from collections.abc import Callable

from tests.support.eventually import eventually_now
from tests.support.servers import Server
from tests.support.system import System


def pass_time(system: System, seconds: float) -> None:
    """Let the system work, supervised: what ends by itself is started again."""
    until = time.monotonic() + seconds

    def over() -> bool:
        system.keep_alive()
        return time.monotonic() > until

    eventually_now(over, within=seconds + 30, every=0.2, about="time passes")


def kill_at_random(system: System, seconds: float, dice: random.Random, every: float = 1.5) -> list[str]:
    """SIGKILL one of our processes after the other, each started again at once; who was killed."""
    killed: list[str] = []
    ours = [name for name in system.children if name != "sandbox"]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if len(killed) % len(ours) == 0:
            dice.shuffle(ours)
        name = ours[len(killed) % len(ours)]
        system.restart(name)
        killed.append(name)
        pass_time(system, every * dice.uniform(0.5, 1.5))
    return killed


def kill_one_of_each(system: System, dice: random.Random, every: float) -> None:
    """SIGKILL a process of each service, in any order, started again at once."""
    ours: dict[str, list[str]] = {}
    for name in system.children:
        ours.setdefault(name.partition("-")[0], []).append(name)
    del ours["sandbox"]
    for service in dice.sample(sorted(ours), len(ours)):
        system.restart(dice.choice(ours[service]))
        pass_time(system, every * dice.uniform(0.5, 1.5))


def away(system: System, server: Server, seconds: float) -> None:
    """A broker or database dies and comes back after a while."""
    server.kill()
    pass_time(system, seconds)
    server.start()


def slack_storm(system: System, seconds: float) -> None:
    """Slack answers 429 to everything."""
    system.fault(service="slack", kind="rate_limit", retry_after=2, seconds=seconds)


def sessions_expire(system: System, times: int) -> None:
    """Salesforce forgets our session in the middle of the work."""
    system.fault(service="salesforce", path="composite/*", kind="expire_session", count=times)


def lost_answers(system: System, times: int) -> None:
    """Each vendor applies a write and breaks the connection instead of answering."""
    for service in ("slack", "salesforce", "zendesk"):
        system.fault(service=service, method="POST", kind="drop_after_commit", count=times)
    system.fault(service="zendesk", method="PUT", kind="drop_after_commit", count=times)
    system.fault(service="salesforce", method="PATCH", kind="drop_after_commit", count=times)


def send_while(system: System, webhooks: int, rate: float, adversity: Callable[[], object]) -> None:
    """Raise about that many webhooks at `rate` actions a second, and let the adversity happen meanwhile."""
    burst = system.burst(webhooks // EVENTS_PER_TICKET, "create,comment,solve", rate)
    adversity()
    eventually_now(
        lambda: system.get(f"/control/zendesk/burst/{burst}")["finished"],
        within=webhooks / rate + 120,
        about="the burst is over",
    )


EVENTS_PER_TICKET = 5  # created; its first comment; a comment and its status change; a comment with the solve
