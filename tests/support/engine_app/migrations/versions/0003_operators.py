"""Operators' sessions that ended by a log-out."""

from alembic import op

from supportops.store.revisions import operators_0001, undo_operators_0001

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    operators_0001(op)


def downgrade() -> None:
    undo_operators_0001(op)
