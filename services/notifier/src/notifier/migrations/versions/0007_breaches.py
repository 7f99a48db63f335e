"""Breach notices: watched tickets, their targets, the ledger of notices; Slack's requests, and what we found out."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

MOMENT = sa.DateTime(timezone=True)
TABLES = ("breach_tickets", "breach_targets", "breach_notices", "slack_requests", "remembered")


def upgrade() -> None:
    op.create_table(
        "breach_tickets",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("reading", sa.Text),
        sa.Column("read_at", MOMENT),
        sa.Column("hint_at", MOMENT),
        sa.Column("replied_at", MOMENT),
        sa.Column("next_breach_at", MOMENT),
        sa.Column("rule", sa.Text),
        sa.Column("objection", sa.Text),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("tag", sa.Text),
        sa.Column("tagged_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_table(
        "breach_targets",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("breach_at", MOMENT, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("taken_by", sa.Text),
        sa.Column("taken_at", MOMENT),
        sa.Column("taken_until", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    _create_notices()
    op.create_table(
        "slack_requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("received_at", MOMENT, nullable=False),
    )
    op.create_table(
        "remembered",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    indexes = {
        "breach_tickets": ("next_breach_at", "changed_at"),
        "breach_targets": ("ticket_id", "changed_at"),
        "breach_notices": ("target", "ticket_id", "due_at", "changed_at"),
        "slack_requests": ("received_at",),
    }
    for table, columns in indexes.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def _create_notices() -> None:
    op.create_table(
        "breach_notices",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("breach_at", MOMENT, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("armed_at", MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("rules_version", sa.Text, nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("posted_at", MOMENT),
        sa.Column("late_ms", sa.Integer),
        sa.Column("road", sa.Text),
        sa.Column("channel", sa.Text),
        sa.Column("address", sa.Text),
        sa.Column("ts", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("changed_at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
