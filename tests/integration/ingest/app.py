"""One ingest in this process: migrated database, intake running, HTTP spoken to the ASGI app."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import exc, select

from ingest.operations.counts_page import START, create_app
from ingest.tables import webhooks
from ingest.webhooks.endpoint import WebhookEndpoint
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import Account, Road
from ingest.webhooks.spool import Spool
from supportops.clock import SystemClock
from supportops.contracts import Event, decode
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from supportops.store.outbox import unpack_headers
from supportops.store.tables import ENGINE
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of
from tests.support import zendesk_bodies as z
from tests.support.engine import store_on

NATIVE, TRIGGERS = "/webhooks/zendesk", "/webhooks/zendesk/triggers"
OPERATOR = "operators-only-1234"


class Moody:
    """A store that can be away (`down`) or take for ever (`hangs`)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.down = False
        self.hangs = False
        self.asked = 0
        self.poison = ""  # a key whose webhook the database refuses to store as published

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.asked += 1
        if self.down:
            raise ConnectionRefusedError("no database here")
        if self.hangs:
            await asyncio.Event().wait()
        async with self._store.transaction() as tx:
            tx.keep = partial(self._keep, tx.keep)  # type: ignore[method-assign]
            yield tx

    async def _keep(
        self, keep: Callable[..., Awaitable[set[str]]], counter: Any, rows: Any, events: Any
    ) -> set[str]:
        if rows.get(self.poison, {}).get("disposition") == "published":
            raise exc.DataError("insert", {}, ValueError("refused"))
        return await keep(counter, rows, events)


@dataclass
class Ingest:
    """What a test needs of a running ingest."""

    client: httpx.AsyncClient
    store: Store
    moody: Moody
    intake: Intake
    account: Account
    metrics: Metrics
    spool: Path
    stopping: asyncio.Event

    async def post(
        self, body: bytes, secret: str = z.SECRET, age: timedelta = timedelta(0), path: str = NATIVE
    ) -> httpx.Response:
        """Post a signed body."""
        timestamp = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        return await self.client.post(path, content=body, headers=z.signed_headers(body, timestamp, secret))

    async def send(self, body: Any, path: str = NATIVE) -> httpx.Response:
        """Post a signed body, given as JSON."""
        return await self.post(z.as_bytes(body), path=path)

    async def rows(self) -> list[dict[str, Any]]:
        """The raw log, in the order of arrival."""
        async with self.store.reading() as conn:
            query = select(webhooks).order_by(webhooks.c.received_at, webhooks.c.key)
            return [dict(row) for row in (await conn.execute(query)).mappings()]

    async def promised(self) -> list[Event]:
        """The events in the outbox, in the order of writing."""
        async with self.store.reading() as conn:
            rows = (await conn.execute(select(ENGINE.outbox).order_by(ENGINE.outbox.c.id))).all()
        return [decode(unpack_headers(row.headers), row.value) for row in rows]


@asynccontextmanager
async def running(url: str, spool: Path) -> AsyncIterator[Ingest]:
    """An ingest on a database and a spool folder; leaving the block stops it in order."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(store_on(url))
        account, metrics, stopping = Account(z.ACCOUNT), Metrics(), asyncio.Event()
        moody = Moody(store)
        intake = Intake(moody, Spool(spool), account, metrics)
        secrets: dict[Road, list[SecretStr]] = {
            "native": [SecretStr(z.SECRET)],
            "trigger": [SecretStr(z.SECRET)],
        }
        freshness = Freshness(timedelta(minutes=5), SystemClock(), metrics)
        endpoint = WebhookEndpoint(intake, secrets, freshness, SystemClock(), metrics)
        chosen = OperatorsSettings()
        auth = OperatorAuth(chosen, site_of(chosen, "ingest", START), store, metrics, SecretStr(OPERATOR))
        app = create_app(store, intake, endpoint, auth)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://ingest")
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(intake.run(stopping))
            yield Ingest(client, store, moody, intake, account, metrics, spool, stopping)
            stopping.set()
