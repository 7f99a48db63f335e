"""The engine's third revision: lanes and breakers."""

from alembic import op

from supportops.store.revisions import engine_0003, undo_engine_0003

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    engine_0003(op)


def downgrade() -> None:
    undo_engine_0003(op)
