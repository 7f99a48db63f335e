"""The engine's first revision, and this service's own tables."""

import sqlalchemy as sa
from alembic import op

from supportops.store.revisions import drop_engine_0001, engine_0001

revision = "0001"
down_revision = None


def upgrade() -> None:
    engine_0001(op)
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text),
        sa.Column("solves", sa.Integer, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "effects",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("times", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("effects")
    op.drop_table("tickets")
    drop_engine_0001(op)
