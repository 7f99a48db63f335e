"""What ingest says when the same thing happens to hundreds of webhooks: one line, never one for each."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ingest.webhooks import parse
from ingest.webhooks.intake import Intake, NotKept
from ingest.webhooks.parse import PATHS, Account
from ingest.webhooks.repository import PATH, SignedRequest
from ingest.webhooks.spool import Spool
from supportops.observability.metrics import Metrics
from tests.support import zendesk_bodies as z

MANY = 60
NOW = datetime(2025, 1, 8, 17, 0, tzinfo=UTC)
NATIVE = next(path for path, road in PATHS.items() if road == "native")


class Rows:
    """A database that keeps everything, or fails as it is told."""

    def __init__(self, error: Callable[[Mapping[str, Any]], Exception | None]) -> None:
        self._error = error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        yield self

    async def keep(self, _count: object, rows: Mapping[str, Any], _events: object) -> set[str]:
        if error := self._error(rows):
            raise error
        return set(rows)


def body(number: int) -> bytes:
    return z.as_bytes(z.native("ticket.comment_added", detail={"id": str(number + 1)}))  # parked: no comment


async def said_of_many(rows: Rows, folder: Path) -> Counter[str]:
    """Events in the log, counted, after MANY webhooks came one after the other."""
    intake = Intake(rows, Spool(folder), Account(z.ACCOUNT), Metrics())
    with capture_logs() as lines:
        for number in range(MANY):
            received = SignedRequest(NOW, {PATH: NATIVE}, body(number))
            await asyncio.gather(intake.accept(received), return_exceptions=True)
    return Counter(line["event"] for line in lines)


async def test_webhooks_that_nobody_can_read(tmp_path: Path) -> None:
    assert await said_of_many(Rows(lambda _rows: None), tmp_path) == {"webhook.parked": 1}


async def test_webhooks_that_the_database_refuses(tmp_path: Path) -> None:
    def refuse(rows: Mapping[str, Any]) -> Exception | None:
        return None if all(row["reason"].startswith("could not") for row in rows.values()) else KeyError("x")

    said = await said_of_many(Rows(refuse), tmp_path)
    assert said == {"webhook.unstorable": 1, "webhook.parked": 1}


async def test_a_reader_of_ours_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise KeyError("a bug of ours")

    monkeypatch.setattr(parse, "read", fail)
    said = await said_of_many(Rows(lambda _rows: None), tmp_path)
    assert said == {"webhook.unreadable": 1, "webhook.parked": 1}


async def test_neither_database_nor_disk(tmp_path: Path) -> None:
    folder = tmp_path / "not-a-folder"
    folder.write_text("")
    rows = Rows(lambda _rows: ConnectionRefusedError())
    assert await said_of_many(rows, folder) == {"intake.database_away": 1, "spool.failed": 1}
    with pytest.raises(NotKept):
        await Intake(rows, Spool(folder), Account(z.ACCOUNT), Metrics()).accept(
            SignedRequest(NOW, {PATH: NATIVE}, body(0))
        )
