"""The engine's own schema changes, one function per revision, called by each service's migrations.

A published function is never edited: a later change of the engine's tables is a new function and a new revision.
"""

from types import ModuleType

import sqlalchemy as sa
from alembic.operations import Operations

Op = Operations | ModuleType  # migrations pass the module `alembic.op`, which stands in for the class


def engine_0001(op: Op) -> None:
    """Create inbox, outbox, deliveries, rates and leases."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "inbox",
        sa.Column("consumer_group", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("seen_at", moment, nullable=False),
    )
    op.create_index("ix_inbox_seen_at", "inbox", ["seen_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("sweep_after", moment, nullable=False),
    )
    op.create_index("ix_outbox_sweep_after", "outbox", ["sweep_after"])
    _deliveries_0001(op)
    op.create_table(
        "rates",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("free_at", moment, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("last_run_at", moment),
    )


def _deliveries_0001(op: Op) -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("lane", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("next_attempt_at", moment, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("lease_until", moment),
        sa.Column("token", sa.Text),
        sa.Column("outcome", sa.Text),
        sa.Column("history", sa.Text),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("finished_at", moment),
    )
    active = sa.text("state IN ('waiting', 'leased')")
    op.create_index("deliveries_key", "deliveries", ["destination", "key"], unique=True)
    for name, columns in (
        ("deliveries_claimable", ["destination", "next_attempt_at"]),
        ("deliveries_lane", ["destination", "lane", "position"]),
    ):
        op.create_index(name, "deliveries", columns, postgresql_where=active, sqlite_where=active)
    flying = sa.text("lease_until IS NOT NULL")
    op.create_index(
        "deliveries_in_flight",
        "deliveries",
        ["destination", "lane"],
        postgresql_where=flying,
        sqlite_where=flying,
    )
    op.create_index("deliveries_finished", "deliveries", ["finished_at"])


def drop_engine_0001(op: Op) -> None:
    """Undo `engine_0001`."""
    for table in ("leases", "rates", "deliveries", "outbox", "inbox"):
        op.drop_table(table)


def engine_0002(op: Op) -> None:
    """Indexes that leave planners no choice: by moment for questions about moments, by lane in a lane's very order."""
    _index(op, "deliveries_claimable", ["destination", "next_attempt_at"], f"{_ACTIVE} AND attempts >= 0")
    _index(op, "deliveries_lane", ["destination", "lane", "position", "id"], _ACTIVE)


def undo_engine_0002(op: Op) -> None:
    """Undo `engine_0002`."""
    _index(op, "deliveries_claimable", ["destination", "next_attempt_at"], _ACTIVE)
    _index(op, "deliveries_lane", ["destination", "lane", "position"], _ACTIVE)


def engine_offsets(op: Op) -> None:
    """Consumers' positions; outbox rows that the broker refuses for good."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer_group", sa.Text, primary_key=True),
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("dead_in_a_row", sa.Integer, nullable=False),
        sa.Column("updated_at", moment, nullable=False),
        sa.Column("reread_until", sa.BigInteger),
        sa.Column("accounted_for", sa.BigInteger),
        sa.Column("reset_kind", sa.Text),
        sa.Column("reset_at", moment),
        sa.Column("reset_from", sa.BigInteger),
    )
    op.add_column("outbox", sa.Column("refused", sa.Text))


def undo_engine_offsets(op: Op) -> None:
    """Undo `engine_offsets`."""
    op.drop_column("outbox", "refused")
    op.drop_table("consumer_offsets")


def engine_dead_letters(op: Op) -> None:
    """What operators did with dead letters."""
    op.create_table(
        "dead_letter_marks",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("record_offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_dead_letter_marks_marked_at", "dead_letter_marks", ["marked_at"])


def undo_engine_dead_letters(op: Op) -> None:
    """Undo `engine_dead_letters`."""
    op.drop_table("dead_letter_marks")


_ACTIVE = "state IN ('waiting', 'leased')"


def _index(op: Op, name: str, columns: list[str], rows: str) -> None:
    op.drop_index(name, "deliveries")
    op.create_index(name, "deliveries", columns, postgresql_where=sa.text(rows), sqlite_where=sa.text(rows))


def operators_0001(op: Op) -> None:
    """Create the sessions that ended before their time: the operators' login of each service."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "ended_sessions",
        sa.Column("holder", sa.Text, primary_key=True),
        sa.Column("ended_at", moment, nullable=False),
        sa.Column("forget_at", moment, nullable=False),
    )
    op.create_index("ix_ended_sessions_forget_at", "ended_sessions", ["forget_at"])


def undo_operators_0001(op: Op) -> None:
    """Undo `operators_0001`."""
    op.drop_table("ended_sessions")


def engine_0003(op: Op) -> None:
    """Lanes that know when they are worth a look, filled from what waits; breakers; rates hold budgets only."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "lanes",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("lane", sa.Text, primary_key=True),
        sa.Column("claimable_at", moment),
        sa.Column("free_at", moment),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.execute(_FILL_LANES)
    waits = sa.text("claimable_at IS NOT NULL")
    op.create_index(
        "lanes_claimable",
        "lanes",
        ["destination", "claimable_at"],
        postgresql_where=waits,
        sqlite_where=waits,
    )
    op.create_table(
        "breakers",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cause", sa.Text),
        sa.Column("since", moment),
        sa.Column("reason", sa.Text),
        sa.Column("probe_at", moment),
        sa.Column("probes", sa.Integer, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("failing", sa.Text, nullable=False),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("refusal", sa.Text),
        sa.Column("refused_since", moment),
        sa.Column("changed_at", moment, nullable=False),
    )
    op.execute("DELETE FROM rates WHERE name LIKE 'lane:%' OR name LIKE 'pause:%'")


def undo_engine_0003(op: Op) -> None:
    """Undo `engine_0003`; paces and pauses are learnt anew."""
    op.drop_table("breakers")
    op.drop_table("lanes")


def engine_topic_ids(op: Op) -> None:
    """Positions know which topic they are of; rows learn it when their partitions are assigned next."""
    op.add_column("consumer_offsets", sa.Column("topic_id", sa.Text))


def undo_engine_topic_ids(op: Op) -> None:
    """Undo `engine_topic_ids`."""
    op.drop_column("consumer_offsets", "topic_id")


# The least of a lane's moments: never too late, and put right by the first claim that looks.
_FILL_LANES = """
INSERT INTO lanes (destination, lane, claimable_at, free_at, version)
SELECT destination, lane,
       CASE WHEN max(lease_until) > min(next_attempt_at) THEN max(lease_until) ELSE min(next_attempt_at) END,
       max(lease_until), 1
FROM deliveries
WHERE state IN ('waiting', 'leased') OR lease_until IS NOT NULL
GROUP BY destination, lane
"""
