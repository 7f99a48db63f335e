"""Reading targets when Zendesk answers oddly for one ticket: it costs that ticket its reading, and no other."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from notifier.breaches.reader import FreshReadings, SlaReader
from notifier.breaches.targets import Reading
from notifier.breaches.watch import SlaReadings
from notifier.destinations import SLA_READINGS
from supportops.clock import ManualClock
from supportops.delivery import Cancel
from supportops.errors import CredentialRefused, Permanent, Retryable, SupportOpsError, Unreadable
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import References, Rows, open_zendesk
from supportops.vendors.zendesk.sla import SlaRoad
from tests.support.engine import MONDAY, ByHand, store_on
from tests.support.sandbox import zendesk_settings

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
ACTIVE = {"metric": "first_reply_time", "stage": "active", "breach_at": "2026-11-04T11:00:00Z"}


@pytest.fixture
async def store(new_database: Callable[[str], str]) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), ManualClock(MONDAY)) as opened:
        yield opened


class Reader:
    """Fails for some tickets, and for every batch that holds one of them."""

    def __init__(self, failing: dict[str, SupportOpsError]) -> None:
        self._failing = failing
        self.asked: list[list[str]] = []

    async def read(self, ids: Sequence[str]) -> Rows[Reading]:
        self.asked.append(list(ids))
        for each in ids:
            if each in self._failing:
                raise self._failing[each]
        found: Rows[Reading] = Rows()
        for each in ids:
            found[each] = Reading(each, MONDAY, gone="gone")
        return found


def readings(store: Store, reader: Any) -> SlaReadings:
    """The destination, in whose rules nothing is wanted."""

    async def nothing(*_: Any) -> None:
        return None

    context: Any = SimpleNamespace(reader=reader, store=store, hours=nothing, quiet=nothing)
    context.rule_of = lambda _: (None, "no rule")
    return SlaReadings(context)


async def due(store: Store, *tickets: str) -> Any:
    async with store.transaction() as tx:
        for each in tickets:
            tx.deliveries.schedule(SLA_READINGS, f"{each}:1", lane=each, payload={"ticket_id": each})
    return await ByHand(store, readings(store, Reader({})).spec).claim()


@pytest.mark.parametrize("error", [Permanent("422"), Retryable("500")])
async def test_one_ticket_that_cannot_be_read_takes_no_other_along(
    store: Store, error: SupportOpsError
) -> None:
    reader = Reader({"2": error})
    deliveries = await due(store, "1", "2", "3")
    outcomes = await readings(store, reader).deliver(deliveries)
    told = dict(zip([each.lane for each in deliveries], outcomes, strict=True))
    assert (told["2"], type(told["1"]), type(told["3"])) == (error, Cancel, Cancel)


@pytest.mark.parametrize(
    ("failing", "calls"),
    [
        ({"1": Retryable("500"), "2": Retryable("500"), "3": Retryable("500")}, 3),
        ({"1": CredentialRefused("401")}, 1),
        ({"1": Retryable("no answer"), "2": CredentialRefused("401")}, 3),
    ],
)
async def test_an_outage_is_not_asked_about_ticket_by_ticket(
    store: Store, failing: dict[str, SupportOpsError], calls: int
) -> None:
    reader = Reader(failing)
    deliveries = sorted(await due(store, "1", "2", "3", "4"), key=lambda each: each.lane)
    with pytest.raises(SupportOpsError):
        await readings(store, reader).deliver(deliveries)
    assert len(reader.asked) == calls


def account(slas: dict[str, Any], odd: dict[str, Any] | None = None) -> httpx.MockTransport:
    """Zendesk without the first road, whose tickets are sideloaded with these `slas`; one that is missing has none.

    `odd`: fields of tickets that are not as they should be.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/oauth/tokens"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600, "token_type": "bearer"})
        if "show_many" not in request.url.path:
            return httpx.Response(404, json={"error": "RecordNotFound"})
        beside = "slas" in request.url.params.get("include", "")
        moments = dict.fromkeys(("created_at", "updated_at"), "2026-11-02T08:00:00Z")
        rows = [
            {"id": int(each), "status": "open"}
            | moments
            | ({"slas": slas[each]} if beside and each in slas else {})
            | (odd or {}).get(each, {})
            for each in request.url.params["ids"].split(",")
        ]
        return httpx.Response(200, json={"tickets": rows})

    return httpx.MockTransport(answer)


@asynccontextmanager
async def reader_of(transport: httpx.MockTransport, store: Store) -> AsyncIterator[SlaReader]:
    async with open_zendesk(
        zendesk_settings("https://z.example"),
        ("read",),
        clock=store.clock,
        metrics=Metrics(),
        transport=transport,
    ) as zendesk:
        yield SlaReader(zendesk, References(zendesk, clock=store.clock, metrics=Metrics()), store)


async def test_a_ticket_without_an_sla_closes_no_road(store: Store) -> None:
    transport = account({"1": {"policy_metrics": [ACTIVE]}, "2": None, "3": {"policy_metrics": None}})
    async with reader_of(transport, store) as reader:
        for ids in (["1", "2", "3"], ["2"], ["3"], ["1"]):
            read = await reader.read(ids)
            assert {each: len(read[each].targets) for each in ids} == {each: int(each == "1") for each in ids}
        road = await reader.road()
        assert (await reader.read(["9"]))[
            "9"
        ].targets == ()  # it shows no field, and another still does: no SLA
        assert road is SlaRoad.SIDELOAD is await reader.road()


UNREADABLE = [
    ({"updated_at": None}, ACTIVE),
    ({"tags": 5}, ACTIVE),
    ({}, ACTIVE | {"breach_at": 17}),
    ({}, ACTIVE | {"stage": None}),
    ({}, {"policy_metrics": "several"}),
]


@pytest.mark.parametrize(("ticket", "target"), UNREADABLE)
async def test_a_ticket_that_cannot_be_read_is_not_gone(store: Store, ticket: Any, target: Any) -> None:
    odd = target if "policy_metrics" in target else {"policy_metrics": [target]}
    transport = account({"1": {"policy_metrics": [ACTIVE]}, "2": odd}, {"2": ticket})
    async with reader_of(transport, store) as reader:
        read = await reader.read(["1", "2", "3"])
        assert (len(read["1"].targets), read["3"].targets, set(read.unreadable)) == (1, (), {"2"})
        with pytest.raises(Unreadable):
            read.get("2")
        outcomes = await readings(store, reader).deliver(await due(store, "2"))
        assert [type(each) for each in outcomes] == [Cancel]
        assert "what was planned stays" in str(outcomes[0])
        fresh = FreshReadings(reader, store.clock, fresh_for=timedelta(), patience=timedelta(seconds=9))
        old = Reading("2", MONDAY - timedelta(hours=1), subject="as it was")
        assert await fresh.read(old, None) == (old, True)
        other, unverified = await fresh.read(Reading("1", MONDAY - timedelta(hours=1)), None)
        assert (len(other.targets), unverified) == (1, False)  # one odd ticket makes nobody blind
