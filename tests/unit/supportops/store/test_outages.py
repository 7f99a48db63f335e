"""Outage (wait without bound) or bug (a few tries, then dead letter): a table of errors."""

import sqlite3
from typing import Any, cast

import asyncpg
from asyncpg.exceptions import ProtocolError, TargetServerAttributeNotMatched
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from supportops.errors import Permanent
from supportops.store import is_outage
from tests.support.for_each import for_each

ADAPTED: Any = cast(Any, AsyncAdapt_asyncpg_dbapi)(asyncpg)


def wrapped(original: Exception) -> exc.DBAPIError:
    """As SQLAlchemy raises it."""
    return exc.DBAPIError("SELECT 1", {}, original)


def postgres(error: type[asyncpg.PostgresError]) -> exc.DBAPIError:
    map_transport_errors = ADAPTED.Error(f"{error}: of the server", error("of the server"))
    assert map_transport_errors.sqlstate == error.sqlstate
    return wrapped(map_transport_errors)


def client_side(message: str) -> exc.DBAPIError:
    return wrapped(
        ADAPTED.InterfaceError(f"{asyncpg.InterfaceError}: {message}", asyncpg.InterfaceError(message))
    )


def of_the_driver(error: asyncpg.InternalClientError) -> exc.DBAPIError:
    return wrapped(ADAPTED.InternalClientError(str(error), error))


def sqlite(code: int, message: str) -> exc.DBAPIError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return wrapped(error)


OUTAGES = [
    exc.TimeoutError("pool"),
    ConnectionRefusedError(),
    TimeoutError(),
    OSError("name or service not known"),
    postgres(asyncpg.ConnectionDoesNotExistError),
    postgres(asyncpg.AdminShutdownError),
    postgres(asyncpg.CannotConnectNowError),
    postgres(asyncpg.TooManyConnectionsError),
    postgres(asyncpg.DiskFullError),
    postgres(asyncpg.PostgresIOError),
    postgres(asyncpg.DeadlockDetectedError),
    postgres(asyncpg.SerializationError),
    postgres(asyncpg.LockNotAvailableError),
    postgres(asyncpg.ReadOnlySQLTransactionError),
    postgres(asyncpg.InvalidPasswordError),
    postgres(asyncpg.InvalidCatalogNameError),
    postgres(asyncpg.UndefinedTableError),
    postgres(asyncpg.UndefinedColumnError),
    postgres(asyncpg.InsufficientPrivilegeError),
    postgres(asyncpg.InvalidSchemaNameError),
    sqlite(sqlite3.SQLITE_ERROR, "no such table: inbox"),
    sqlite(sqlite3.SQLITE_ERROR, "no such column: refused"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    of_the_driver(TargetServerAttributeNotMatched("None of the hosts match the requirement 'read-write'")),
    of_the_driver(ProtocolError("unexpected data from the server")),
    client_side("connection is closed"),
    client_side("cannot perform operation: connection is lost"),
    sqlite(sqlite3.SQLITE_BUSY, "database is locked"),
    sqlite(sqlite3.SQLITE_LOCKED, "database table is locked"),
    sqlite(sqlite3.SQLITE_FULL, "database or disk is full"),
    sqlite(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
    sqlite(sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
    sqlite(sqlite3.SQLITE_CORRUPT, "database disk image is malformed"),
    sqlite(sqlite3.SQLITE_CORRUPT_INDEX, "database disk image is malformed"),
    sqlite(sqlite3.SQLITE_NOTADB, "file is not a database"),
    postgres(asyncpg.DataCorruptedError),
    postgres(asyncpg.IndexCorruptedError),
    sqlite(sqlite3.SQLITE_READONLY_DBMOVED, "attempt to write a readonly database"),
    wrapped(sqlite3.ProgrammingError("Cannot operate on a closed database.")),
]

BUGS = [
    sqlite(sqlite3.SQLITE_ERROR, 'near "SELEC": syntax error'),
    KeyError("closed_at"),
    ValueError("connection"),
    Permanent("no connection"),
    postgres(asyncpg.UniqueViolationError),
    postgres(asyncpg.InternalServerError),
    postgres(asyncpg.NotNullViolationError),
    postgres(asyncpg.CharacterNotInRepertoireError),
    wrapped(
        ADAPTED.Error(
            "<class 'asyncpg.exceptions.DataError'>: invalid input for query argument $1: 'no connection to printer'",
            asyncpg.DataError("invalid input for query argument $1: 'no connection to printer'"),
        )
    ),
    sqlite(sqlite3.SQLITE_CONSTRAINT_NOTNULL, "NOT NULL constraint failed: tickets.closed_at"),
    sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: people.full_name"),
    wrapped(sqlite3.InterfaceError("Error binding parameter 'busy': type 'set' is not supported")),
]


@for_each("error", OUTAGES)
def test_an_outage_is_nobodys_poison(error: Exception) -> None:
    assert is_outage(error)


@for_each("error", BUGS)
def test_a_bug_is_no_outage_whatever_its_words(error: Exception) -> None:
    assert not is_outage(error)


def test_a_connection_that_broke_is_an_outage() -> None:
    error = wrapped(ValueError("anything"))
    error.connection_invalidated = True
    assert is_outage(error)
