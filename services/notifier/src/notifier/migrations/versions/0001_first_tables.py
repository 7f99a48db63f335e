"""The engine's tables, what feeds know of tickets, and what became of their messages."""

import sqlalchemy as sa
from alembic import op

from supportops.store.revisions import drop_engine_0001, engine_0001

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    engine_0001(op)
    op.create_table(
        "feed_tickets",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_feed_tickets_changed_at", "feed_tickets", ["changed_at"])
    op.create_table(
        "feed_messages",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ts", sa.Text),
        sa.Column("thread_ts", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("feed_messages_thread", "feed_messages", ["ticket_id", "channel"])
    op.create_index("ix_feed_messages_changed_at", "feed_messages", ["changed_at"])


def downgrade() -> None:
    for table in ("feed_messages", "feed_tickets"):
        op.drop_table(table)
    drop_engine_0001(op)
