"""csat's own tables, beside the engine's. Ids of Zendesk are strings of digits, moments aware UTC."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)

tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("solved_at", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""What csat tracks of a ticket: see `lifecycle.TicketState`."""

decisions = Table(
    "decisions",
    metadata,
    Column("solve", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("solved_at", UtcDateTime, nullable=False),
    Column("send", Boolean, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False, index=True),
)
"""Why the requester of a solved ticket was asked, or was not. One row per solve (`records.solve_key`)."""

surveys = Table(
    "surveys",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("survey_id", Text, nullable=False, unique=True),
    Column("solved_at", UtcDateTime, nullable=False),
    Column("requester_id", Text),
    Column("asking_since", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("tagged_at", UtcDateTime),
)
"""One survey per ticket, ever. A row exists from just before the call; `sent_at` says that it was made."""

ratings = Table(
    "ratings",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("rating_id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("score", Text, nullable=False),
    Column("comment", Text),
    Column("reason", Text),
    Column("requester_id", Text),
    Column("revision", Integer, nullable=False),
    Column("rated_at", UtcDateTime, nullable=False),
)
"""The answer that counts: the latest one of each ticket. `revision` counts changes of mind, from 1."""

Index("ratings_score", ratings.c.score)
Index("surveys_sent", surveys.c.sent_at)
