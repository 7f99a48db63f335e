"""Statements are compiled once for all engines of a process: each test opens its own, and compiling was a tenth of the
processor time of all tests.

SQLAlchemy keeps compiled statements by dialect object, and each engine has one of its own. Those of the tests are equal
when their class is: one server, one kind of engine.
"""

from typing import Any

from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Connection, Engine

_COMPILED: dict[Any, Any] = {}
_ANSWERS: dict[str, Any] = {}


class _OfOneClass:
    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


class Postgres(_OfOneClass, PGDialect_asyncpg):
    """PostgreSQL by asyncpg. What each engine asks the server before its first statement (its version,
    how it reads backslashes …) is asked once.
    """

    supports_statement_cache = True  # SQLAlchemy asks each class itself

    def initialize(self, connection: Connection) -> None:
        if not _ANSWERS:
            before = dict(vars(self))
            super().initialize(connection)  # type: ignore[no-untyped-call]
            _ANSWERS.update(
                {name: value for name, value in vars(self).items() if before.get(name) is not value}
            )
        vars(self).update(_ANSWERS)


class Sqlite(_OfOneClass, SQLiteDialect_aiosqlite):
    """SQLite by aiosqlite."""

    supports_statement_cache = True


def share() -> None:
    """From now on every engine of this process compiles a statement only when none has."""
    registry.register("postgresql.asyncpg", __name__, "Postgres")
    registry.register("sqlite.aiosqlite", __name__, "Sqlite")

    @event.listens_for(Engine, "engine_connect")
    def use_what_is_compiled(connection: Connection) -> None:
        connection.execution_options(compiled_cache=_COMPILED)
