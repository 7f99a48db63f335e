"""Alembic's entry point for the history of sfdc-sync."""

from sfdc_sync.tables import metadata
from supportops.store.migrate import run_environment

run_environment(metadata)
