"""The engine's revision of consumers' positions."""

from alembic import op

from supportops.store.revisions import engine_offsets, undo_engine_offsets

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    engine_offsets(op)


def downgrade() -> None:
    undo_engine_offsets(op)
