"""The engine's third revision: lanes and breakers."""

from alembic import op

from supportops.store.revisions import engine_0003, undo_engine_0003

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    engine_0003(op)


def downgrade() -> None:
    undo_engine_0003(op)
