"""Since when tickets wait for an agent."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "success_watches",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("arm", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("armed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_success_watches_armed_at", "success_watches", ["armed_at"])


def downgrade() -> None:
    op.drop_table("success_watches")
