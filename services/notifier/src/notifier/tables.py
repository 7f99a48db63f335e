"""The notifier's own tables, beside the engine's. Ids of Zendesk are text, moments aware UTC."""

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

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
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""What became of each message: posted (with its address in Slack and what it shows), or gone from Slack.

Written by the outcomes of deliveries alone. `channel` is the rules' name of the channel, `address` Slack's; `key` is
the message's key in Slack's metadata as well.
"""

Index("feed_messages_thread", feed_messages.c.ticket_id, feed_messages.c.channel)
