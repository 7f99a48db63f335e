"""Positions of consumers know which topic they are of."""

from alembic import op

from supportops.store.revisions import engine_topic_ids, undo_engine_topic_ids

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    engine_topic_ids(op)


def downgrade() -> None:
    undo_engine_topic_ids(op)
