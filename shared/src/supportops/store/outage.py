"""Is a database error an outage (wait, without bound) or a bug of ours (a few tries, then dead letter)?

Told by codes, never by words: a constraint on `closed_at` or `full_name` must not look like an outage.
"""

import sqlite3

from sqlalchemy import exc

# SQLSTATE classes: connection, login refused, no such database, rollback (deadlock), resources, lock not available,
# operator, system; and the one state of a server that was demoted to a read-only replica.
_OUTAGE_CLASSES = ("08", "28", "3D", "40", "53", "55", "57", "58")
_READ_ONLY = "25006"
_SQLITE_OUTAGES = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
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
        return code & 0xFF in _SQLITE_OUTAGES
    if state := _sqlstate(original):
        return _state_of_outage(state)
    return isinstance(original.__cause__, ConnectionError | OSError) or "connection" in str(original).lower()


def _state_of_outage(state: str) -> bool:
    return state[:2] in _OUTAGE_CLASSES or state == _READ_ONLY


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
