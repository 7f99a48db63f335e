"""The long form (`make chaos`): 10,000 webhooks, and everything that can go wrong goes wrong meanwhile."""

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tests.chaos import adversities
from tests.chaos.adversities import EVENTS_PER_TICKET, send_while
from tests.chaos.place import Place, clean, open_place

pytestmark = [pytest.mark.long, pytest.mark.chaos, pytest.mark.timeout(1800)]

WEBHOOKS = 10_000
RATE = 40  # actions a second; each raises more than one webhook


def test_ten_thousand_webhooks_on_the_worst_of_days(tmp_path: Path) -> None:
    with ExitStack() as stack:
        place = open_place(stack, tmp_path)
        begun = time.monotonic()
        happened: list[tuple[str, str]] = []
        send_while(place.system, WEBHOOKS, RATE, lambda: happened.extend(everything(place)))
        sent = time.monotonic() - begun
        verdict = clean(place.system, within=900)
        tell(place, happened, {"sending": sent, "until all was done": time.monotonic() - begun}, str(verdict))


def everything(place: Place) -> list[tuple[str, str]]:
    """Two rounds of every adversity, with kills in between; what was done."""
    dice, system = random.Random(20261122), place.system
    done: list[tuple[str, str]] = []
    for _ in range(2):
        killed = adversities.kill_at_random(system, 25, dice)
        done.append(("SIGKILL", ", ".join(killed)))
        adversities.away(system, place.kafka, 5)
        done.append(("broker killed", "back after 5 s"))
        adversities.slack_storm(system, 10)
        adversities.sessions_expire(system, 3)
        adversities.lost_answers(system, 5)
        done.append(("vendors", "Slack 429 for 10 s, 3 sessions expired, 5 answers lost of each"))
        adversities.away(system, place.postgres, 5)
        done.append(("database killed", "back after 5 s; webhooks meanwhile go to the spool"))
    return done


def tell(place: Place, happened: list[tuple[str, str]], seconds: dict[str, float], verdict: str) -> None:
    """The table that `make chaos` prints."""
    summary = place.system.get("/control/summary")
    table = Table("what", "how")
    for what, how in happened:
        table.add_row(what, how)
    for status, count in summary["sender"]["invocations"].items():
        table.add_row(f"webhooks: {status}", str(count))
    table.add_row("tickets", str(WEBHOOKS // EVENTS_PER_TICKET))
    for what, took in seconds.items():
        table.add_row(what, f"{took:.0f} s")
    table.add_row("verdict", verdict)
    Console(width=140).print(table)
