"""Accounts and organizations, runs and their rows, what integrity reports found."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    _things(moment)
    _runs(moment)
    _integrity(moment)


def _things(moment: sa.DateTime) -> None:
    op.create_table(
        "organizations",
        sa.Column("organization_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("folded_name", sa.Text, nullable=False),
        sa.Column("external_id", sa.Text),
        sa.Column("account_id", sa.Text),
        sa.Column("held", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text),
        sa.Column("domains", sa.Text, nullable=False),
        sa.Column("shared_tickets", sa.Boolean),
        sa.Column("marked", sa.Boolean, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("version", sa.Text),
        sa.Column("seen_at", moment, nullable=False),
        sa.Column("deleted_at", moment),
    )
    op.create_index("organizations_by_account", "organizations", ["account_id"])
    op.create_index("organizations_by_name", "organizations", ["folded_name"])
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("folded_name", sa.Text, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("organization_id", sa.Text),
        sa.Column("notes", sa.Text),
        sa.Column("refused", sa.Text),
        sa.Column("seen_at", moment, nullable=False),
    )
    op.create_index("accounts_by_name", "accounts", ["folded_name"])


def _runs(moment: sa.DateTime) -> None:
    op.create_table(
        "sync_runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_by", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("finished_at", moment),
        sa.Column("watermark", moment),
        sa.Column("rules", sa.Text, nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
        sa.Column("stopped_by", sa.Text),
        sa.Column("reason", sa.Text),
    )
    op.create_index("sync_runs_by_time", "sync_runs", ["started_at"])
    op.create_table(
        "sync_rows",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("organization_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("changes", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("sla", sa.Text),
        sa.Column("at", moment, nullable=False),
    )
    op.create_index("sync_rows_by_account", "sync_rows", ["account_id"])
    op.create_index("sync_rows_by_organization", "sync_rows", ["organization_id"])
    op.create_index("sync_rows_by_time", "sync_rows", ["at"])
    op.create_table(
        "brake_releases",
        sa.Column("release_id", sa.Text, primary_key=True),
        sa.Column("released_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("released_at", moment, nullable=False),
        sa.Column("used_by", sa.Text),
        sa.Column("used_at", moment),
    )
    op.create_table(
        "sync_environment",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("since", moment, nullable=False),
    )


def _integrity(moment: sa.DateTime) -> None:
    op.create_table(
        "integrity_findings",
        sa.Column("report", sa.Text, primary_key=True),
        sa.Column("finding", sa.Text, primary_key=True),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("account_id", sa.Text),
        sa.Column("organization_id", sa.Text),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("salesforce_value", sa.Text),
        sa.Column("zendesk_value", sa.Text),
        sa.Column("tickets", sa.Integer, nullable=False),
        sa.Column("remedy", sa.Text),
        sa.Column("ignored", sa.Text),
        sa.Column("first_seen", moment, nullable=False),
        sa.Column("last_seen", moment, nullable=False),
        sa.Column("gone_since", moment),
    )
    op.create_index("integrity_findings_by_gone", "integrity_findings", ["gone_since"])
    op.create_table(
        "integrity_runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("started_at", moment, nullable=False),
        sa.Column("finished_at", moment),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
    )


def downgrade() -> None:
    for table in (
        "integrity_runs",
        "integrity_findings",
        "sync_environment",
        "brake_releases",
        "sync_rows",
        "sync_runs",
        "accounts",
        "organizations",
    ):
        op.drop_table(table)
