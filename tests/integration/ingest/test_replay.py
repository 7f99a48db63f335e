"""Parked and ignored bodies are read again after a fix; one group takes handled ones anew."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ingest.__main__ import app
from ingest.webhooks import repository
from ingest.webhooks.parse import Account
from ingest.webhooks.repository import Replay, Replayed, WebhookFilter
from supportops.contracts import TicketUpdated
from tests.integration.ingest.app import TRIGGERS, Ingest, running
from tests.support import zendesk_bodies as z
from tests.support.commands import run_command
from tests.support.databases import on_the_side

SOLVED = {"current": "SOLVED", "previous": "OPEN"}


async def test_parked_and_ignored_bodies_are_published_once_they_can_be_read(ingest: Ingest) -> None:
    foreign = z.native("ticket.undeleted", account_id=777)
    await ingest.send(foreign)
    await ingest.post(b"garbage")
    await ingest.post(z.sample("user.created"))
    fixed = replace(ingest.account, id="777")
    parked = WebhookFilter(disposition="parked")
    would = await repository.replay(ingest.store, fixed, parked, Replay(dry_run=True))
    assert await ingest.promised() == []
    done = await repository.replay(ingest.store, fixed, parked)
    assert would == done
    assert done == Replayed(webhooks=2, events=1, still_parked=1)
    (event,) = await ingest.promised()
    assert event.id == foreign["id"], "its own id: nobody has seen it"
    kinds = {row["kind"]: row["disposition"] for row in await ingest.rows()}
    assert kinds == {"ticket.undeleted": "published", "unknown": "parked", "user.created": "ignored"}
    again = await repository.replay(ingest.store, fixed, WebhookFilter(disposition="parked"))
    assert again == Replayed(webhooks=1, still_parked=1)


@pytest.mark.both_databases
async def test_published_bodies_stay_unless_a_group_asks(ingest: Ingest) -> None:
    body = z.native("ticket.status_changed", SOLVED)
    await ingest.send(body)
    everything = WebhookFilter(ticket_id="5158")
    assert await repository.replay(ingest.store, ingest.account, everything) == Replayed()
    assert await repository.replay(ingest.store, ingest.account, everything, Replay("csat")) == Replayed(1, 1)
    assert await repository.replay(ingest.store, ingest.account, everything, Replay("csat")) == Replayed(1, 1)
    original, first, second = await ingest.promised()
    assert (original.id, original.reprocess) == (body["id"], None)
    assert (first.reprocess, first.correlation_id) == ("csat", body["id"])
    assert len({original.id, first.id, second.id}) == 3, "the group's inbox must not know it"
    assert first.id.startswith(f"{body['id']}/reprocess/")
    assert first.model_dump(exclude={"id", "reprocess", "correlation_id"}) == original.model_dump(
        exclude={"id", "reprocess", "correlation_id"}
    )


async def test_a_parked_body_that_one_group_has_taken_is_still_to_come_for_the_others(
    ingest: Ingest,
) -> None:
    body = z.native("ticket.undeleted", account_id=777)
    await ingest.send(body)
    fixed, parked = replace(ingest.account, id="777"), WebhookFilter(disposition="parked")
    assert await repository.replay(ingest.store, fixed, parked, Replay("csat")) == Replayed(1, 1)
    assert await repository.replay(ingest.store, fixed, parked) == Replayed(1, 1)
    only, everybody = await ingest.promised()
    assert (only.reprocess, everybody.reprocess, everybody.id) == ("csat", None, body["id"])


async def test_a_replay_is_narrowed_and_paged(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "PAGE", 3)
    for number in range(1, 11):
        await ingest.send(z.native("ticket.undeleted", detail={"id": str(number)}))
    rows = await ingest.rows()
    since, until = rows[2]["received_at"], rows[8]["received_at"]
    done = await repository.replay(
        ingest.store, ingest.account, WebhookFilter(since=since, until=until), Replay("notifier")
    )
    assert done == Replayed(webhooks=6, events=6)
    replayed = [event.subject for event in await ingest.promised() if event.reprocess]
    assert replayed == [row["ticket_id"] for row in rows[2:8]]


async def test_today_s_rules_read_yesterday_s_trigger(ingest: Ingest) -> None:
    await ingest.send(z.TRIGGER | {"trigger": "escalated"}, TRIGGERS)
    (event,) = await ingest.promised()
    assert isinstance(event, TicketUpdated)
    renamed = Account(ingest.account.id, trigger_kinds={"escalated": "sla_changed"})
    await repository.replay(ingest.store, renamed, WebhookFilter(ticket_id="35436"), Replay("notifier"))
    assert [event.type for event in await ingest.promised()] == [
        "support.ticket.updated.v1",
        "support.ticket.sla_changed.v1",
    ]


def environment_of(url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "INGEST_ACCOUNT_ID": z.ACCOUNT,
        "INGEST_WEBHOOK_SECRETS": z.SECRET,
        "CONFIG_FILE": os.path.abspath("config/supportops.yaml"),
    }


def ingest_command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_command("ingest", *arguments, environment=environment_of(url))


def said(url: str, *arguments: str) -> Any:
    done = ingest_command(url, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_the_commands(new_database: Callable[[str], str], tmp_path: Path) -> None:
    url = new_database("")
    assert on_the_side(lambda: ingest_command(url, "migrate")).returncode == 0
    async with running(url, tmp_path) as ingest:
        await ingest.send(z.native("ticket.status_changed", SOLVED))
        await ingest.post(b"gar\x00bage")
    commands = on_the_side(lambda: _all_commands(url))
    counts, (parked,), shown, replayed = commands
    assert counts == [
        {"disposition": "parked", "kind": "unknown", "webhooks": 1},
        {"disposition": "published", "kind": "ticket.status_changed", "webhooks": 1},
    ]
    assert (parked["reason"], parked["bytes"]) == ("not JSON", 8)
    assert shown["body"] == "gar\x00bage"
    assert replayed == {"webhooks": 1, "events": 1, "still_ignored": 0, "still_parked": 0}


def _all_commands(url: str) -> tuple[Any, Any, Any, Any]:
    parked = said(url, "parked", "list")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    return (
        said(url, "counts"),
        parked,
        said(url, "parked", "show", parked[0]["key"]),
        said(url, "replay", "--until", tomorrow, "--ticket", "5158", "--reprocess", "csat"),
    )


MISTAKES = [
    (("replay",), 2, "say which webhooks"),
    (("replay", "--ticket", "1", "--reprocess", "nobody"), 2, "unknown group"),
    (("replay", "--disposition", "lost"), 2, "unknown disposition"),
    (("replay", "--disposition", "published"), 2, "--reprocess"),
    (("parked", "show", "nothing"), 1, "there is no webhook"),
    (("--help",), 0, "Usage"),
    (("parked", "--help"), 0, "replay"),
    (("replay", "--help"), 0, "GROUP"),
]


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_mistakes_are_explained(new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(new_database("ingest")).items():
        monkeypatch.setenv(name, value)
    for arguments, status, words in MISTAKES:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == status, arguments
        assert words in " ".join(done.output.split()), arguments
