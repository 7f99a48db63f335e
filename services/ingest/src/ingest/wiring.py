"""The one place that knows every concrete class of ingest."""

import gc

from pydantic import SecretStr

from ingest.operations.counts_page import START, create_app
from ingest.operations.spool import SpoolProbe
from ingest.policy import DEFAULT_KINDS, IngestPolicy
from ingest.settings import IngestSettings, Settings
from ingest.tables import webhooks
from ingest.webhooks.endpoint import WebhookEndpoint
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import Account, Road
from ingest.webhooks.spool import Spool
from supportops.config.rules_file import Section
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts, open_parts, run_process
from supportops.runtime.supervisor import Component
from supportops.web.auth.guard import OperatorAuth
from supportops.web.site import site_of
from supportops.workers import Relay, Retention, engine_retention, janitor

PACKAGE = "ingest"
POLICY = Section("ingest", IngestPolicy)


async def serve(settings: Settings) -> int:
    """HTTP side and workers in one process, until it is told to stop."""
    policy = POLICY.load(settings.config.file)
    async with open_parts(settings, PACKAGE) as parts:
        _collect_garbage_seldom()
        freshness = Freshness(settings.ingest.freshness, parts.clock, parts.metrics)
        spool = Spool(settings.ingest.spool_dir)
        running = (*http_side(settings, policy, parts, freshness, spool), *workers(policy, parts))
        return await run_process(settings, parts, *running, probes=(freshness, SpoolProbe(spool)))


def _collect_garbage_seldom() -> None:
    """A webhook makes a hundred short-lived objects and no cycles: looking for them costs a fifth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def http_side(
    settings: Settings, policy: IngestPolicy, parts: Parts, freshness: Freshness, spool: Spool
) -> tuple[Component, ...]:
    """The webhook endpoint with the operators' pages behind it, and the intake that drains the spool."""
    own = settings.ingest
    intake = Intake(parts.store, spool, account_of(own, policy), parts.metrics)
    endpoint = WebhookEndpoint(intake, secrets_of(own), freshness, parts.clock, parts.metrics)
    site = site_of(settings.operators, "ingest", START)
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics, own.operator_token)
    app = create_app(parts.store, intake, endpoint, auth, settings.http)
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics), intake


def workers(policy: IngestPolicy, parts: Parts) -> tuple[Component, ...]:
    """What publishes, and what tidies up."""
    kept = Retention(webhooks, webhooks.c.received_at, policy.keep_webhooks)
    return (
        Relay(parts.broker, parts.store, parts.metrics),
        janitor(parts.store, (kept, *engine_retention()), parts.metrics),
    )


def secrets_of(settings: IngestSettings) -> dict[Road, tuple[SecretStr, ...]]:
    """Who may sign on which road."""
    return {
        "native": settings.webhook_secrets,
        "trigger": settings.trigger_secrets or settings.webhook_secrets,
    }


def account_of(settings: IngestSettings, policy: IngestPolicy) -> Account:
    """What the parser must know about our account."""
    return Account(
        settings.account_id,
        frozenset(settings.integration_user_ids),
        {**DEFAULT_KINDS, **policy.triggers},
        policy.keep_webhooks,
    )
