"""Is a database error an outage (wait, without bound) or a bug of ours (a few tries, then dead letter)?

Told by codes, never by words: a constraint on `closed_at` or `full_name` must not look like an outage.
"""

import sqlite3

import asyncpg
from sqlalchemy import exc

# SQLSTATE classes: connection, login refused, no such database, rollback (deadlock), resources, lock not available,
# operator, system; and the one state of a server that was demoted to a read-only replica.
_OUTAGE_CLASSES = ("08", "28", "3D", "40", "53", "55", "57", "58")
READ_ONLY = "25006"
# Pages or an index of the server are damaged: whatever is asked for next, and never the record's fault.
_DAMAGED = ("XX001", "XX002")
# A table, column, schema or right that is missing: a migration or a grant of ours, never the record's fault.
_NOT_AS_WE_LEFT_IT = ("42P01", "42703", "42501", "3F000")
_SQLITE_NOT_AS_WE_LEFT_IT = ("no such table: ", "no such column: ")  # it has one code for all mistakes
_SQLITE_OUTAGES = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)


def is_outage(error: BaseException) -> bool:
    """True when the database cannot be used now, whatever we send it."""
    if isinstance(error, exc.TimeoutError | ConnectionError | TimeoutError | OSError):
        return True
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or _says_outage(error.orig)
    return _state_of_outage(_sqlstate(error))


def _says_outage(original: BaseException | None) -> bool:
    if original is None:
        return False
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", None)
        if code is None:  # raised by the driver itself, not by the library
            return "closed database" in str(original)
        missing = code == sqlite3.SQLITE_ERROR and str(original).startswith(_SQLITE_NOT_AS_WE_LEFT_IT)
        return missing or code & 0xFF in _SQLITE_OUTAGES
    if state := _sqlstate(original):
        return _state_of_outage(state)
    # The driver's own: of several hosts none is the primary now, or a proxy mixed up answers. Never the record's fault.
    if isinstance(getattr(original, "orig", None), asyncpg.InternalClientError):
        return True
    return isinstance(original.__cause__, ConnectionError | OSError) or "connection" in str(original).lower()


def _state_of_outage(state: str) -> bool:
    return state[:2] in _OUTAGE_CLASSES or state in (READ_ONLY, *_DAMAGED, *_NOT_AS_WE_LEFT_IT)


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
