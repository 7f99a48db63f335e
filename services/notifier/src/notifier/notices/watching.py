"""Looks at the services' side ports every minute, under a lease, and tells operators what is new, in one message."""

from datetime import timedelta
from typing import Any

import httpx
import msgspec
import orjson
from sqlalchemy import select

from notifier.notices.problems import Known, Problem, Seen, news
from notifier.policy.notices import AlertNotice
from notifier.posting.alerts import ALERT
from notifier.posting.prepared import WARNING, Note, schedule_note
from notifier.tables import remembered
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.vendors.http_client import HttpLimits, make_client

EVERY = timedelta(minutes=1)
PATIENCE = HttpLimits(answer=timedelta(seconds=5), connect=timedelta(seconds=2))
log = get_logger("notifier.watching")


class Watching:
    """The job."""

    def __init__(self, store: Store, rule: AlertNotice) -> None:
        self._store, self._rule = store, rule

    async def look(self) -> None:
        """Ask every service; what is new is one note. What was seen and what is told are written together."""
        seen = {service: await _ask(address) for service, address in self._rule.watch.items()}
        async with self._store.transaction() as tx:
            told: list[Problem] = []
            for service, answer in seen.items():
                known = await _known(tx, service)
                told += news(service, answer, known, tx.now, self._rule.repeat_after)
                await _remember(tx, service, known)
            if told:
                lines = [[problem.words, problem.remedy] for problem in told]
                note = Note(ALERT, "operators", data={"lines": lines})
                key = f"{self._rule.channel}:{ALERT}:look:{tx.now.isoformat()}"
                schedule_note(tx, note, channel=self._rule.channel, key=key, priority=WARNING)


async def _ask(address: str) -> Seen:
    async with make_client(address.rstrip("/"), patience=PATIENCE) as http:
        ready = await _get(http, "/readyz")
        metrics = await _get(http, "/metrics") if ready is not None else None
    try:
        document: Any = orjson.loads(ready.content) if ready is not None else None
    except orjson.JSONDecodeError:
        document = None
    return Seen(document if isinstance(document, dict) else None, metrics.text if metrics else None)


async def _get(http: httpx.AsyncClient, path: str) -> httpx.Response | None:
    try:
        return await http.get(path)
    except httpx.HTTPError as error:
        log.info("side_port.silent", path=path, error=type(error).__name__)
        return None


async def _known(tx: Transaction, service: str) -> Known:
    query = select(remembered.c.value).where(remembered.c.name == f"problems:{service}")
    row = (await tx.read(query)).first()
    return msgspec.json.decode(row.value, type=Known) if row is not None else Known()


async def _remember(tx: Transaction, service: str, known: Known) -> None:
    rows = await tx.load(remembered, [f"problems:{service}"])
    rows.put(f"problems:{service}", value=msgspec.json.encode(known).decode(), changed_at=tx.now)
