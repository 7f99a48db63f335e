"""Alembic's entry for csat's history."""

from csat.tables import metadata
from supportops.store.migrate import run_environment

run_environment(metadata)
