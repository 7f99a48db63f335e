"""What a store sends to PostgreSQL: every statement, BEGIN, COMMIT and pings included, as the server's log has them.

Statements are counted where SQLAlchemy hands them to the driver, what the driver sends by itself at the driver. Its
questions about types, which each connection asks once, do not count.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from supportops.store import Store

OF_THE_DRIVER = ("BEGIN", "COMMIT", "ROLLBACK", "LISTEN", ";")


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The texts of what is sent within, on connections that are opened within."""
    texts: list[str] = []

    def connected(connection: Any, _record: Any) -> None:
        connection.driver_connection.add_query_logger(by_the_driver)

    def by_the_driver(record: Any) -> None:
        if record.query.lstrip().startswith(OF_THE_DRIVER):
            texts.append(record.query)

    def executed(
        _conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> None:
        texts.extend([statement] * (len(parameters) if executemany else 1))

    listeners = (("connect", connected), ("before_cursor_execute", executed))
    engine = store._engine.sync_engine
    for name, listener in listeners:
        event.listen(engine, name, listener)
    try:
        yield texts
    finally:
        for name, listener in listeners:
            event.remove(engine, name, listener)
