"""ingest's own table, beside the engine's: every signed body, byte for byte."""

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)

webhooks = Table(
    "webhooks",
    metadata,
    Column("key", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ticket_id", Text),
    Column("duplicates", Integer, nullable=False, default=0),
)
"""The raw log. `key` dedupes: `<account>:event:<id>`, `<account>:trigger:<hash>` or, parked,
`<account>:body:<hash>`.

`headers`: the few that tell where a body came from, as a JSON object. `duplicates`: how often it came again.
"""

Index("webhooks_received", webhooks.c.received_at)
Index("webhooks_kinds", webhooks.c.disposition, webhooks.c.kind)
Index("webhooks_ticket", webhooks.c.ticket_id)
