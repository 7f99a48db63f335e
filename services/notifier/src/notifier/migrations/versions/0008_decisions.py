"""Decisions about messages and the rules that made them, silences, and which messages are confidential."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "feed_decisions",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("feeds", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
    )
    op.create_index("ix_feed_decisions_ticket_id", "feed_decisions", ["ticket_id"])
    op.create_index("ix_feed_decisions_decided_at", "feed_decisions", ["decided_at"])
    op.create_table(
        "routing_versions",
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("first_used_at", MOMENT, nullable=False),
    )
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("about", "value", "reason", "made_by")),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
    )
    op.create_index("ix_silences_ends_at", "silences", ["ends_at"])
    op.add_column(
        "feed_messages", sa.Column("confidential", sa.Boolean, nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("feed_messages", "confidential")
    for table in ("silences", "routing_versions", "feed_decisions"):
        op.drop_table(table)
