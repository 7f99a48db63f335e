"""Zendesk and Slack in memory for histories of breach notices: what people do there, and the calls that they take.

The sandbox is the one to believe; these live inside the test's loop and on its clock, so that thousands of histories
can be told. Slack is spoken to by the notifier's own client, over HTTP that goes nowhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import orjson

from supportops.clock import Clock
from supportops.contracts import (
    Comment,
    TicketCommented,
    TicketCreated,
    TicketEvent,
    TicketMerged,
    TicketSlaChanged,
    TicketSnapshot,
    TicketSolved,
    TicketUpdated,
)
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Ticket, User
from supportops.vendors.zendesk.sla import Probe, SlaRoad, SlaTarget, Targets
from tests.support.breach_model import Model, Said, Truth

METRICS = ("first_reply_time", "requester_wait_time")


class ZendeskInMemory:
    """The account, with what the notifier's breach notices call of it."""

    def __init__(self, clock: Clock, model: Model) -> None:
        self._clock, self._model = clock, model
        self.tags: dict[str, set[str]] = {}
        self.slas = self
        self.forms = SimpleNamespace(get=self._no_form)  # as References has it

    async def tickets(self, ticket_ids: Iterable[str]) -> dict[str, Ticket]:
        found = {each: await self.ticket(each) for each in ticket_ids}
        return {key: ticket for key, ticket in found.items() if ticket is not None}

    async def ticket(self, ticket_id: str) -> Ticket | None:
        case = self._model.cases[ticket_id]
        case.read_at = self._clock.now()
        return None if case.truth.gone else self._shown(ticket_id, case.truth)

    def _shown(self, ticket_id: str, truth: Truth) -> Ticket:
        shown = {
            "id": int(ticket_id),
            "status": truth.status,
            "subject": f"About {ticket_id}",
            "priority": truth.priority,
            "tags": sorted({truth.plan} | self.tags.get(ticket_id, set())),
            "organization_id": truth.organization,
            "updated_at": self._clock.now(),
        }
        return Ticket.model_validate(shown)

    async def read(self, _road: SlaRoad, ticket_ids: Iterable[str]) -> Mapping[str, Targets]:
        """The targets of tickets; a moment in whole seconds, as Zendesk writes them."""
        cases = {each: self._model.cases[each] for each in ticket_ids}
        return {
            key: tuple(
                SlaTarget.model_validate({"metric": metric, "stage": aim.stage, "breach_at": aim.breach_at})
                for metric, aim in case.truth.aims
            )
            for key, case in cases.items()
        }

    async def probe(self, ticket_id: str) -> Probe:
        return Probe(SlaRoad.TICKET, (await self.read(SlaRoad.TICKET, [ticket_id]))[ticket_id], answered=True)

    async def users(self, user_ids: Iterable[str]) -> dict[str, User]:
        return {each: User.model_validate({"id": int(each), "name": "Ada"}) for each in user_ids}

    async def add_tags(self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime) -> None:
        self.tags.setdefault(ticket_id, set()).update(tags)

    async def remove_tags(self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime) -> None:
        self.tags.setdefault(ticket_id, set()).difference_update(tags)

    async def _no_form(self, _form_id: str) -> None:
        return None


@dataclass
class SlackInMemory:
    """A workspace that is up, away, too busy, or loses answers."""

    clock: Clock
    hear: Callable[[Said], None]
    state: str = "up"  # up, away, busy
    loses: int = 0  # so many answers of the next posts
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)  # keys of notices whose answer was lost

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One call, as httpx's transport of the notifier's client."""
        if self.state == "away":
            raise httpx.ConnectError("nobody there", request=request)
        if self.state == "busy":
            return httpx.Response(429, headers={"Retry-After": "7"})
        method = request.url.path.rsplit("/", 1)[-1]
        return {"chat.postMessage": self._post, "chat.update": self._update}.get(method, self._others)(
            request
        )

    def _post(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        ts = f"{self.clock.now().timestamp():.3f}{len(self.messages):03d}"
        self.messages[ts] = body | {"ts": ts}
        if body.get("metadata", {}).get("event_type") == "sla_breach_alert":
            key = body["metadata"]["event_payload"]["key"]
            self.hear(said_of(key, self.clock.now(), body["channel"]))
            if self.loses:
                self.loses -= 1
                self.lost.append(key)
                raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(200, json={"ok": True, "channel": body["channel"], "ts": ts, "message": {}})

    def _update(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        self.messages[body["ts"]] |= body
        return httpx.Response(200, json={"ok": True, "channel": body["channel"], "ts": body["ts"]})

    def _others(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        mine = [each for each in self.messages.values() if each["channel"] == query.get("channel")]
        return httpx.Response(200, json={"ok": True, "messages": mine, "channels": [], "message_ts": "1.0"})


def said_of(key: str, at: datetime, road: str) -> Said:
    """A notice by its key: `ticket:metric:breach_at:step`."""
    ticket_id, metric, breach_at, step = key.split(":", 3)
    moment = datetime.strptime(breach_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return Said(at, ticket_id, metric, moment, step, road)


def event_of(kind: str, ticket_id: str, truth: Truth, at: datetime, number: int) -> TicketEvent:
    """What Zendesk tells of a change, by its kind; SLA changes by default."""
    envelope: dict[str, Any] = {
        "id": f"event-{number}",
        "source": "/zendesk/22129848",
        "time": at,
        "subject": ticket_id,
        "account_id": "22129848",
        "ticket_id": ticket_id,
        "version": version_of(at, at + timedelta(milliseconds=number)),
        "actor_id": "7",
        "ticket": TicketSnapshot(status=truth.status, tags=[truth.plan], priority=truth.priority),
    }
    match kind:
        case "created":
            return TicketCreated(**envelope)
        case "replied":
            said = Comment(id=str(number), body="Yes.", is_public=True, author_id="7", author_is_agent=True)
            return TicketCommented(**envelope, comment=said)
        case "solved":
            return TicketSolved(**envelope, solved_at=at, previous_status="open")
        case "merged":
            return TicketMerged(**envelope, target_ticket_id="999")
        case "changed":
            return TicketUpdated(**envelope, zendesk_type="priority_changed")
        case _:
            return TicketSlaChanged(**envelope, what="next_sla_breach_changed")
