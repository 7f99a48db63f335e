"""Alembic's entry for the notifier's history."""

from notifier.tables import metadata
from supportops.store.migrate import run_environment

run_environment(metadata)
