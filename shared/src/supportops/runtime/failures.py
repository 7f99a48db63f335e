"""What a command says when it cannot go on: one line that names the cause and what to do about it.

A driver's own words are not shown: they may quote the address, which holds the password.
"""

from supportops.errors import SupportOpsError
from supportops.store import is_outage
from supportops.store.schema import is_missing_schema


def in_one_line(error: BaseException, service: str) -> str | None:
    """The line for an operator; None for a mistake of ours, whose traceback is wanted.

    `service`: the name of its command.
    """
    if isinstance(error, SupportOpsError):
        return str(error)
    if is_missing_schema(error):
        return f"the database lacks tables or columns of this version: run `{service} migrate`"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if is_outage(error):
        return f"the database cannot be used ({_cause(error)}): {OUTAGE_REMEDY}"
    return None


OUTAGE_REMEDY = "check DATABASE_URL, and that the server runs and takes this role's password"


def _cause(error: BaseException) -> str:
    """The class of the driver's error, below what SQLAlchemy wraps around it."""
    return type(getattr(error, "orig", None) or error).__name__
