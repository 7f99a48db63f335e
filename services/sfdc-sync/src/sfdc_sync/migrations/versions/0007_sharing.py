"""Shared organizations: requests, an audit log that takes no change, drift."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REFUSE = "the audit log of sharing is append-only"


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sharing_requests",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("open_for", sa.Text, unique=True),
        sa.Column("organization", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("option", sa.Text, nullable=False),
        sa.Column("selected", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_at", moment, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("seen", sa.Text),
        sa.Column("changes", sa.Text),
        sa.Column("read_at", moment),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_at", moment),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("target", sa.Text),
        sa.Column("applied_at", moment),
        sa.Column("finished_at", moment),
    )
    op.create_index("ix_sharing_requests_organization_id", "sharing_requests", ["organization_id"])
    op.create_table(
        "sharing_audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("happened_at", moment, nullable=False),
        sa.Column("request", sa.Integer, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
    )
    op.create_index("ix_sharing_audit_request", "sharing_audit", ["request"])
    head = op.create_table(
        "sharing_audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "digest": "0" * 64}])
    op.create_table(
        "sharing_drift",
        sa.Column("request", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("field", sa.Text, primary_key=True),
        sa.Column("wanted", sa.Text, nullable=False),
        sa.Column("found", sa.Text, nullable=False),
        sa.Column("first_seen_at", moment, nullable=False),
        sa.Column("last_seen_at", moment, nullable=False),
    )
    _forbid_changes()


def _forbid_changes() -> None:
    """Also to ourselves: whoever wants to rewrite history must take the trigger away first, and the hashes tell."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER sharing_audit_no_{change.lower()} BEFORE {change} ON sharing_audit "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION sharing_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER sharing_audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON sharing_audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION sharing_audit_refuse()"
    )


def downgrade() -> None:
    for table in ("sharing_drift", "sharing_audit_head", "sharing_audit", "sharing_requests"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION sharing_audit_refuse()")
