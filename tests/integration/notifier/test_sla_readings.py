"""Reading targets when Zendesk answers oddly for one ticket: it costs that ticket its reading, and no other."""

from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from notifier.breaches.reader import SlaReader
from notifier.breaches.targets import Reading
from notifier.breaches.watch import SlaReadings
from notifier.destinations import SLA_READINGS
from supportops.clock import ManualClock
from supportops.delivery import Cancel
from supportops.errors import CredentialRefused, Permanent, Retryable, SupportOpsError
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import References, open_zendesk
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

    async def read(self, ids: Sequence[str]) -> dict[str, Reading]:
        self.asked.append(list(ids))
        for each in ids:
            if each in self._failing:
                raise self._failing[each]
        return {each: Reading(each, MONDAY, gone="gone") for each in ids}


def readings(store: Store, reader: Reader) -> SlaReadings:
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


def account(slas: dict[str, Any]) -> httpx.MockTransport:
    """Zendesk without the first road, whose tickets are sideloaded with these `slas`; one that is missing has none."""

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
            for each in request.url.params["ids"].split(",")
        ]
        return httpx.Response(200, json={"tickets": rows})

    return httpx.MockTransport(answer)


async def test_a_ticket_without_an_sla_closes_no_road(store: Store) -> None:
    transport = account({"1": {"policy_metrics": [ACTIVE]}, "2": None, "3": {"policy_metrics": None}})
    async with open_zendesk(
        zendesk_settings("https://z.example"),
        ("read",),
        clock=store.clock,
        metrics=Metrics(),
        transport=transport,
    ) as zendesk:
        reader = SlaReader(zendesk, References(zendesk, clock=store.clock, metrics=Metrics()), store)
        for ids in (["1", "2", "3"], ["2"], ["3"], ["1"]):
            read = await reader.read(ids)
            assert {each: len(read[each].targets) for each in ids} == {each: int(each == "1") for each in ids}
        with pytest.raises(Permanent, match="no road that we know"):  # it shows no field at all: who knows
            await reader.read(["9"])
        assert len((await reader.read(["1"]))["1"].targets) == 1
