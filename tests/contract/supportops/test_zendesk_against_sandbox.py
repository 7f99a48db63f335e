"""The Zendesk client against the stand-in, over real HTTP: the calls of the road and the bad days."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any

import pytest

from supportops.clock import SystemClock
from supportops.config import ZendeskSettings
from supportops.errors import Conflict, DestinationPaused, NotFound, Retryable, UnknownOutcome
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import NewComment, References, Refused, Ticket, Zendesk, open_zendesk
from tests.support.sandbox import INTEGRATION_LOGIN, SandboxProcess, zendesk_settings

SCOPES = ("read", "tickets:write")


def _with_token(sandbox: SandboxProcess, token: str) -> ZendeskSettings:
    """The API token of before 30 April 2027."""
    login = {"client_id": None, "client_secret": None, "email": "ops@example.com", "token": token}
    return zendesk_settings(sandbox.url, **login)


@pytest.fixture
async def zendesk(sandbox: SandboxProcess) -> AsyncIterator[Zendesk]:
    account = zendesk_settings(sandbox.url)
    async with open_zendesk(account, SCOPES, clock=SystemClock(), metrics=Metrics()) as client:
        await client.groups()  # it has its token: the faults of the tests are for their calls
        yield client


def _new(sandbox: SandboxProcess, **values: Any) -> str:
    made = sandbox.post("zendesk/tickets", subject="Help", **values)
    return str(made["ticket"]["id"])


async def _read(zendesk: Zendesk, ticket_id: str) -> Ticket:
    ticket = await zendesk.ticket(ticket_id)
    assert ticket is not None
    return ticket


async def test_a_solved_ticket_tells_when(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    assert (await _read(zendesk, ticket_id)).solved_at is None
    sandbox.post(f"zendesk/tickets/{ticket_id}/solve")
    solved = await _read(zendesk, ticket_id)
    assert solved.status == "solved"
    assert solved.id == ticket_id
    assert solved.solved_at is not None
    assert solved.solved_at.tzinfo is UTC
    assert abs(solved.solved_at - solved.updated_at) <= timedelta(seconds=1)


async def test_what_is_deleted_or_never_was_is_none(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    sandbox.post(f"zendesk/tickets/{ticket_id}/delete")
    assert await zendesk.ticket(ticket_id) is None
    assert await zendesk.ticket("999999999") is None
    assert await zendesk.latest_comments(ticket_id) == []
    assert await zendesk.tickets([ticket_id, "999999999"]) == {}


async def test_comments_newest_first_over_several_pages(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    for number in range(120):
        sandbox.post(f"zendesk/tickets/{ticket_id}/comments", body=f"no. {number}", public=number % 2 == 0)
    comments = await zendesk.latest_comments(ticket_id, limit=110)
    assert [each.body for each in comments[:2]] == ["no. 119", "no. 118"]
    assert [each.public for each in comments[:2]] == [False, True]
    assert len({each.id for each in comments}) == 110


async def test_a_survey_and_its_tag(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox, tags=["enterprise"])
    sandbox.post(f"zendesk/tickets/{ticket_id}/solve")
    ticket = await _read(zendesk, ticket_id)
    comment = NewComment("How did we do? https://csat.example/s/abc", public=True)
    await zendesk.update_ticket(ticket_id, updated_stamp=ticket.updated_at, comment=comment)
    await zendesk.add_tags(ticket_id, ["csat_survey_sent"])
    written = await _read(zendesk, ticket_id)
    assert written.status == "solved"
    assert set(written.tags) >= {"enterprise", "csat_survey_sent"}
    latest = (await zendesk.latest_comments(ticket_id))[0]
    assert (latest.body, latest.public) == (comment.body, True)


async def test_a_ticket_that_moved_on_is_a_conflict(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    stale = (await _read(zendesk, ticket_id)).updated_at - timedelta(seconds=5)
    with pytest.raises(Conflict):
        await zendesk.update_ticket(ticket_id, updated_stamp=stale, comment=NewComment("late", public=False))
    with pytest.raises(Conflict):
        await zendesk.add_tags(ticket_id, ["late"], updated_stamp=stale)
    assert len(await zendesk.latest_comments(ticket_id)) == 1


async def test_a_closed_ticket_refuses(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    sandbox.post(f"zendesk/tickets/{ticket_id}/solve")
    sandbox.post(f"zendesk/tickets/{ticket_id}/close")
    stamp = (await _read(zendesk, ticket_id)).updated_at
    with pytest.raises(Refused) as caught:
        await zendesk.update_ticket(ticket_id, updated_stamp=stamp, comment=NewComment("x", public=True))
    assert caught.value.closed


async def test_a_write_to_what_is_gone(zendesk: Zendesk) -> None:
    with pytest.raises(NotFound):
        await zendesk.add_tags("999999999", ["x"])


async def test_organizations_users_forms_and_groups(zendesk: Zendesk) -> None:
    references = References(zendesk, clock=SystemClock(), metrics=Metrics())
    organization = await references.organizations.get("8447346622462")
    agent = await references.users.get("8447388090494")
    form = await references.forms.get("8646151517822")
    group = await references.groups.get("8447320466430")
    assert organization is not None
    assert agent is not None
    assert form is not None
    assert group is not None
    assert (organization.name, agent.suspended, form.name, group.name) == (
        "Groablet Enterprises",
        False,
        "Self-Managed",
        "Support",
    )
    assert await references.users.get("1") is None


async def test_a_drop_after_the_write_may_have_happened_and_did(
    sandbox: SandboxProcess, zendesk: Zendesk
) -> None:
    ticket_id = _new(sandbox)
    stamp = (await _read(zendesk, ticket_id)).updated_at
    sandbox.post("faults", kind="drop_after_commit", service="zendesk", method="PUT", count=1)
    with pytest.raises(UnknownOutcome):
        await zendesk.update_ticket(ticket_id, updated_stamp=stamp, comment=NewComment("once", public=True))
    assert [each.body for each in await zendesk.latest_comments(ticket_id)].count("once") == 1


async def test_an_outage_in_html(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    sandbox.post("faults", kind="error", service="zendesk", status=503, count=2)
    with pytest.raises(Retryable) as read:
        await zendesk.ticket(ticket_id)
    assert type(read.value) is Retryable
    with pytest.raises(UnknownOutcome):
        await zendesk.add_tags(ticket_id, ["x"])


async def test_a_rate_limit_names_its_wait(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = _new(sandbox)
    sandbox.post("faults", kind="429", service="zendesk", retry_after=7, count=1)
    with pytest.raises(Retryable) as caught:
        await zendesk.ticket(ticket_id)
    assert caught.value.after == timedelta(seconds=7)


async def test_an_api_token_opens_the_account_while_they_last(sandbox: SandboxProcess) -> None:
    settings = _with_token(sandbox, INTEGRATION_LOGIN[1])
    async with open_zendesk(settings, SCOPES, clock=SystemClock(), metrics=Metrics()) as client:
        assert (await client.ticket(_new(sandbox))) is not None


async def test_a_wrong_login_stops_the_destination(sandbox: SandboxProcess) -> None:
    settings = _with_token(sandbox, "wrong")
    async with open_zendesk(settings, SCOPES, clock=SystemClock(), metrics=Metrics()) as client:
        with pytest.raises(DestinationPaused):
            await client.ticket("1")
