"""What we keep of accounts and organizations: our own list of both, the runs, their rows, and lifted brakes."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from sfdc_sync.tables.base import metadata
from supportops.store import UtcDateTime

# Zendesk's organizations as last seen. `account_id`: the id that it holds. `held`, `wanted`: JSON, key of the field ->
# value; what Zendesk showed, and what was last known to be right. `stale`: an event told of a change since.
organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False),
    Column("external_id", Text),
    Column("account_id", Text),
    Column("held", Text, nullable=False),
    Column("wanted", Text),
    Column("domains", Text, nullable=False),
    Column("shared_tickets", Boolean),
    Column("marked", Boolean, nullable=False, default=False),
    Column("stale", Boolean, nullable=False, default=False),
    Column("version", Text),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("organizations_by_account", "account_id"),
    Index("organizations_by_name", "folded_name"),
)

# Living accounts as last read. `refused`: why the last write of its organization failed; it is tried in the next run.
accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Column("organization_id", Text),
    Column("notes", Text),
    Column("refused", Text),
    Column("seen_at", UtcDateTime, nullable=False),
    Index("accounts_by_name", "folded_name"),
)

# `state`: running, done, stopped (by the brake), failed. `watermark`: when reading began. `rules`: a digest of rules
# that decide what is read. `counts`, `stopped_by`: JSON.
sync_runs = Table(
    "sync_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_by", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("watermark", UtcDateTime),
    Column("rules", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("stopped_by", Text),
    Column("reason", Text),
    Index("sync_runs_by_time", "started_at"),
)

# What one run did about one organization or account. `state`: planned, done, refused, moved, held. `changes`: JSON.
sync_rows = Table(
    "sync_rows",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("action", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("account_id", Text),
    Column("organization_id", Text),
    Column("name", Text, nullable=False),
    Column("changes", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("sla", Text),
    Column("at", UtcDateTime, nullable=False),
    Index("sync_rows_by_organization", "organization_id"),
    Index("sync_rows_by_account", "account_id"),
    Index("sync_rows_by_time", "at"),
)

# A person lifted the brake for one run: the next one that it would stop.
brake_releases = Table(
    "brake_releases",
    metadata,
    Column("release_id", Text, primary_key=True),
    Column("released_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("released_at", UtcDateTime, nullable=False),
    Column("used_by", Text),
    Column("used_at", UtcDateTime),
)

# The org that was read first: `name` is `salesforce`, `value` its id and whether it is a sandbox (JSON).
sync_environment = Table(
    "sync_environment",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
