"""The table of handlers: what is wanted, what is loaded, in which order it runs."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest
from sqlalchemy import Table

from supportops.contracts import OrganizationCreated, TicketClosed, TicketSolved
from supportops.messaging import Handlers
from supportops.store import Transaction
from tests.support.engine import solved
from tests.support.engine_app import tables


class LoadingOnly:
    """As much of a transaction as the table of handlers uses."""

    def __init__(self) -> None:
        self.loaded: list[dict[str, set[Any]]] = []

    async def load_all(self, wanted: Mapping[Table, Iterable[Any]]) -> None:
        self.loaded.append({table.name: set(keys) for table, keys in wanted.items()})

    def because_of(self, correlation_id: str | None) -> None:
        """Of no interest here."""


def nothing(event: Any, tx: Transaction) -> None:
    """A handler that has nothing to do."""


def test_topics_and_types_are_those_of_the_handled_events() -> None:
    handlers = Handlers().on(TicketSolved, nothing).on(OrganizationCreated, nothing)
    assert handlers.topics() == ("zendesk.organizations", "zendesk.tickets")
    assert handlers.wants(TicketSolved.type)
    assert not handlers.wants(TicketClosed.type)
    assert not handlers.wants(None)


async def test_every_handler_of_an_event_runs_in_order_event_by_event() -> None:
    seen: list[tuple[str, str]] = []
    handlers = (
        Handlers()
        .on(TicketSolved, lambda event, _tx: seen.append(("first", event.id)))
        .on(TicketSolved, lambda event, _tx: seen.append(("second", event.id)))
    )
    await handlers.run([solved(1, event_id="a"), solved(2, event_id="b")], cast(Transaction, LoadingOnly()))
    assert seen == [("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")]


async def test_declared_rows_of_the_whole_batch_are_loaded_at_once() -> None:
    tx = LoadingOnly()
    handlers = (
        Handlers()
        .on(TicketSolved, nothing, reads=((tables.tickets, lambda event: event.ticket_id),))
        .on(
            TicketSolved,
            nothing,
            reads=(
                (tables.effects, lambda event: ("slack", event.ticket_id)),
                (tables.tickets, lambda _event: "shared"),
            ),
        )
    )
    await handlers.run([solved(1), solved(2), solved(1)], cast(Transaction, tx))
    assert tx.loaded == [{"effects": {("slack", "1"), ("slack", "2")}, "tickets": {"1", "2", "shared"}}]


async def test_an_event_that_lacks_the_key_declares_nothing() -> None:
    tx = LoadingOnly()
    handlers = Handlers().on(
        TicketSolved, nothing, reads=((tables.tickets, lambda event: event.ticket.organization_id),)
    )
    await handlers.run([solved(1)], cast(Transaction, tx))
    assert tx.loaded == [{}]


async def test_what_a_handler_raises_escapes() -> None:
    def broken(_event: TicketSolved, _tx: Transaction) -> None:
        raise KeyError("a bug of ours")

    with pytest.raises(KeyError):
        await Handlers().on(TicketSolved, broken).run([solved(1)], cast(Transaction, LoadingOnly()))
