"""The engine's second revision."""

from alembic import op

from supportops.store.revisions import engine_0002, undo_engine_0002

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    engine_0002(op)


def downgrade() -> None:
    undo_engine_0002(op)
