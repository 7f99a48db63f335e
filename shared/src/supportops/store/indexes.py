"""Indexes that a database lacks, made beside running services: a migration that made one would hold up all writers.

A migration creates the indexes of the tables that it creates. One for a table that is there already is only declared
with the table: `migrate` makes whatever is declared and missing, on PostgreSQL concurrently, after the revisions are
in. What an interrupted run left behind is removed and made again by the next.
"""

from sqlalchemy import Connection, Index, MetaData, inspect, text
from sqlalchemy.schema import CreateIndex, DropIndex

from supportops.observability.logging import get_logger

_log = get_logger("supportops.migrate")
_INVALID = text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"
    " WHERE NOT i.indisvalid AND t.relname = ANY(:tables) AND pg_table_is_visible(t.oid)"
)


def make_missing(connection: Connection, metadata: MetaData) -> list[str]:
    """Make the indexes of `metadata` that are not there; their names.

    `connection` commits by itself, and is the only one that makes any now: of two that make the same, one fails. On
    PostgreSQL that waits for transactions that are open now, and nobody waits for it.
    """
    concurrently = connection.dialect.name == "postgresql"
    if concurrently:
        _drop_invalid(connection, metadata)
    missing = _missing(connection, metadata)
    for index in missing:
        index.dialect_options["postgresql"]["concurrently"] = concurrently
        connection.execute(CreateIndex(index))
        _log.warning("index.made", index=index.name)
    return [str(index.name) for index in missing]


def _missing(connection: Connection, metadata: MetaData) -> list[Index]:
    """Copies, so that how they are made here is not how they are made elsewhere."""
    declared = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(declared)
    known = {  # of all tables at once: asked for each, it was half of a migration that finds nothing to do
        table: {index["name"] for index in indexes}
        for (_, table), indexes in inspect(connection).get_multi_indexes().items()
    }
    missing = []
    for table in declared.sorted_tables:
        if table.name in known:
            missing += [index for index in table.indexes if index.name not in known[table.name]]
    return sorted(missing, key=lambda index: str(index.name))


def _drop_invalid(connection: Connection, metadata: MetaData) -> None:
    for name in connection.execute(_INVALID, {"tables": list(metadata.tables)}).scalars():
        index = Index(name)
        index.dialect_options["postgresql"]["concurrently"] = True
        connection.execute(DropIndex(index))
        _log.warning(
            "index.unfinished", index=name, reason="an earlier run was interrupted; it is made again"
        )
