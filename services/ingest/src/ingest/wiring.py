"""The one place that knows every concrete class of ingest."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest import settings as s
from ingest.tables import webhooks
from ingest.webhooks.endpoint import Hook, create_app
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import Account
from ingest.webhooks.spool import Spool
from supportops.clock import SystemClock
from supportops.config import rules_file
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts, open_parts, run_process
from supportops.runtime.supervisor import CLEAN, Component
from supportops.store import Store, migrate, open_store
from supportops.workers import Relay, Retention, engine_retention, janitor


async def serve(settings: s.Settings) -> int:
    """The hook with its intake, the relay and the janitor, until the process is told to stop."""
    rules = rules_file.load(settings.config.file, "ingest", s.IngestRules)
    async with open_parts(settings) as parts:
        _collect_garbage_seldom()
        return await run_process(settings, parts, *components(settings, rules, parts))


def _collect_garbage_seldom() -> None:
    """A webhook makes a hundred short-lived objects and no cycles: looking for them costs a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def components(settings: s.Settings, rules: s.IngestRules, parts: Parts) -> tuple[Component, ...]:
    """What runs in one process of ingest."""
    own = settings.ingest
    intake = Intake(parts.store, Spool(own.spool_dir), s.account_of(own, rules), parts.metrics)
    hook = Hook(intake, own.webhook_secrets, own.freshness, parts.clock, parts.metrics)
    app = create_app(parts.store, intake, hook, own.operator_token)
    kept = Retention(webhooks, webhooks.c.received_at, rules.keep_webhooks)
    return (
        HttpServer(app, settings.http.host, settings.http.port),
        intake,
        Relay(parts.broker, parts.store, parts.metrics),
        janitor(parts.store, (kept, *engine_retention()), parts.metrics),
    )


def upgrade(settings: s.Settings) -> int:
    """Bring the database up to date."""
    migrate.upgrade(settings.database.url.get_secret_value(), "ingest")
    return CLEAN


@asynccontextmanager
async def raw_log(settings: s.Settings) -> AsyncIterator[tuple[Store, Account]]:
    """What the commands work on. Events of a replay are published by the relay of a running `serve`."""
    rules = rules_file.load(settings.config.file, "ingest", s.IngestRules)
    async with open_store(settings.database, clock=SystemClock()) as store:
        yield store, s.account_of(settings.ingest, rules)
