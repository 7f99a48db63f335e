"""Shared organizations: requests, the audit log, and what somebody has changed by hand since."""

from sqlalchemy import Column, Integer, Table, Text

from sfdc_sync.tables.base import metadata
from supportops.store import UtcDateTime

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
