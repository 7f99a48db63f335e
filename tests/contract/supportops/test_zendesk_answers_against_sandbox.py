"""The client's reading of ratings, survey responses and the export, against the stand-in over real HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from supportops.clock import SystemClock
from supportops.errors import DestinationPaused, Retryable
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import Zendesk, open_zendesk
from tests.support.sandbox import SandboxProcess, zendesk_settings

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def sandbox(sandbox: SandboxProcess) -> SandboxProcess:
    sandbox.post("limits", zendesk={"export_lag": 0})
    return sandbox


@pytest.fixture
async def zendesk(sandbox: SandboxProcess) -> AsyncIterator[Zendesk]:
    settings = zendesk_settings(sandbox.url, rate_share=0.2)
    async with open_zendesk(settings, ["read", "write"], clock=SystemClock(), metrics=Metrics()) as client:
        yield client


def solved(sandbox: SandboxProcess) -> str:
    ticket_id = str(sandbox.post("zendesk/tickets", subject="Help")["ticket"]["id"])
    sandbox.post(f"zendesk/tickets/{ticket_id}/solve")
    return ticket_id


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


async def test_a_rating_has_moments_and_a_requester(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    ticket_id = solved(sandbox)
    sandbox.post(f"zendesk/tickets/{ticket_id}/rating", score="bad", comment="Slow", reason="Not resolved")
    shown = (await zendesk.tickets([ticket_id]))[ticket_id].satisfaction_rating
    assert shown is not None
    assert shown.id is not None
    rating = await zendesk.satisfaction.rating(shown.id)
    assert rating is not None
    assert (rating.score, rating.comment, rating.reason) == ("bad", "Slow", "Not resolved")
    assert (rating.ticket_id, rating.requester_id) == (ticket_id, "8447388090601")
    assert rating.updated_at is not None
    assert await zendesk.satisfaction.rating("1") is None


async def test_ratings_are_listed_page_by_page(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    tickets = [solved(sandbox) for _ in range(103)]
    for ticket_id in tickets:
        sandbox.post(f"zendesk/tickets/{ticket_id}/rating", score="good")
    first = await zendesk.satisfaction.ratings(LONG_AGO, soon(), None)
    second = await zendesk.satisfaction.ratings(LONG_AGO, soon(), first.cursor)
    assert (len(first.rows), len(second.rows), second.cursor) == (100, 3, None)
    assert [each.ticket_id for each in (*first.rows, *second.rows)] == tickets
    assert not (await zendesk.satisfaction.ratings(soon(), soon(), None)).rows


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "named in audits"])
async def test_survey_responses_of_a_ticket(sandbox: SandboxProcess, zendesk: Zendesk, listed: bool) -> None:
    ticket_id, other = solved(sandbox), solved(sandbox)
    sandbox.post("zendesk/surveys", listed=listed)
    assert await zendesk.satisfaction.responses_of(ticket_id) == []
    sandbox.post(f"zendesk/tickets/{other}/survey", rating=5)
    sandbox.post(f"zendesk/tickets/{ticket_id}/survey")
    sandbox.post(f"zendesk/tickets/{ticket_id}/survey", rating=2, comment="Slow", reason="Too late")
    [response] = await zendesk.satisfaction.responses_of(ticket_id)
    assert (response.ticket_id, response.responder_id) == (ticket_id, "8447388090601")
    assert [answer.rating for answer in response.answers] == [2, None, None]
    assert response.answers[2].value == "Slow"
    page = await zendesk.satisfaction.responses(LONG_AGO, soon(), None)
    assert (page is not None and len(page.rows) == 2) == listed


async def test_the_export_tells_when_tickets_were_solved(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    first = solved(sandbox)
    solved(sandbox)
    page = await zendesk.exports.tickets(LONG_AGO, size=1)
    assert [ticket.id for ticket in page.tickets] == [first]
    assert page.tickets[0].solved_at is not None
    assert page.reached is not None
    assert not page.last


async def test_the_exports_limit_is_a_wait(sandbox: SandboxProcess, zendesk: Zendesk) -> None:
    sandbox.post("limits", zendesk={"exports": 0, "export_lag": 0})
    with pytest.raises(Retryable) as caught:
        await zendesk.exports.tickets(LONG_AGO)
    assert isinstance(caught.value, DestinationPaused) or caught.value.after is not None
