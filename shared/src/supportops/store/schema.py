"""Whether a database holds the tables that this version of a service wants."""

import sqlite3

from sqlalchemy import exc, text

from supportops.store.engine import Store

_UNDEFINED = ("42P01", "42703")  # PostgreSQL's SQLSTATEs: no such table, no such column
_SQLITE_WORDS = ("no such table", "no such column", "has no column named")


async def revision_of(store: Store) -> str | None:
    """The revision that the database is at; None when it was never migrated. Raises while it is away."""
    try:
        async with store.reading() as conn:
            revision: str | None = (
                await conn.execute(text("SELECT version_num FROM alembic_version"))
            ).scalar()
    except exc.DBAPIError as error:
        if is_missing_schema(error):
            return None
        raise
    return revision


def is_missing_schema(error: BaseException) -> bool:
    """Whether a statement failed because its table or column is not there (yet): a migration is missing.

    SQLite has one code for every mistake in a statement, so there its words must tell; they are fixed in its sources.
    """
    if not isinstance(error, exc.DBAPIError) or error.orig is None:
        return False
    original = error.orig
    if isinstance(original, sqlite3.Error):
        return any(words in str(original) for words in _SQLITE_WORDS)
    return str(getattr(original, "sqlstate", None) or "") in _UNDEFINED
