"""SLA targets of tickets (docs/vendors/zendesk.md#sla): three roads to them, of which an account answers some.

Which one is found out once, by asking for a ticket that has targets (`probe`), and is remembered by whoever asks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import batched
from typing import Annotated, Any

from pydantic import BeforeValidator

from supportops.errors import Forbidden, NotFound, Retryable, Unreadable
from supportops.vendors.zendesk.calls import Calls, Rows, as_model, digits, objects
from supportops.vendors.zendesk.models import Answered, UtcDatetime, Word, empty_when_null

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


class PolicyMetrics(Answered):
    """The targets of one ticket; null where it has none."""

    decides = frozenset({"policy_metrics"})

    policy_metrics: Annotated[tuple[dict[str, Any], ...], BeforeValidator(empty_when_null)] = ()


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
        self._witness: str | None = None  # the ticket that showed targets last among others' fields

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

    async def read(self, road: SlaRoad, ticket_ids: Iterable[str]) -> Rows[Targets]:
        """The targets of tickets on a road that answers; those without any have none.

        Targets that cannot be read are `unreadable`: they are not gone. Raises RoadClosed (also for a 403) when the
        account does not answer there any more.
        """
        found: Rows[Targets] = Rows()
        try:
            for some in batched(dict.fromkeys(ticket_ids), 1 if road is not SlaRoad.SIDELOAD else FEW):
                try:
                    found.add(await self._read(road, list(some)))
                except NotFound:
                    found |= dict.fromkeys(some, ())
                except RoadClosed:  # the field is missing where a ticket has no SLA, too
                    if not await self._is_open(road, some):
                        raise
        except Forbidden as error:
            raise RoadClosed(str(error)) from error
        return found

    async def _is_open(self, road: SlaRoad, silent: Sequence[str]) -> bool:
        """Whether another ticket, which has shown targets, still shows them: some without the field close no road."""
        if self._witness is None or self._witness in silent:
            return False
        try:
            return bool(await self._read(road, [self._witness]))
        except (NotFound, RoadClosed):
            self._witness = None
            return False

    async def _read(self, road: SlaRoad, ticket_ids: list[str]) -> Rows[Targets]:
        ids = [digits(each) for each in ticket_ids]
        if road is SlaRoad.TICKET:
            answer = await self._calls.get("sla", f"/tickets/{ids[0]}/slas/policy_metrics")
            if "policy_metrics" not in answer:
                raise Retryable("zendesk: an answer without its targets")
            return _rows({ids[0]: answer})
        if road is SlaRoad.SIDELOAD:
            query = {"ids": ",".join(ids), "include": "slas"}
            answer = await self._calls.get("sla_tickets", "/tickets/show_many", query)
        else:
            query = {"query": f"type:ticket {ids[0]}", "include": "tickets(slas)"}
            answer = await self._calls.get("sla_search", "/search", query)
        found = _inside(answer, "tickets" if road is SlaRoad.SIDELOAD else "results", ids)
        self._witness = next((each for each, targets in found.items() if targets), self._witness)
        return found


def _inside(answer: dict[str, Any], key: str, ids: list[str]) -> Rows[Targets]:
    """The targets inside tickets. RoadClosed when the answer has tickets and none of them has the field.

    A field that is null is an answer: that ticket has no SLA.
    """
    tickets = {str(each.get("id")): each for each in objects(answer, key)}
    mine = {ticket_id: tickets[ticket_id] for ticket_id in ids if ticket_id in tickets}
    if mine and not any("slas" in each for each in mine.values()):
        raise RoadClosed(f"zendesk: {key} come without `slas`")
    shown = {ticket_id: each.get("slas") for ticket_id, each in mine.items()}
    return _rows({ticket_id: each for ticket_id, each in shown.items() if each is not None})


def _rows(answers: Mapping[str, object]) -> Rows[Targets]:
    found: Rows[Targets] = Rows()
    for ticket_id, answer in answers.items():
        try:
            found[ticket_id] = _targets(answer)
        except Unreadable as error:
            found.unreadable[ticket_id] = error
    return found


def _targets(answer: object) -> Targets:
    """The targets; Unreadable when one that has a name, or the list, says nothing. What has no name is no target."""
    shown = as_model(PolicyMetrics, answer).policy_metrics
    return tuple(as_model(SlaTarget, row) for row in shown if isinstance(row.get("metric"), str))
