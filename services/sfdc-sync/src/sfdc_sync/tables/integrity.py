"""What the integrity reports found, and when."""

from sqlalchemy import Column, Index, Integer, Table, Text

from sfdc_sync.tables.base import metadata
from supportops.store import UtcDateTime

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
