"""Public comments as child records of the ticket's record; private ones never."""

from datetime import timedelta
from typing import Any

import pytest

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.ticket_records.comments import TicketComments
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from supportops.clock import SystemClock
from supportops.contracts import TicketCommented
from supportops.contracts.tickets import Comment
from supportops.errors import Forbidden
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import References
from tests.integration.sfdc_sync.app import Service, settled, states, with_rules
from tests.integration.sfdc_sync.events import created, deleted, envelope_of
from tests.integration.sfdc_sync.sandbox import Outside

COMMENTS = "Zendesk_Ticket_Comment__c"


@pytest.fixture
def rules() -> SfdcPolicy:
    return with_rules(comments={"enabled": True})


@pytest.fixture
async def commenting(service: Service, salesforce: Salesforce) -> Service:
    """The service with the destination of comments beside that of records."""
    names = References(service.zendesk, clock=SystemClock(), metrics=Metrics())
    directory = ZendeskDirectory(service.zendesk, names, policy=service.policy, base_url="http://x")
    sources = (service.zendesk, directory)
    comments = TicketComments(
        service.store, salesforce, sources, service.policy, call_timeout=timedelta(seconds=2)
    )
    service.more.append(comments)
    return service


def commented(ticket_id: str, comment_id: str, *, public: bool = True) -> TicketCommented:
    envelope = envelope_of("commented", ticket_id, int(comment_id) % 1000)
    comment = Comment(id=comment_id, is_public=public, body="as the event tells it")
    return TicketCommented(**envelope, comment=comment)


async def said(service: Service, ticket_id: str) -> dict[str, str]:
    """The ids of the ticket's comments in Zendesk by their text."""
    return {each.body: each.id for each in await service.zendesk.latest_comments(ticket_id)}


def written(outside: Outside) -> list[dict[str, Any]]:
    return outside.all_records(COMMENTS)


async def test_a_public_comment_becomes_a_child_of_the_tickets_record(
    commenting: Service, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Printer on fire", description="It burns")
    outside.act(ticket, "comments", body="Still burning", **{"as": "requester"})
    ids = await said(commenting, ticket)
    first = commented(ticket, ids["It burns"])
    await commenting.hears(created(ticket))
    async with commenting.delivering():
        await settled(commenting.store)
        await commenting.hears(first, commented(ticket, ids["Still burning"]))
        await settled(commenting.store)
        await commenting.hears(first)  # again
        await settled(commenting.store)
    rows = sorted(written(outside), key=lambda row: int(row["Zendesk_Comment_ID__c"]))
    assert [row["Body__c"] for row in rows] == ["It burns", "Still burning"]
    assert {row["Ticket__c"] for row in rows} == {outside.records()[ticket]["Id"]}
    assert all(row["Author__c"] and row["Created_At__c"] for row in rows)


async def test_private_comments_are_never_written(commenting: Service, outside: Outside) -> None:
    ticket = outside.ticket(subject="Printer on fire", description="It burns")
    outside.act(ticket, "comments", body="The customer is rude", public=False)
    ids = await said(commenting, ticket)
    told_as_public = commented(ticket, ids["The customer is rude"])  # made private since, or told wrongly
    private = commented(ticket, ids["It burns"], public=False)
    await commenting.hears(created(ticket))
    async with commenting.delivering():
        await settled(commenting.store)
        await commenting.hears(told_as_public, private)
        outcomes = await settled(commenting.store)
    assert outcomes[f"{ticket}:{ids['The customer is rude']}"] == "done moot"
    assert f"{ticket}:{ids['It burns']}" not in outcomes
    assert written(outside) == []


async def test_a_ticket_whose_comments_may_not_be_read_holds_up_no_other(
    commenting: Service, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, shown = (outside.ticket(subject="Printer on fire", description=f"It burns {n}") for n in range(2))
    keys = {each: next(iter((await said(commenting, each)).values())) for each in (hidden, shown)}
    await commenting.hears(created(hidden), created(shown))
    read = commenting.zendesk.latest_comments

    async def refused(ticket_id: str, *, limit: int = 100) -> list[Any]:
        if ticket_id == hidden:
            raise Forbidden("zendesk: comments: 403")
        return list(await read(ticket_id, limit=limit))

    monkeypatch.setattr(commenting.zendesk, "latest_comments", refused)
    async with commenting.delivering():
        await settled(commenting.store)
        await commenting.hears(*(commented(each, key) for each, key in keys.items()))
        outcomes = await settled(commenting.store)
    assert [outcomes[f"{each}:{key}"].split()[0] for each, key in keys.items()] == ["dead", "done"]
    assert [row["Zendesk_Comment_ID__c"] for row in written(outside)] == [keys[shown]]


async def test_a_comment_waits_for_its_tickets_record_and_goes_with_it(
    commenting: Service, outside: Outside
) -> None:
    ticket = outside.ticket(subject="Printer on fire", description="It burns")
    ids = await said(commenting, ticket)
    await commenting.hears(commented(ticket, ids["It burns"]))
    key = f"{ticket}:{ids['It burns']}"
    assert (await states(commenting.store))[key].startswith("waiting")
    await commenting.hears(deleted(ticket, 900))
    async with commenting.delivering():
        outcomes = await settled(commenting.store)
    assert outcomes[key] == "done moot"
    assert written(outside) == []
