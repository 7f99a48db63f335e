"""The way into Zendesk against the stand-in, over real HTTP: tokens that end, are revoked, refused, late."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from supportops.clock import SystemClock
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import NewComment, Zendesk, open_zendesk
from supportops.vendors.zendesk.grant import AWAY_WAIT
from tests.support.forks import ForkedChild
from tests.support.processes import python_module
from tests.support.sandbox import ZENDESK_CLIENT, SandboxProcess, zendesk_settings

SCOPES = ("read", "tickets:write")


@pytest.fixture
async def zendesk(sandbox: SandboxProcess) -> AsyncIterator[Zendesk]:
    async with open_zendesk(
        zendesk_settings(sandbox.url), SCOPES, clock=SystemClock(), metrics=Metrics()
    ) as client:
        yield client


def _new(sandbox: SandboxProcess, comments: int = 0) -> str:
    ticket_id = str(sandbox.post("zendesk/tickets", subject="Help")["ticket"]["id"])
    for number in range(comments):
        sandbox.post(f"zendesk/tickets/{ticket_id}/comments", body=f"no. {number}", public=True)
    return ticket_id


def _granted(sandbox: SandboxProcess) -> int:
    return int(sandbox.get("zendesk/oauth")["granted"])


async def test_one_token_for_many_calls_at_once(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id, before = _new(sandbox), _granted(sandbox)
    found = await asyncio.gather(*(zendesk.ticket(ticket_id) for _ in range(30)))
    assert all(ticket is not None and ticket.id == ticket_id for ticket in found)
    assert _granted(sandbox) == before + 1


async def test_a_token_revoked_in_the_middle_of_a_list_is_replaced(
    sandbox: SandboxProcess, zendesk: Zendesk
) -> None:
    ticket_id = _new(sandbox, comments=150)
    before = _granted(sandbox)
    sandbox.post("zendesk/oauth", calls=1)  # whatever is said: the second page meets a dead token
    comments = await zendesk.latest_comments(ticket_id, limit=150)
    assert [comment.body for comment in comments] == [f"no. {number}" for number in range(149, -1, -1)]
    assert _granted(sandbox) == before + 2
    sandbox.post("zendesk/oauth", calls=None)
    sandbox.post("zendesk/oauth/revoke")
    assert len(await zendesk.latest_comments(ticket_id, limit=150)) == 150


async def test_a_write_with_a_revoked_token_happens_once(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    ticket = await zendesk.ticket(ticket_id)
    assert ticket is not None
    sandbox.post("zendesk/oauth/revoke")
    comment = NewComment(body="How was it?", public=True)
    await zendesk.update_ticket(ticket_id, updated_stamp=ticket.updated_at, comment=comment)
    bodies = [each.body for each in await zendesk.latest_comments(ticket_id)]
    assert bodies.count("How was it?") == 1


async def test_a_wrong_secret_pauses_with_the_remedy_and_is_not_asked_again(sandbox: SandboxProcess) -> None:
    wrong = zendesk_settings(sandbox.url, client_secret="not-the-secret-of-it")
    before = _granted(sandbox)
    async with open_zendesk(wrong, SCOPES, clock=SystemClock(), metrics=Metrics()) as zendesk:
        for _ in range(3):
            with pytest.raises(DestinationPaused, match="ZENDESK_CLIENT_SECRET") as caught:
                await zendesk.ticket("1")
            assert "not-the-secret" not in str(caught.value)
    assert _granted(sandbox) == before


async def test_a_scope_that_is_missing_pauses_and_is_named(sandbox: SandboxProcess) -> None:
    ticket_id = _new(sandbox)
    account = zendesk_settings(sandbox.url)
    async with open_zendesk(account, ["tickets:read"], clock=SystemClock(), metrics=Metrics()) as zendesk:
        assert await zendesk.ticket(ticket_id) is not None
        with pytest.raises(DestinationPaused, match=r"403 .*tickets:write"):
            await zendesk.add_tags(ticket_id, ["surveyed"])
        with pytest.raises(DestinationPaused, match=r"403 .*scopes: read"):
            await zendesk.groups()


async def test_an_unknown_scope_is_refused_at_the_grant(sandbox: SandboxProcess) -> None:
    account = zendesk_settings(sandbox.url)
    async with open_zendesk(account, ["everything"], clock=SystemClock(), metrics=Metrics()) as zendesk:
        with pytest.raises(DestinationPaused, match=r"invalid_scope.*everything"):
            await zendesk.ticket("1")


FAULTS: dict[str, dict[str, Any]] = {
    "connection lost": {"kind": "drop"},
    "5xx with HTML": {"kind": "error", "status": 502},
    "garbage": {"kind": "error", "status": 200},
    "too many": {"kind": "429", "retry_after": 7},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_an_endpoint_with_a_bad_day_uses_up_no_attempt(
    sandbox: SandboxProcess, zendesk: Zendesk, fault: dict[str, Any]
) -> None:
    sandbox.post("faults", service="zendesk", path="oauth/tokens", count=1, **fault)
    with pytest.raises(DestinationPaused, match="asked again") as caught:
        await zendesk.ticket(_new(sandbox))
    assert caught.value.after is not None
    assert caught.value.after.total_seconds() == (7 if "retry_after" in fault else AWAY_WAIT.total_seconds())


async def test_a_late_answer_keeps_only_those_waiting_who_have_no_token(
    sandbox: SandboxProcess, zendesk: Zendesk
) -> None:
    ticket_id = _new(sandbox)
    sandbox.post("faults", service="zendesk", path="oauth/tokens", count=1, kind="slow", delay=0.5)
    found = await asyncio.gather(*(zendesk.ticket(ticket_id) for _ in range(5)))
    assert all(ticket is not None for ticket in found)


@pytest.mark.parametrize("says", ["missing", "soon", -5])
async def test_an_end_that_is_not_said_or_unreadable_is_no_trouble(
    sandbox: SandboxProcess, zendesk: Zendesk, says: object
) -> None:
    sandbox.post("zendesk/oauth", says=says)
    before = _granted(sandbox)
    ticket_id = _new(sandbox)
    assert await zendesk.ticket(ticket_id) is not None
    assert await zendesk.ticket(ticket_id) is not None
    assert _granted(sandbox) == before + 1


async def test_two_processes_do_not_take_each_others_token(
    sandbox: SandboxProcess, zendesk: Zendesk, tmp_path: Path
) -> None:
    ticket_id, before = _new(sandbox), _granted(sandbox)
    environment = {"ZENDESK_BASE_URL": f"{sandbox.url}/zendesk", **ZENDESK_CLIENT}
    command = python_module("tests.contract.supportops.reading_program", ticket_id)
    others = [
        ForkedChild(command, log=tmp_path / f"{number}", environment=environment) for number in range(2)
    ]
    for other in others:
        other.start()
    for _ in range(20):
        assert await zendesk.ticket(ticket_id) is not None
    for other in others:
        assert await asyncio.to_thread(other.ended, within=30) == 0, other.tail()
    assert _granted(sandbox) == before + 3


async def test_were_a_new_token_to_end_the_older_ones_the_calls_would_still_go_through(
    sandbox: SandboxProcess, zendesk: Zendesk
) -> None:
    """Nobody promises that tokens of one client live side by side; each loss costs one renewal."""
    ticket_id = _new(sandbox)
    sandbox.post("zendesk/oauth", one_at_a_time=True)
    account = zendesk_settings(sandbox.url)
    async with open_zendesk(account, SCOPES, clock=SystemClock(), metrics=Metrics()) as other:
        for _ in range(3):
            assert await zendesk.ticket(ticket_id) is not None
            assert await other.ticket(ticket_id) is not None
