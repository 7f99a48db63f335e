"""Many tickets at a steady rate, for load and chaos runs."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.chance import dice
from sandbox.control.people import People
from sandbox.web import Json
from sandbox.zendesk.problems import Problem
from sandbox.zendesk.service import Zendesk

STEPS = ("create", "comment", "reply", "note", "solve", "reopen", "tag")


@dataclass(slots=True)
class Burst:
    """One run: `tickets` tickets, each going through `steps` in order, at `rate` actions a second overall.

    Steps of different tickets are interleaved: about `open_at_once` tickets are under way at any time.
    """

    id: int
    tickets: int
    steps: list[str]
    rate: float
    open_at_once: int = 50
    subject: str = "Burst ticket"
    seed: int = 1
    done: int = 0
    failed: int = 0
    ticket_ids: list[int] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def finished(self) -> bool:
        return self.task is not None and self.task.done()

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "tickets": self.tickets,
            "actions": ",".join(self.steps),
            "rate": self.rate,
            "actions_done": self.done,
            "actions_failed": self.failed,
            "actions_total": self.tickets * len(self.steps),
            "finished": self.finished,
            "ticket_ids": [str(key) for key in self.ticket_ids],
        }


class Bursts:
    """Starts bursts and remembers them until a reset."""

    def __init__(self, zendesk: Zendesk, people: People) -> None:
        self._zendesk = zendesk
        self._people = people
        self._bursts: dict[int, Burst] = {}
        self._ids = itertools.count(1)

    def start(self, values: Json) -> Burst:
        """Raises ValueError on an unknown step."""
        steps = values.get("actions", "create,comment,solve")
        names = [s.strip() for s in steps.split(",")] if isinstance(steps, str) else list(steps)
        if unknown := [name for name in names if name not in STEPS]:
            raise ValueError(f"unknown actions {unknown}; known: {', '.join(STEPS)}")
        if not names or names[0] != "create":
            raise ValueError("the first action is create")
        burst = Burst(next(self._ids), int(values.get("tickets", 100)), names, float(values.get("rate", 100)))
        burst.open_at_once = max(1, int(values.get("open_at_once", burst.open_at_once)))
        burst.subject = str(values.get("subject", burst.subject))
        burst.seed = int(values.get("seed", burst.seed))
        burst.task = asyncio.get_running_loop().create_task(self._run(burst))
        self._bursts[burst.id] = burst
        return burst

    def get(self, burst_id: int) -> Burst | None:
        return self._bursts.get(burst_id)

    def all(self) -> list[Burst]:
        return list(self._bursts.values())

    def stop(self) -> None:
        for burst in self._bursts.values():
            if burst.task is not None:
                burst.task.cancel()
        self._bursts.clear()

    async def _run(self, burst: Burst) -> None:
        """Paced by the wall clock: after a stall the missed actions follow at once."""
        loop = asyncio.get_running_loop()
        start, chance = loop.time(), dice(burst.seed)
        under_way: list[tuple[int, int]] = []  # (index into ticket_ids, next step)
        for turn in range(burst.tickets * len(burst.steps)):
            due = start + turn / burst.rate
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            elif turn % 50 == 0:
                await asyncio.sleep(0)
            self._turn(burst, under_way, chance)

    def _turn(self, burst: Burst, under_way: list[tuple[int, int]], chance: random.Random) -> None:
        started = len(burst.ticket_ids)
        if started < burst.tickets and len(under_way) < burst.open_at_once:
            index, step = started, 0
        else:
            index, step = under_way.pop(chance.randrange(len(under_way)))
        try:
            self._step(burst, index, burst.steps[step])
            burst.done += 1
        except Problem:
            burst.failed += 1
        if step + 1 < len(burst.steps):
            under_way.append((index, step + 1))

    def _step(self, burst: Burst, index: int, step: str) -> None:
        people = self._people
        if step == "create":
            organization = self._pick_requester(index)
            done = people.create(
                {
                    "subject": f"{burst.subject} {burst.id}-{index}",
                    "description": f"Words of burst {burst.id}, ticket {index}.",
                    "requester_id": organization,
                    "priority": ("low", "normal", "high", "urgent")[index % 4],
                    "tags": [f"group_{index % GROUPS}"],
                }
            )
            burst.ticket_ids.append(done.ticket.id)
            return
        ticket = self._zendesk.account.ticket(burst.ticket_ids[index])
        people.act(ticket, _WHAT[step](index))

    def _pick_requester(self, index: int) -> int:
        customers = [u.id for u in self._zendesk.account.records.users.values() if not u.is_staff]
        return customers[index % len(customers)]


GROUPS = 100  # tags `group_0` … by which rules can spread a burst's tickets over channels

_WHAT: dict[str, Callable[[int], Json]] = {
    "comment": lambda i: {"as": "requester", "comment": f"Any news on number {i}?"},
    "reply": lambda i: {"as": "agent", "comment": f"We are on it, number {i}."},
    "note": lambda i: {"as": "agent", "comment": {"body": f"internal note {i}", "public": False}},
    "solve": lambda i: {"as": "agent", "comment": f"Solved, number {i}.", "status": "solved"},
    "reopen": lambda i: {"as": "requester", "comment": f"It is back, number {i}.", "status": "open"},
    "tag": lambda i: {"as": "agent", "tags": {"add": [f"burst_{i % 7}"]}},
}
