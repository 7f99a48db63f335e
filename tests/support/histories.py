"""Random histories on one database: its world, emptied between them, and how they are played."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import MetaData, delete

from supportops.clock import ManualClock
from supportops.store import Store
from tests.support import infra
from tests.support.databases import SqliteDatabases
from tests.support.engine import MONDAY, store_on

RAM = Path("/dev/shm")


class HistoryWorld:
    """A store, the loop it lives on, and the time; `metadata` has the tables that a history fills."""

    def __init__(self, url: str, metadata: MetaData) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock(MONDAY)
        self._metadata = metadata
        self._opened = store_on(url, self.clock)
        self.store: Store = self.run(self._opened.__aenter__())

    def run[T](self, what: Awaitable[T]) -> T:
        return self.loop.run_until_complete(what)

    async def forget(self) -> None:
        """Empty tables, the clock back on Monday."""
        self.clock.advance(MONDAY - self.clock.now())
        async with self.store.transaction() as tx:
            for table in reversed(self._metadata.sorted_tables):
                await tx.execute(delete(table))

    def close(self) -> None:
        self.run(self._opened.__aexit__(None, None, None))
        self.loop.close()


@contextmanager
def databases_in_memory() -> Iterator[SqliteDatabases]:
    """Files that lie in memory where there is such a folder: thousands of commits, and no crash to survive."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as folder:
        yield SqliteDatabases(Path(folder))


def play(histories: Callable[[], RuleBasedStateMachine], *, number: int, steps: int) -> None:
    """Play `number` histories of up to `steps` steps. The gate repeats what it has seen; elsewhere every run is new."""
    run_state_machine_as_test(
        cast(Any, histories),  # any factory will do, says its documentation
        settings=settings(
            max_examples=number,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=infra.ci(),
            suppress_health_check=list(HealthCheck),
        ),
    )
