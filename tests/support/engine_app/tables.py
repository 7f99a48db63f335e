"""Two tables of state beside the engine's: one with a simple key, one with a composite key."""

from sqlalchemy import Column, Integer, MetaData, Table, Text

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)

tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("status", Text),
    Column("solves", Integer, nullable=False, default=0),
    Column("version", Text),
    Column("closed_at", UtcDateTime),
)

effects = Table(
    "effects",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("times", Integer, nullable=False, default=0),
)
