"""sfdc-sync's tables, beside the engine's: tickets, accounts and organizations, integrity, sharing.

Ids of Zendesk are strings of digits, those of Salesforce have 18 characters, moments are aware UTC.
"""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)


# What we keep: what we know of a ticket, and what Salesforce holds of it.
#
# They are apart because different hands write them: the consumer the first, the courier's outcomes the second.
# Neither ever waits for a row that the other has locked.

# `state`: JSON of TicketState. `revision` counts the changes of its values. `erased`: permanently deleted in
# Zendesk.
tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("erased", Boolean, nullable=False, default=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# `revision` and `version` are those of the state that was written last. `account_match` and `contact_match`: the rules
# that found account and contact; null while matching is off or nothing was known. `removed_at`: the record was put into
# the recycle bin then, because its ticket was deleted. `remarks`: JSON list of words about what is not as it stands.
ticket_records = Table(
    "ticket_records",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("account_id", Text),
    Column("account_match", Text),
    Column("contact_id", Text),
    Column("contact_match", Text),
    Column("remarks", Text),
    Column("removed_at", UtcDateTime),
    Index("ix_ticket_records_account_id", "account_id"),
)


# What we keep of accounts and organizations: our own list of both, the runs, their rows, and lifted brakes.

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

# Living accounts as last read. `refused`: why it is tried again in the next run: its organization's last
# write failed, or it could not be given one.
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

# Merges of accounts as they were seen; Salesforce's recycle bin forgets them. `undone_at`: the loser is back.
account_merges = Table(
    "account_merges",
    metadata,
    Column("loser_id", Text, primary_key=True),
    Column("winner_id", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("undone_at", UtcDateTime),
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


# What the integrity reports found, and when.

# `finding` names a finding within its report for good: ids, never words. `gone_since`: when it was found to be fixed.
integrity_findings = Table(
    "integrity_findings",
    metadata,
    Column("report", Text, primary_key=True),
    Column("finding", Text, primary_key=True),
    Column("severity", Text, nullable=False),
    Column("account_id", Text),
    Column("organization_id", Text),
    Column("name", Text, nullable=False),
    Column("salesforce_value", Text),
    Column("zendesk_value", Text),
    Column("tickets", Integer, nullable=False),
    Column("remedy", Text),
    Column("ignored", Text),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("gone_since", UtcDateTime),
    Index("integrity_findings_by_gone", "gone_since"),
)

# `summary`: JSON, a row per report: new, fixed, open, ignored, tickets.
integrity_runs = Table(
    "integrity_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("summary", Text, nullable=False),
    Column("reason", Text),
)


# Shared organizations: requests, the audit log, and what somebody has changed by hand since.

# `open_for`: the organization while somebody is still to act, so that it has one such request at most. `selected`: JSON
# list, as it was asked for until it is read, then ids. `changes`: JSON of access.Change, named by `seen`, as they were
# read at `read_at`. `before` and `target`: JSON of SharingState, kept since the first write.
sharing_requests = Table(
    "sharing_requests",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("organization_id", Text, nullable=False, index=True),
    Column("open_for", Text, unique=True),
    Column("organization", Text, nullable=False, default=""),
    Column("ticket_id", Text, nullable=False),
    Column("option", Text, nullable=False),
    Column("selected", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("source", Text, nullable=False, default=""),
    Column("seen", Text),
    Column("changes", Text),
    Column("read_at", UtcDateTime),
    Column("decided_by", Text),
    Column("decided_at", UtcDateTime),
    Column("reason", Text, nullable=False, default=""),
    Column("before", Text),
    Column("target", Text),
    Column("applied_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
)

# Append-only: the migration's triggers refuse every change. `digest` is the entry's own hash, `previous` that before.
sharing_audit = Table(
    "sharing_audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("request", Integer, nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
)

# One row: where the log ends. Who appends holds it, so entries follow each other.
sharing_audit_head = Table(
    "sharing_audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("digest", Text, nullable=False),
)

sharing_drift = Table(
    "sharing_drift",
    metadata,
    Column("request", Integer, primary_key=True, autoincrement=False),
    Column("subject", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("wanted", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("last_seen_at", UtcDateTime, nullable=False),
)
