"""The engine's tables, what we know of tickets, and what Salesforce holds of them."""

import sqlalchemy as sa
from alembic import op

from supportops.store.revisions import drop_engine_0001, engine_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    engine_0001(op)
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("erased", sa.Boolean, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
    )
    op.create_table(
        "ticket_records",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("record_id", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("written_at", moment, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("ticket_records")
    op.drop_table("tickets")
    drop_engine_0001(op)
