"""The sandbox's Zendesk, as people see it: tickets are made, solved, reopened; and what csat did to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx

from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.vendors.http_client import HttpLimits, make_client
from supportops.vendors.rate_limit import RateLimiter
from supportops.vendors.zendesk import Zendesk
from supportops.vendors.zendesk.calls import Calls

CREDENTIAL = "Bearer sandbox-zendesk-token"


class Outside:
    """People's side of one sandbox."""

    def __init__(self, control: httpx.AsyncClient) -> None:
        self._control = control

    async def post(self, path: str, /, **values: Any) -> dict[str, Any]:
        reply = await self._control.post(f"/control{path}", json=values)
        assert reply.is_success, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def get(self, path: str) -> dict[str, Any]:
        reply = await self._control.get(f"/control{path}")
        assert reply.is_success, reply.text
        answer: dict[str, Any] = reply.json()
        return answer

    async def solved_ticket(self, **values: Any) -> tuple[str, datetime]:
        """A ticket that an agent has just solved: its id and when."""
        made = await self.post("/zendesk/tickets", **({"subject": "Printer on fire"} | values))
        ticket_id = str(made["ticket"]["id"])
        return ticket_id, await self.solve(ticket_id)

    async def solve(self, ticket_id: str) -> datetime:
        """An agent solves it."""
        answer = await self.post(f"/zendesk/tickets/{ticket_id}/solve", comment="Use the extinguisher.")
        return datetime.fromisoformat(answer["ticket"]["updated_at"])

    async def act(self, ticket_id: str, what: str, **values: Any) -> None:
        await self.post(f"/zendesk/tickets/{ticket_id}/{what}", **values)

    async def fault(self, **values: Any) -> None:
        """The next matching call to Zendesk meets a bad day."""
        await self.post("/faults", **({"service": "zendesk", "count": 1} | values))

    async def rest(self, method: str, path: str, body: dict[str, Any]) -> None:
        """A write by Zendesk's own API, as another of its programs makes it."""
        reply = await self._control.request(
            method, f"/zendesk/api/v2{path}", json=body, headers={"Authorization": CREDENTIAL}
        )
        assert reply.is_success, reply.text

    async def tags(self, ticket_id: str) -> list[str]:
        return list((await self.shown(ticket_id))["ticket"]["tags"])

    async def surveys(self, ticket_id: str) -> list[dict[str, Any]]:
        """The comments that ask, oldest first."""
        return [each for each in (await self.shown(ticket_id))["comments"] if "/s/" in each["body"]]

    async def calls(self, kind: str) -> list[dict[str, Any]]:
        """Effects in the sandbox's ledger."""
        reply = await self._control.get("/control/ledger", params={"kind": kind})
        return list(reply.json()["entries"])

    async def shown(self, ticket_id: str) -> dict[str, Any]:
        """The ticket and all its comments."""
        answer: dict[str, Any] = (await self._control.get(f"/control/zendesk/tickets/{ticket_id}")).json()
        return answer


@asynccontextmanager
async def impatient_zendesk(sandbox_url: str) -> AsyncIterator[Zendesk]:
    """csat's client, which waits a second for an answer instead of twenty."""
    clock, metrics = SystemClock(), Metrics()
    patience = HttpLimits(answer=timedelta(seconds=1))
    base_url = f"{sandbox_url}/zendesk/api/v2"
    async with make_client(base_url, authorization=CREDENTIAL, patience=patience) as client:
        share = RateLimiter("zendesk", 60_000, clock=clock, metrics=metrics)
        yield Zendesk(Calls(client, share, clock=clock, metrics=metrics))
