"""Audits read from the stand-in over real HTTP: tags of birth, merges, follow-ups."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import Zendesk, merged_at, open_zendesk, tag_history
from tests.support.sandbox import SandboxProcess, zendesk_settings

TAG = "close_by_merge"


@pytest.fixture
async def zendesk(sandbox: SandboxProcess) -> AsyncIterator[Zendesk]:
    settings = zendesk_settings(sandbox.url)
    async with open_zendesk(
        settings, ["read", "tickets:write"], clock=SystemClock(), metrics=Metrics()
    ) as client:
        yield client


def _new(sandbox: SandboxProcess, **values: Any) -> str:
    return str(sandbox.post("zendesk/tickets", subject="Help", **values)["ticket"]["id"])


def _act(sandbox: SandboxProcess, ticket_id: str, what: str, **values: Any) -> None:
    sandbox.post(f"zendesk/tickets/{ticket_id}/{what}", **values)


async def test_tags_of_birth_are_told_from_later_ones(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox, tags=["vip", "old"])
    _act(sandbox, ticket_id, "tags", tags={"add": ["late"], "remove": ["old"]})
    await zendesk.add_tags(ticket_id, ["ours"])
    history = tag_history(await zendesk.audits(ticket_id))
    assert history.born_with == {"vip", "old"}
    assert history.added_later == {"late", "ours"}


async def test_a_merged_ticket_and_its_target(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    source, target = _new(sandbox), _new(sandbox)
    _act(sandbox, source, "merge", into=target)
    assert merged_at(await zendesk.audits(source), TAG) is not None
    assert merged_at(await zendesk.audits(source), "another_tag") is not None
    assert merged_at(await zendesk.audits(target), TAG) is None
    assert [each.rel for each in await zendesk.audits(target)] == [None, "merge"]


async def test_a_follow_up_inherits_tags_and_not_the_merge(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    source, target = _new(sandbox, tags=["vip"]), _new(sandbox)
    _act(sandbox, source, "merge", into=target)
    child = _new(sandbox, via_followup_source_id=int(source))
    ticket = await zendesk.ticket(child)
    assert ticket is not None
    assert ticket.is_follow_up
    assert set(ticket.tags) == {"vip", TAG}
    history = await zendesk.audits(child)
    assert tag_history(history).born_with == {"vip", TAG}
    assert merged_at(history, TAG) is None
    _act(sandbox, child, "merge", into=target)
    assert merged_at(await zendesk.audits(child), TAG) is not None


async def test_audits_over_several_pages(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    for number in range(105):
        _act(sandbox, ticket_id, "comments", body=f"no. {number}")
    audits = await zendesk.audits(ticket_id)
    assert len(audits) == 106
    assert (audits[0].events[0].type, audits[-1].events[0].body) == ("Comment", "no. 104")


async def test_audits_of_what_is_gone(zendesk: Zendesk) -> None:
    assert await zendesk.audits("999999999") == []
