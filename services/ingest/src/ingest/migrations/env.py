"""Alembic's entry for ingest's history."""

from ingest.tables import metadata
from supportops.store.migrate import run_environment

run_environment(metadata)
