"""Row "Salesforce calls per 1,000 ticket records under backlog"."""

import asyncio
import uuid
from typing import Any

from bench.figures import Figure
from bench.hooks import flat_out, request
from bench.servers import Servers
from sandbox.demo import reaper
from tests.chaos.rules import rules
from tests.support.eventually import eventually_now
from tests.support.system import Plan, System, postgres_databases, running
from tests.support.zendesk_bodies import as_bytes, native

TICKETS = 1000


def measure(servers: Servers) -> list[Figure]:
    """Let 1,000 tickets be created while the worker is down; start it; count its calls."""
    home = reaper.temporary_folder("supportops-bench-")
    databases = postgres_databases(servers.postgres, f"bench_{uuid.uuid4().hex[:8]}")
    plan = Plan(servers.kafka, databases, home, rules(), {"sfdc_sync": 1})
    with running(plan) as system:
        calls = count_calls(system)
    return [Figure("Salesforce calls per 1,000 ticket records", calls, "calls", "<= 10", calls <= 10)]


def created(number: int) -> dict[str, Any]:
    """A ticket that was just created."""
    return native("ticket.created", detail={"id": str(number)})


def count_calls(system: System) -> int:
    """Calls of the records' destination to Salesforce, logins included."""
    system.children["sfdc_sync-1"].stop()
    url = f"{system.url('ingest')}/webhooks/zendesk"
    base = 5_000_000
    made = [request(url, as_bytes(created(base + n))) for n in range(TICKETS)]
    asyncio.run(flat_out(url, made))
    before = system.get("/control/summary")["salesforce_requests"]
    system.children["sfdc_sync-1"].start_only()
    eventually_now(
        lambda: system.get("/control/summary")["salesforce_records"]["Zendesk_Ticket__c"] >= TICKETS,
        within=120,
        every=0.5,
        about="all records are written",
    )
    return int(system.get("/control/summary")["salesforce_requests"] - before)
