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

success_watches = Table(
    "success_watches",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("arm", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("armed_at", UtcDateTime, nullable=False, index=True),
)
"""Since when a ticket waits for an agent (rule N6): `arm` is what began it, `version` that of its event."""

routing_versions = Table(
    "routing_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("rules", Text, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)
"""The routing rules of each version that a worker was started with, as JSON."""

Index("feed_messages_thread", feed_messages.c.ticket_id, feed_messages.c.channel)


breach_tickets = Table(
    "breach_tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("reading", Text),
    Column("read_at", UtcDateTime),
    Column("hint_at", UtcDateTime),
    Column("replied_at", UtcDateTime),
    Column("next_breach_at", UtcDateTime, index=True),
    Column("rule", Text),
    Column("objection", Text),
    Column("open", Boolean, nullable=False, default=True),
    Column("tag", Text),
    Column("tagged_at", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""Tickets whose SLA targets are watched. `reading`: `targets.Reading` as JSON, of `read_at`; `hint_at`: the last event
that may have moved a target; `replied_at`: the last public reply of an agent; `tag`: ours, while the ticket has it;
`open`: neither solved nor gone.
"""

breach_targets = Table(
    "breach_targets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("metric", Text, nullable=False),
    Column("breach_at", UtcDateTime, nullable=False),
    Column("rule", Text, nullable=False),
    Column("told_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False, default=0),
    Column("taken_by", Text),
    Column("taken_at", UtcDateTime),
    Column("taken_until", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""Targets that people were told of: what became of each, and who has taken it on (a Slack user id) until when."""

breach_notices = Table(
    "breach_notices",
    metadata,
    Column("key", Text, primary_key=True),
    Column("target", Text, nullable=False, index=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("metric", Text, nullable=False),
    Column("breach_at", UtcDateTime, nullable=False),
    Column("step", Text, nullable=False),
    Column("round", Integer, nullable=False, default=0),
    Column("due_at", UtcDateTime, nullable=False, index=True),
    Column("armed_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("rule", Text, nullable=False),
    Column("rules_version", Text, nullable=False),
    Column("decided_at", UtcDateTime),
    Column("posted_at", UtcDateTime),
    Column("late_ms", Integer),
    Column("road", Text),
    Column("channel", Text),
    Column("address", Text),
    Column("ts", Text),
    Column("digest", Text),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""The ledger of promises: each step of each target, when it was due, what was decided and why, and what was posted.

`round`: how often it was armed anew after a decision. `road`: how it reached people (`slack`, or a second road).
"""

BREACHES = (breach_tickets, breach_targets, breach_notices)

slack_requests = Table(
    "slack_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False, index=True),
)
"""Requests of Slack's that were taken: what comes again does nothing."""

slack_names = Table(
    "slack_names",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("heard_at", UtcDateTime, nullable=False, index=True),
)
"""What channels and people of Slack are called, for pages; empty: Slack told no name."""

remembered = Table(
    "remembered",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
"""What was found out once about the accounts, such as the road to SLA targets that Zendesk answers."""

bot_views = Table(
    "bot_views",
    metadata,
    Column("view_id", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("listed_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("readable", Boolean, nullable=False, default=True),
    Column("value", Integer),
    Column("fresh", Boolean, nullable=False, default=False),
    Column("fresh_at", UtcDateTime),
)
"""Zendesk's views with their counts. `asked_at`: the last answer about the view; `value`: the last number
that was told, `fresh_at` when it was last called fresh, `fresh` whether the last answer called it so.
"""
