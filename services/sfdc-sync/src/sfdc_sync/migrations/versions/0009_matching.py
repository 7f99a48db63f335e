"""A ticket's record knows which account and contact it has, by which rule, and whether it was removed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_NAMES = ("account_id", "account_match", "contact_id", "contact_match", "remarks")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("ticket_records", sa.Column(name, sa.Text))
    op.add_column("ticket_records", sa.Column("removed_at", sa.DateTime(timezone=True)))
    op.create_index("ix_ticket_records_account_id", "ticket_records", ["account_id"])


def downgrade() -> None:
    op.drop_index("ix_ticket_records_account_id", "ticket_records")
    for name in ("removed_at", *reversed(_NAMES)):
        op.drop_column("ticket_records", name)
