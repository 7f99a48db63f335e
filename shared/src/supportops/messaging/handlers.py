"""Which event is handled by what: the table that is the map of a service.

Handlers are plain functions, not coroutines: they cannot await, hence not send one statement per event.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Table

from supportops.contracts import Event
from supportops.store import Transaction

E = TypeVar("E", bound=Event)
KeyOf = Callable[[E], Any]
Reads = tuple[tuple[Table, KeyOf[E]], ...]


@dataclass(frozen=True)
class Handler:
    """A handler and the rows it wants to find loaded: for each table a function from event to primary key.

    A key that is None (the event does not know it) is no row.
    """

    handle: Callable[[Any, Transaction], None]
    reads: tuple[tuple[Table, Callable[[Any], Any]], ...]


class Handlers:
    """The handlers of one consumer group, by event type; an event may have several, run in order."""

    def __init__(self) -> None:
        self._by_type: dict[str, list[Handler]] = {}
        self._topics: set[str] = set()

    def on(
        self, event: type[E], handle: Callable[[E, Transaction], None], reads: Reads[E] = ()
    ) -> "Handlers":
        """Let `handle` take events of a type; `reads` names the rows it may ask for."""
        self._by_type.setdefault(event.type, []).append(Handler(handle, reads))
        self._topics.add(event.topic)
        return self

    def topics(self) -> tuple[str, ...]:
        """The topics of the events that are handled here."""
        return tuple(sorted(self._topics))

    def wants(self, event_type: str | None) -> bool:
        """Whether anybody here handles that type."""
        return event_type in self._by_type

    async def run(self, events: list[Event], tx: Transaction) -> None:
        """Load what the handlers declared for the whole batch, then run them in the order of the events."""
        wanted: dict[Table, set[Any]] = {}
        for event in events:
            for handler in self._by_type[event.type]:
                for table, key_of in handler.reads:
                    if (key := key_of(event)) is not None:
                        wanted.setdefault(table, set()).add(key)
        await tx.load_all(wanted)
        for event in events:
            tx.because_of(event.root_id)
            for handler in self._by_type[event.type]:
                handler.handle(event, tx)
