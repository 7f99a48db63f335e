"""SLA targets of tickets (docs/vendors/zendesk.md#sla): three roads to them, of which an account answers some.

Which one is found out once, by asking for a ticket that has targets (`probe`), and is remembered by whoever asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched
from typing import Any

from supportops.errors import Forbidden, NotFound
from supportops.vendors.zendesk.calls import Calls, digits, objects, readable
from supportops.vendors.zendesk.models import Answered, UtcDatetime, Word

FEW = 10  # tickets in one answer with sideloaded targets: a hundred were seen to take 1 to 5 MB
RUNNING = frozenset({"active", "breached"})


class SlaRoad(StrEnum):
    """How the targets are asked for."""

    TICKET = "policy_metrics"
    """`GET /tickets/{id}/slas/policy_metrics`: small; 404 when the ticket has no SLA, or does not exist."""
    SIDELOAD = "sideload"
    """`include=slas` of `show_many`."""
    SEARCH = "search"
    """`include=tickets(slas)` of a search: the index may be minutes late."""


class SlaTarget(Answered):
    """One target of a ticket. A past `breach_at` stays on targets that were reached: look at `stage` first."""

    decides = frozenset({"breach_at"})

    metric: Word
    stage: Word
    breach_at: UtcDatetime | None = None

    @property
    def runs(self) -> bool:
        """Whether the clock of this target runs (or has run out) at `breach_at`."""
        return self.stage in RUNNING and self.breach_at is not None


Targets = tuple[SlaTarget, ...]


class RoadClosed(Exception):
    """The account does not answer on this road."""


@dataclass(frozen=True)
class Probe:
    """What asking for one ticket has shown. `road`: the one that answers, None while nothing proves it.

    `targets`: the ticket's; `answered`: whether any road answered at all.
    """

    road: SlaRoad | None
    targets: Targets
    answered: bool


class Slas:
    """The calls about SLA targets."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def probe(self, ticket_id: str) -> Probe:
        """Try the roads, the smallest answer first. Best asked for a ticket that is known to have targets."""
        for road in SlaRoad:
            try:
                targets = (await self._read(road, [ticket_id])).get(ticket_id, ())
            except (NotFound, Forbidden, RoadClosed):
                continue
            if targets or road is SlaRoad.TICKET:
                return Probe(road, targets, answered=True)
            return Probe(None, (), answered=True)  # it answers, and shows nothing: another ticket may tell
        return Probe(None, (), answered=False)

    async def read(self, road: SlaRoad, ticket_ids: Iterable[str]) -> dict[str, Targets]:
        """The targets of tickets on a road that answers; those without any have none.

        Raises RoadClosed (also for a 403) when the account does not answer there any more.
        """
        found: dict[str, Targets] = {}
        try:
            for some in batched(dict.fromkeys(ticket_ids), 1 if road is not SlaRoad.SIDELOAD else FEW):
                try:
                    found |= await self._read(road, list(some))
                except NotFound:
                    found |= dict.fromkeys(some, ())
        except Forbidden as error:
            raise RoadClosed(str(error)) from error
        return found

    async def _read(self, road: SlaRoad, ticket_ids: list[str]) -> dict[str, Targets]:
        ids = [digits(each) for each in ticket_ids]
        if road is SlaRoad.TICKET:
            answer = await self._calls.get("sla", f"/tickets/{ids[0]}/slas/policy_metrics")
            return {ids[0]: _targets(answer)}
        if road is SlaRoad.SIDELOAD:
            query = {"ids": ",".join(ids), "include": "slas"}
            return _inside(await self._calls.get("sla_tickets", "/tickets/show_many", query), "tickets", ids)
        query = {"query": f"type:ticket {ids[0]}", "include": "tickets(slas)"}
        return _inside(await self._calls.get("sla_search", "/search", query), "results", ids)


def _inside(answer: dict[str, Any], key: str, ids: list[str]) -> dict[str, Targets]:
    """The targets inside tickets. RoadClosed when the answer has tickets and none of them has the field.

    A field that is null is an answer: that ticket has no SLA.
    """
    tickets = {str(each.get("id")): each for each in objects(answer, key)}
    mine = {ticket_id: tickets[ticket_id] for ticket_id in ids if ticket_id in tickets}
    if mine and not any("slas" in each for each in mine.values()):
        raise RoadClosed(f"zendesk: {key} come without `slas`")
    shown = {ticket_id: each.get("slas") for ticket_id, each in mine.items()}
    return {ticket_id: _targets(each) for ticket_id, each in shown.items() if isinstance(each, dict)}


def _targets(answer: dict[str, Any]) -> Targets:
    return tuple(readable(SlaTarget, objects(answer, "policy_metrics")))
