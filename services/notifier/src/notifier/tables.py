"""The notifier's own tables, beside the engine's. Ids of Zendesk are text, moments aware UTC."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text, false

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)

feed_tickets = Table(
    "feed_tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""What the feeds know of a ticket: `folding.TicketFeed` as JSON. Written by handlers alone."""

feed_messages = Table(
    "feed_messages",
    metadata,
    Column("key", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("ticket_id", Text, nullable=False),
    Column("item", Text, nullable=False),
    Column("feed", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ts", Text),
    Column("thread_ts", Text),
    Column("revision", Integer, nullable=False),
    Column("digest", Text),
    Column("confidential", Boolean, nullable=False, default=False, server_default=false()),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""What became of each message: posted (with its address in Slack and what it shows), redacted, or gone from Slack.

Written by the outcomes of deliveries alone. `channel` is the rules' name of the channel, `address` Slack's; `key` is
the message's key in Slack's metadata as well. `confidential`: it shows what only a closed channel may see.
"""

feed_decisions = Table(
    "feed_decisions",
    metadata,
    Column("key", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("item", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("feeds", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False, index=True),
)
"""The newest decision about each message (key: ticket and comment): `feeds` get it, by the `facts` and the rules of
`version`. Written by handlers and by the outcomes of look-ups.
"""

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("about", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)
"""What nothing is posted about for a while: a rule (by name), a ticket or an organization (by id)."""

routing_versions = Table(
    "routing_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("rules", Text, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)
"""The routing rules of each version that a worker was started with, as JSON."""

Index("feed_messages_thread", feed_messages.c.ticket_id, feed_messages.c.channel)
