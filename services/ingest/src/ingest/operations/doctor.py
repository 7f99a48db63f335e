"""`ingest doctor`: the disk that takes webhooks while the database is away, bodies that nobody could read, and what
comes on two roads."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from ingest.policy import DEFAULT_KINDS, IngestPolicy, Kind
from ingest.settings import Settings
from ingest.tables import webhooks
from ingest.webhooks.spool import Spool
from supportops.clock import SystemClock
from supportops.operations.checks import Check, Finding
from supportops.store import open_store

ROOM = 1024**3  # bytes: about half a million webhooks of an ordinary size
LATELY: Final = timedelta(days=1)
TOLD_BY: Final[Mapping[str, Kind]] = {
    "ticket.created": "created",
    "ticket.csat_received": "rated",
    "ticket.csat_requested": "rated",
    "ticket.next_sla_breach_changed": "sla_changed",
    "ticket.sla_policy_changed": "sla_changed",
}
"""What events tell; `ticket.status_changed` tells the other three."""
OF_STATUS: Final[frozenset[Kind]] = frozenset({"solved", "reopened", "closed"})
DISK_REMEDY = "Let INGEST_SPOOL_DIR name a folder on a disk of its own that this user may write."


@asynccontextmanager
async def checks(settings: Settings, policy: IngestPolicy) -> AsyncIterator[Sequence[Check]]:
    """What `ingest doctor` looks at, beside database and broker."""
    folder = settings.ingest.spool_dir

    async def spool() -> Iterable[Finding]:
        return [*_disk(folder), _waiting(folder), damaged(folder)]

    async def parked() -> Iterable[Finding]:
        query = select(func.count()).where(webhooks.c.disposition == "parked")
        async with open_store(settings.database, clock=SystemClock()) as store, store.reading() as conn:
            number = (await conn.execute(query)).scalar_one()
        if not number:
            return [Finding("parked webhooks", "ok", "none")]
        remedy = "Look at `ingest parked list`; after a fix, `ingest parked replay`."
        return [Finding("parked webhooks", "warning", f"{number} could not be read", remedy)]

    async def roads() -> Iterable[Finding]:
        clock = SystemClock()
        lately = webhooks.c.received_at >= clock.now() - LATELY
        query = select(webhooks.c.kind).distinct().where(webhooks.c.disposition == "published", lately)
        async with open_store(settings.database, clock=clock) as store, store.reading() as conn:
            kinds = (await conn.execute(query)).scalars().all()
        return [told_twice(kinds, {**DEFAULT_KINDS, **policy.triggers})]

    database = "See the check `database`."
    yield [
        Check("spool", spool, DISK_REMEDY),
        Check("parked webhooks", parked, database),
        Check("roads", roads, database),
    ]


def told_twice(kinds: Iterable[str], triggers: Mapping[str, Kind]) -> Finding:
    """Whether triggers tell what events tell as well: kinds of webhooks, and what the triggers' names mean. Pure."""
    seen = set(kinds)
    native = {TOLD_BY[kind] for kind in seen & TOLD_BY.keys()}
    native |= OF_STATUS if "ticket.status_changed" in seen else set()
    named = {kind.removeprefix("trigger:") for kind in seen if kind.startswith("trigger:")}
    twice = sorted(name for name in named if triggers.get(name, "updated") in native)
    if not twice:
        return Finding("roads", "ok", "nothing comes on two roads")
    remedy = (
        "Deactivate these triggers' webhook actions: events tell the same, sooner and each by its own id."
    )
    return Finding("roads", "warning", f"events tell it, and triggers too: {', '.join(twice)}", remedy)


def _disk(folder: Path) -> Sequence[Finding]:
    """Whether it can be written and synced, and how much room there is. Leaves nothing behind."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"doctor")
        file.flush()
        os.fsync(file.fileno())
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        return [Finding("spool", "warning", f"{free >> 20} MiB are free below {folder}", DISK_REMEDY)]
    return [Finding("spool", "ok", f"{free >> 30} GiB are free below {folder}")]


def _waiting(folder: Path) -> Finding:
    if not Spool(folder).waiting():
        return Finding("spooled webhooks", "ok", "none waits")
    remedy = "A running `ingest serve` drains them as soon as the database answers."
    return Finding("spooled webhooks", "warning", f"some wait in {folder}", remedy)


def damaged(folder: Path) -> Finding:
    """Segments set aside because some of their bytes could not be read."""
    aside = Spool(folder).aside()
    if not aside:
        return Finding("spool damage", "ok", "none")
    remedy = (
        "See `ingest spool list`; what is missing Zendesk's list of invocations shows. Then delete the files."
    )
    return Finding("spool damage", "warning", ", ".join(path.name for path in aside), remedy)
