"""Merges of accounts are remembered: the recycle bin is emptied before everybody has looked."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "account_merges",
        sa.Column("loser_id", sa.Text, primary_key=True),
        sa.Column("winner_id", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    op.drop_table("account_merges")
