"""Calls that were given up on: shown, tried again, and decided about afresh."""

from collections.abc import Callable, Sequence

import pytest
from typer.testing import CliRunner

from csat.__main__ import app
from supportops.clock import ManualClock
from supportops.delivery import Courier, Delivery, DestinationSpec, Discard, Done, Outcome
from supportops.delivery.dead import DEAD, revive
from supportops.delivery.listing import DeliveryFilter, ListedDelivery, list_deliveries
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.csat.assertions import deliveries, on
from tests.integration.csat.test_csat_explain import ENVIRONMENT
from tests.support.engine import running
from tests.support.eventually import eventually

SURVEY, ISSUE = "zendesk.survey", "gitlab.issue"


class Refusing:
    """Refuses what it is given until it is mended; remembers which calls it was asked about."""

    def __init__(self, name: str) -> None:
        self.spec = DestinationSpec(name)
        self.mended = False
        self.asked: list[str] = []

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [Done() if self.mended else Discard("403 no permission") for _ in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        self.asked.append(delivery.key)
        return None


async def given_up(store: Store, *destinations: str) -> list[ListedDelivery]:
    return await list_deliveries(store, DeliveryFilter(DEAD.states, destinations), 100)


async def refused(store: Store, *destinations: Refusing) -> None:
    """One call of each destination, given up on."""
    async with store.transaction() as tx:
        for number, each in enumerate(destinations, 1):
            tx.deliveries.schedule(each.spec.name, f"{number}:key", lane=str(number), payload={})

    async def all_dead() -> bool:
        return len(await given_up(store)) == len(destinations)

    async with running(Courier(store, destinations, Metrics())):
        assert await eventually(all_dead)


async def test_dead_calls_are_told_with_their_reason(store: Store, clock: ManualClock) -> None:
    await refused(store, Refusing(SURVEY), Refusing(ISSUE))
    survey, issue = sorted(await given_up(store), key=lambda dead: dead.key)
    assert (survey.destination, survey.key, survey.lane, survey.attempts) == (SURVEY, "1:key", "1", 1)
    assert (survey.reason, survey.finished_at) == ("403 no permission", clock.now())
    assert [dead.key for dead in await given_up(store, ISSUE)] == [issue.key]


@pytest.mark.both_databases
async def test_they_are_asked_about_and_done_once_it_is_mended(store: Store) -> None:
    destination = Refusing(SURVEY)
    await refused(store, destination)
    destination.mended = True

    async def done() -> bool:
        return bool((await deliveries(store, SURVEY))["1:key"].state == "done")

    async with running(Courier(store, [destination], Metrics())):
        assert await revive(store, DeliveryFilter(keys=("1:key", "9:key"))) == [(SURVEY, "1:key")]
        assert await eventually(done)
    assert destination.asked == ["1:key"]
    assert await given_up(store) == []
    assert await revive(store) == []  # what is done stays done


async def test_only_the_named_destination_is_tried_again(store: Store) -> None:
    await refused(store, Refusing(SURVEY), Refusing(ISSUE))
    assert await revive(store, DeliveryFilter(destinations=(ISSUE,))) == [(ISSUE, "2:key")]
    assert [dead.destination for dead in await given_up(store)] == [SURVEY]


async def test_only_the_named_keys_are_tried_again(store: Store) -> None:
    await refused(store, Refusing(SURVEY), Refusing(ISSUE))
    assert await revive(store, DeliveryFilter(keys=("1:key",))) == [(SURVEY, "1:key")]
    assert [dead.key for dead in await given_up(store)] == ["2:key"]


@on("sqlite")
async def test_what_waits_or_is_cancelled_is_left_alone(store: Store) -> None:
    async with store.transaction() as tx:
        tx.deliveries.schedule(SURVEY, "1:key", lane="1", payload={})
        tx.deliveries.schedule(SURVEY, "2:key", lane="2", payload={})
        tx.deliveries.cancel(SURVEY, "2:key")
    assert await revive(store) == []


@pytest.fixture
def command(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`csat ARGUMENTS` on an empty database: the exit code."""
    for name, value in (ENVIRONMENT | {"DATABASE_URL": new_database("csat")}).items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, list(arguments)).exit_code


def test_the_commands_say_by_their_exit_code_whether_there_was_anything(command: Callable[..., int]) -> None:
    assert command("given-up", "--json") == 0
    assert command("try-again", "1:key") == 1
    assert command("try-again", "--all", "--destination", SURVEY) == 0
    assert command("try-again") == 2
