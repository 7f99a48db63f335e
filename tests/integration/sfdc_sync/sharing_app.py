"""Shared organizations as these tests run them: real destinations and courier, the stand-in inside the test's loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from sandbox.app import create_app
from sandbox.faults import fault_of
from sandbox.world import World
from sandbox.zendesk.records import Comment, Ticket, User
from sfdc_sync import processes
from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.settings import ZENDESK_SCOPES
from sfdc_sync.sharing import repository, requests
from sfdc_sync.sharing.repository import Actor, Stored
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option
from sfdc_sync.sharing.rules.template import Draft
from sfdc_sync.sharing.watch import watching
from supportops.clock import SystemClock
from supportops.delivery import Courier
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk, open_zendesk
from tests.contract.sandbox.fakes import FakePost
from tests.integration.sfdc_sync.app import settled
from tests.support.engine import hasty
from tests.support.eventually import eventually
from tests.support.sandbox import zendesk_settings

GROABLET, ACME = 8447346622462, 8447346622463
RITA, JO, ADA_AGENT = 8447388090601, 8447388090602, 8447388090494
SAM = 8447388090699
ADA, BEN = Actor("ada", "page"), Actor("ben", "page")
POLICY = SharingPolicy(watch_every=timedelta(seconds=1), ticket_updates_per_minute=None)
YES = POLICY.acceptance.phrases[0]


@dataclass
class SharingWorld:
    """The service's part around one store, and Zendesk as a person sees it."""

    store: Store
    zendesk: Zendesk
    outside: World
    policy: SharingPolicy = POLICY

    # --- Zendesk ---

    def plant(self) -> None:
        """Sam joins Rita's organization; an agent belongs to it as well."""
        account = self.outside.zendesk.account
        account.add_user(User(SAM, "Sam Second", "sam@groablet.example", organization_id=GROABLET))
        self.user(ADA_AGENT).organization_id = GROABLET

    def user(self, user_id: int) -> User:
        return self.outside.zendesk.account.user(user_id)

    def levels(self) -> dict[int, str | None]:
        return {user_id: self.user(user_id).ticket_restriction for user_id in (RITA, SAM, ADA_AGENT)}

    def sharing(self, organization_id: int = GROABLET) -> tuple[bool, bool]:
        found = self.outside.zendesk.account.organization(organization_id)
        return found.shared_tickets, found.shared_comments

    def ticket(self, words: str = YES, requester: int = RITA, **values: Any) -> str:
        """The customer's ticket."""
        account = self.outside.zendesk.account
        asked = {"subject": "Please share", "comment": {"body": words}, "requester_id": requester, **values}
        return str(self.outside.zendesk.editor.create(asked, account.user(requester)).ticket.id)

    def comments(self, ticket_id: str) -> list[Comment]:
        found: Ticket = self.outside.zendesk.account.ticket(int(ticket_id))
        return found.comments[1:]

    def arm(self, kind: str, **fault: Any) -> None:
        self.outside.faults.arm(fault_of({"service": "zendesk", "kind": kind, **fault}))

    def writes(self) -> list[str]:
        kinds = ("zendesk.organization.updated", "zendesk.user.updated", "zendesk.comment")
        return [each.kind for each in self.outside.ledger.find("zendesk") if each.kind in kinds]

    # --- the service ---

    async def ask(
        self, option: Option, ticket_id: str, *selected: str, organization_id: int = GROABLET
    ) -> int:
        draft = Draft(str(organization_id), ticket_id, option, selected)
        async with self.store.transaction() as tx:
            return await requests.ask(tx, draft, ADA)

    async def approve(self, number: int, by: Actor = BEN) -> None:
        async with self.store.transaction() as tx:
            await requests.approve(tx, number, by)

    async def undo(self, number: int) -> None:
        async with self.store.transaction() as tx:
            await requests.undo(tx, number, BEN, "a mistake")

    async def apply(self, option: Option, *selected: str, organization_id: int = GROABLET) -> int:
        """Asked, approved and applied; its number."""
        requester = RITA if organization_id == GROABLET else JO
        ticket = self.ticket(requester=requester)
        number = await self.ask(option, ticket, *selected, organization_id=organization_id)
        assert (await self.worked(number)).request.state is State.ASKED
        await self.approve(number)
        assert (await self.worked(number)).request.state is State.APPLIED
        return number

    async def find(self, number: int) -> Stored:
        async with self.store.reading() as conn:
            found = await repository.find(conn, number)
        assert found is not None
        return found

    async def worked(self, number: int) -> Stored:
        """The request once nothing is left to do."""
        async with self.delivering():
            await settled(self.store)
        return await self.find(number)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """The courier runs meanwhile."""
        destinations = [hasty(each) for each in processes.sharing(self.store, self.zendesk, self.policy)]
        stopping = asyncio.Event()
        courier = Courier(self.store, destinations, Metrics())
        running = asyncio.create_task(courier.run(stopping))
        try:
            yield
        finally:
            stopping.set()
            await running

    async def watch(self, number: int) -> Stored:
        """One run of the periodic job, and what it led to."""
        job = watching(self.store, self.policy)
        await eventually(job.run_if_due, within=5, about="a run of the watch")
        return await self.worked(number)

    async def drift(self) -> list[tuple[str, str]]:
        async with self.store.reading() as conn:
            return [(each["field"], each["found"]) for each in await repository.drift_of(conn)]


@asynccontextmanager
async def sharing_world(store: Store) -> AsyncIterator[SharingWorld]:
    """Shared organizations around a stand-in of their own, inside the caller's loop."""
    app, outside = create_app(post=FakePost())
    transport = httpx.ASGITransport(app)
    async with open_zendesk(
        zendesk_settings("http://sandbox"),
        ZENDESK_SCOPES,
        clock=SystemClock(),
        metrics=Metrics(),
        transport=transport,
    ) as zendesk:
        made = SharingWorld(store, zendesk, outside)
        made.plant()
        yield made
    await outside.zendesk.sender.stop()
