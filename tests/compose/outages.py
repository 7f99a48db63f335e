"""Each dependency is taken away while there is work: who needs it turns red in time, then green; nothing is doubled.

Broker and database are stopped. The three vendors are one stand-in here: each is taken away by itself, by closing every
connection to it at once, so that its state is there afterwards.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import typer

from sandbox.clients import tls
from sandbox.demo.story import RITA, is_post, is_record
from sandbox.demo.world import World, survey_link
from tests.compose.stack import RUNNING, Failed, Stack
from tests.support.eventually import eventually_now

WITHIN = 30.0
"""Seconds until red, and until green once the dependency is back."""
TICKETS = 5  # a vendor is given up for a while when several different rows fail one after the other


@dataclass(frozen=True)
class Outage:
    """What is taken away, who must turn red, and who must not: containers by service."""

    what: str
    red: dict[str, int]
    green: dict[str, int]
    solve: bool = False
    """Whether the tickets are solved, so that surveys are due."""


OUTAGES = (
    Outage("kafka", red=RUNNING, green={}),
    Outage("postgres", red=RUNNING, green={}),
    Outage("slack", red={"notifier": 2}, green={"csat": 3, "sfdc-sync": 1}),
    Outage("salesforce", red={"sfdc-sync": 1}, green={"csat": 3, "notifier": 2}),
    Outage("zendesk", red={"csat": 3}, green={"ingest": 1, "csat-web": 1}, solve=True),
)


@dataclass(frozen=True)
class Effect:
    """One thing that must come of a ticket, and how often it did."""

    what: str
    wanted: int
    found: int

    def line(self) -> str:
        """For the person who reads."""
        return f"{self.what}: {self.found} instead of {self.wanted}"


def each_turns_red_and_green(stack: Stack) -> None:
    """All outages, one after the other. Raises Failed or NotYet."""
    world = World(stack.addresses())
    opened: dict[int, bool] = {}
    try:
        world.connect_zendesk()
        for outage in OUTAGES:
            opened |= dict.fromkeys(_through(outage, stack, world), outage.solve)
        eventually_now(lambda: _nothing_is_missing(world, opened), within=60, every=1, about="all effects")
        if doubled := [effect.line() for effect in _effects(world, opened) if effect.found > effect.wanted]:
            raise Failed(f"more than once: {', '.join(doubled)}")
    finally:
        world.close()
    if again := stack.restarts():
        raise Failed(f"an outage is no reason to end: {again}")


def _through(outage: Outage, stack: Stack, world: World) -> list[int]:
    begun = time.monotonic()
    with _away(outage.what, stack):
        tickets = [_open(world, outage) for _ in range(TICKETS)]
        _wait(stack, "unhealthy", outage.red, outage.what)
        red = time.monotonic() - begun
        if not stack.all_are("healthy", outage.green):
            raise Failed(f"without {outage.what}: {stack.health()}, and {list(outage.green)} do not need it")
    begun = time.monotonic()
    _wait(stack, "healthy", RUNNING, outage.what)
    green = time.monotonic() - begun
    typer.echo(
        f"           without {outage.what}: red after {red:.0f} s, green {green:.0f} s after it was back"
    )
    return tickets


@contextmanager
def _away(what: str, stack: Stack) -> Iterator[None]:
    """A dependency that is not there; it is there again when the block has ended."""
    if what in ("kafka", "postgres"):
        stack.compose("stop", what)
        yield
        stack.compose("start", what)
        eventually_now(lambda: stack.all_are("healthy", {what: 1}), within=60, every=1, about=what)
        return
    faults = f"{stack.url('SANDBOX_PORT')}/control/faults"
    httpx.post(faults, json={"kind": "drop", "service": what}, verify=tls()).raise_for_status()
    yield
    httpx.delete(faults, verify=tls()).raise_for_status()


def _open(world: World, outage: Outage) -> int:
    ticket = world.open_ticket(
        subject=f"Is {outage.what} there?",
        description="It does not look so.",
        form="Self-Managed",
        requester={"email": RITA},
    )
    if outage.solve:
        world.act(ticket, "solve", comment="It is again.")
    return ticket


def _wait(stack: Stack, health: str, services: dict[str, int], what: str) -> None:
    about = f"{'without' if health == 'unhealthy' else 'after'} {what}: {', '.join(services)} {health}"
    eventually_now(lambda: stack.all_are(health, services), within=WITHIN, every=1, about=about)


def _nothing_is_missing(world: World, opened: dict[int, bool]) -> bool:
    missing = [effect.line() for effect in _effects(world, opened) if effect.found < effect.wanted]
    assert not missing, ", ".join(missing)
    return True


def _effects(world: World, opened: dict[int, bool]) -> Iterator[Effect]:
    """What each ticket has brought about so far."""
    entries = world.ledger()
    for ticket, solved in opened.items():
        surveys = [entry for entry in entries if entry.get("ticket_id") == ticket and survey_link(entry)]
        yield Effect(f"survey of {ticket}", int(solved), len(surveys))
        posts = [entry for entry in entries if is_post(entry, ticket)]
        yield Effect(f"messages about {ticket}", 2 if solved else 1, len(posts))
        records = [entry for entry in entries if is_record(entry, ticket, "created")]
        yield Effect(f"record of {ticket}", 1, len(records))
