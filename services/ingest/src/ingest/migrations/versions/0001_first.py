"""The engine's tables and the raw log of webhooks."""

import sqlalchemy as sa
from alembic import op

from supportops.store.revisions import drop_engine_0001, engine_0001

revision = "0001"
down_revision = None


def upgrade() -> None:
    engine_0001(op)
    op.create_table(
        "webhooks",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("disposition", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text),
        sa.Column("duplicates", sa.Integer, nullable=False),
    )
    op.create_index("webhooks_received", "webhooks", ["received_at"])
    op.create_index("webhooks_kinds", "webhooks", ["disposition", "kind"])
    op.create_index("webhooks_ticket", "webhooks", ["ticket_id"])


def downgrade() -> None:
    op.drop_table("webhooks")
    drop_engine_0001(op)
