"""sfdc-sync's tables, beside the engine's. Importing the package makes `metadata` whole.

Ids of Zendesk are strings of digits, those of Salesforce have 18 characters, moments are aware UTC.
"""

from sfdc_sync.tables.base import engine, metadata
from sfdc_sync.tables.integrity import integrity_findings, integrity_runs
from sfdc_sync.tables.organizations import (
    accounts,
    brake_releases,
    organizations,
    sync_environment,
    sync_rows,
    sync_runs,
)
from sfdc_sync.tables.sharing import sharing_audit, sharing_audit_head, sharing_drift, sharing_requests
from sfdc_sync.tables.tickets import ticket_records, tickets

__all__ = [
    "accounts",
    "brake_releases",
    "engine",
    "integrity_findings",
    "integrity_runs",
    "metadata",
    "organizations",
    "sharing_audit",
    "sharing_audit_head",
    "sharing_drift",
    "sharing_requests",
    "sync_environment",
    "sync_rows",
    "sync_runs",
    "ticket_records",
    "tickets",
]
