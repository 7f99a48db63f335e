"""Measured process: a courier that posts breach notices, decided from readings of the last minutes.

Arguments: DATABASE SANDBOX COUNT SECONDS. Prints how late the posts were, in seconds.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from bench.figures import percentile
from notifier import tables, wiring
from notifier.breaches.arming import NoticeState
from notifier.breaches.post import BreachNotices
from notifier.breaches.targets import Reading, Target, target_key
from notifier.destinations import BREACH_NOTICES
from notifier.policy.breaches import BreachPolicy
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import SlackSettings
from notifier.slack.client import open_slack
from notifier.slack.sender import Sender
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, LogSettings
from supportops.delivery import Courier
from supportops.observability.logging import configure
from supportops.observability.metrics import Metrics
from supportops.runtime.supervisor import run
from supportops.store import Store, open_store
from supportops.store.engine import async_url
from supportops.vendors.zendesk import References, open_zendesk
from tests.support.sandbox import zendesk_settings

CHANNELS = 200
LEAD = timedelta(hours=2)
RULES = [
    {
        "name": f"rule {number}",
        "channel": f"C0B{number:03}",
        "title": "Notice",
        "tags": {"any": [f"team{number}"]},
    }
    for number in range(CHANNELS)
]
POLICY = NotifierPolicy(
    channel_pace=None,
    breaches=BreachPolicy.model_validate({"rules": RULES, "posts_per_minute": None, "fresh_for": "1h"}),
)


async def main(url: str, sandbox: str, count: str, seconds: str) -> int:
    """Arm `count` notices over `seconds` and deliver them."""
    await wiring_tables(url)
    clock, metrics = SystemClock(), Metrics()
    async with (
        open_store(DatabaseSettings(url=SecretStr(url)), clock=clock) as store,
        open_zendesk(zendesk_settings(sandbox), ["read"], clock=clock, metrics=metrics) as zendesk,
        open_slack(slack_settings(sandbox), clock=clock, metrics=metrics) as slack,
    ):
        references = References(zendesk, clock=clock, metrics=metrics)
        vendors = wiring.Vendors(zendesk, references, slack, store, metrics, "https://a.zendesk.com")
        context = wiring.breach_context(vendors, POLICY)
        notices = BreachNotices(context, Sender(slack, store))
        await arm(store, int(count), datetime.now(UTC) + timedelta(seconds=40), float(seconds))
        stopping = asyncio.Event()
        courier = asyncio.create_task(Courier(store, [notices], metrics).run(stopping))
        late = await all_late(store, int(count))
        stopping.set()
        await courier
    shares = {f"late_{share}": percentile(late, share) for share in (0.5, 0.99, 1)}
    sys.stdout.write(json.dumps(shares) + "\n")
    return 0


def slack_settings(sandbox: str) -> SlackSettings:
    return SlackSettings(base_url=f"{sandbox}/slack/api", token=SecretStr("xoxb-sandbox"))


async def wiring_tables(url: str) -> None:
    """The notifier's tables in an empty database."""
    engine = create_async_engine(async_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    await engine.dispose()


async def arm(store: Store, count: int, start: datetime, seconds: float) -> None:
    """`count` tickets with a reading each and a notice, evenly spread over time and channels."""
    for first in range(0, count, 500):
        async with store.transaction() as tx:
            tickets: list[dict[str, Any]] = []
            notices: list[dict[str, Any]] = []
            for number in range(first, min(first + 500, count)):
                due = start + timedelta(seconds=seconds * number / count)
                ticket, notice = rows(number, due, tx.now)
                tickets.append(ticket)
                notices.append(notice)
                tx.deliveries.schedule(
                    BREACH_NOTICES,
                    notice["key"],
                    lane=f"C0B{number % CHANNELS:03}",
                    payload={"notice": notice["key"], "ticket_id": ticket["ticket_id"]},
                    due_at=notice["due_at"],
                )
            await tx.execute(tables.breach_tickets.insert(), tickets)
            await tx.execute(tables.breach_notices.insert(), notices)


def rows(number: int, due: datetime, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """A watched ticket and its planned notice; moments of targets are whole seconds, as Zendesk's."""
    breach_at = (due + LEAD).replace(microsecond=0)
    target, rule = Target("first_reply_time", "active", breach_at), number % CHANNELS
    ticket_id = str(100_000 + number)
    reading = Reading(ticket_id, now, "open", (f"team{rule}",), subject=f"Ticket {number}", targets=(target,))
    key = target_key(ticket_id, target)
    ticket: dict[str, Any] = {
        "ticket_id": ticket_id,
        "reading": msgspec.json.encode(reading).decode(),
        "read_at": now,
    }
    ticket |= {"next_breach_at": breach_at, "rule": f"rule {rule}", "open": True, "changed_at": now}
    notice: dict[str, Any] = {
        "key": f"{key}:2h",
        "target": key,
        "ticket_id": ticket_id,
        "metric": target.metric,
        "step": "2h",
    }
    notice |= {"breach_at": breach_at, "due_at": breach_at - LEAD, "armed_at": now, "round": 0}
    notice |= {"state": NoticeState.PLANNED.value, "rule": f"rule {rule}", "rules_version": "bench"}
    return ticket, notice | {"changed_at": now}


async def all_late(store: Store, count: int) -> list[float]:
    """How late each notice was by our own ledger, once all are posted."""
    n = tables.breach_notices
    posted = select(func.count()).where(n.c.state == NoticeState.POSTED.value)
    while True:
        async with store.reading() as conn:
            if (await conn.execute(posted)).scalar_one() == count:
                query = select(n.c.posted_at, n.c.due_at)
                found = (await conn.execute(query)).all()
                return [(row.posted_at - row.due_at).total_seconds() for row in found]
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    configure(LogSettings(), service="bench", secrets=())
    run(main(*sys.argv[1:5]))
