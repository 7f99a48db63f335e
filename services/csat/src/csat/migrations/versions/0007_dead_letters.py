"""What operators did with dead letters."""

from alembic import op

from supportops.store.revisions import engine_dead_letters, undo_engine_dead_letters

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    engine_dead_letters(op)


def downgrade() -> None:
    undo_engine_dead_letters(op)
