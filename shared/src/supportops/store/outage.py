"""Is a database error an outage (wait, without bound) or a bug of ours (a few tries, then dead letter)?"""

from sqlalchemy import exc

# SQLSTATE classes: connection, transaction rollback (deadlock), resources, lock not available, operator, system.
_OUTAGE_CLASSES = ("08", "40", "53", "55", "57", "58")
_SQLITE_OUTAGES = ("locked", "busy", "disk i/o", "full", "unable to open", "readonly", "closed")


def is_outage(error: BaseException) -> bool:
    """True when the database cannot be used now, whatever we send it."""
    if isinstance(error, exc.TimeoutError | ConnectionError | TimeoutError | OSError):
        return True
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or _says_outage(error.orig)
    return _sqlstate(error)[:2] in _OUTAGE_CLASSES


def _says_outage(original: BaseException | None) -> bool:
    if original is None:
        return False
    state = _sqlstate(original)
    if state:
        return state[:2] in _OUTAGE_CLASSES
    text = str(original).lower()
    if "sqlite" in type(original).__module__:
        return any(word in text for word in _SQLITE_OUTAGES)
    return isinstance(original.__cause__, ConnectionError | OSError) or "connection" in text


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")
