"""Alembic's entry, as every service has it."""

from supportops.store.migrate import run_environment
from tests.support.engine_app.tables import metadata

run_environment(metadata)
