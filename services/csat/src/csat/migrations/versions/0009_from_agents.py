"""Answers that were given from a network of the organization's agents are flagged."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = ("ratings", "answers")


def upgrade() -> None:
    for table in TABLES:
        flag = sa.Column("from_agents", sa.Boolean, nullable=False, server_default=sa.text("false"))
        op.add_column(table, flag)


def downgrade() -> None:
    for table in TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("from_agents")
