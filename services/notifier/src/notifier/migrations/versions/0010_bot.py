"""The Support Bot: the views of Zendesk with their counts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "bot_views",
        sa.Column("view_id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("listed_at", MOMENT, nullable=False),
        sa.Column("asked_at", MOMENT),
        sa.Column("readable", sa.Boolean, nullable=False),
        sa.Column("value", sa.Integer),
        sa.Column("fresh", sa.Boolean, nullable=False),
        sa.Column("fresh_at", MOMENT),
    )


def downgrade() -> None:
    op.drop_table("bot_views")
