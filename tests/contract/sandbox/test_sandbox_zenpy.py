"""The Zendesk stand-in, driven by zenpy over a real connection (docs/vendors/zendesk.md)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from zenpy import Zenpy
from zenpy.lib.api_objects import (
    Comment,
    Organization,
    OrganizationMembership,
    Ticket,
    User,
)
from zenpy.lib.exception import APIException, RecordNotFoundException

from tests.support.sandbox import INTEGRATION_LOGIN, SandboxProcess

GROABLET, ACME = 8447346622462, 8447346622463
RITA, JO, ADA = 8447388090601, 8447388090602, 8447388090494
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class PlainAdapter(HTTPAdapter):
    """zenpy knows https alone: the same request by plain http, and the answer as that of the request it made."""

    def send(self, request: requests.PreparedRequest, *args: Any, **keywords: Any) -> requests.Response:
        plain = request.copy()
        plain.url = str(request.url).replace("https://", "http://", 1)
        response = super().send(plain, *args, **keywords)
        response.request = request
        return response


@pytest.fixture
def zenpy(sandbox: SandboxProcess) -> Iterator[Any]:
    """The account of the stand-in, without zenpy's memory of records."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", PlainAdapter())
        first, _, rest = sandbox.url.removeprefix("http://").partition(".")
        email, token = INTEGRATION_LOGIN[0].removesuffix("/token"), INTEGRATION_LOGIN[1]
        address = {"subdomain": first, "domain": f"{rest}/zendesk"}
        yield Zenpy(**address, email=email, token=token, session=session, disable_cache=True)


def finished(zenpy: Any, job: Any) -> Any:
    """The job as it is when it is asked for; it was queued when it was given."""
    assert job.status == "queued"
    done = zenpy.job_status(id=job.id)
    assert done.status == "completed"
    return done


def many(count: int) -> list[Any]:
    return [
        Organization(
            name=f"Org {n}", external_id=f"ext-{n}", organization_fields={"support_level": "premium"}
        )
        for n in range(count)
    ]


def test_organizations_are_listed_in_pages_of_both_kinds(zenpy: Any, sandbox: SandboxProcess) -> None:
    for n in range(120):
        sandbox.post("zendesk/organizations", name=f"Org {n}")
    by_offset = list(zenpy.organizations())
    by_cursor = list(zenpy.organizations(cursor_pagination=50))
    assert len(by_offset) == len(by_cursor) == 123
    assert {each.name for each in by_offset} == {each.name for each in by_cursor}
    assert len({each.id for each in by_offset}) == 123


def test_organizations_in_bulk_with_jobs(zenpy: Any) -> None:
    made = finished(zenpy, zenpy.organizations.create(many(3)))
    assert (made.total, made.progress, [each.success for each in made.results]) == (3, 3, [True] * 3)
    keys = [each.id for each in made.results]
    found = {each.id: each for each in zenpy.organizations(external_ids=["ext-0", "EXT-2", "nobody"])}
    assert sorted(found) == [keys[0], keys[2]]
    assert found[keys[0]].organization_fields["support_level"] == "premium"
    first, second = zenpy.organizations(ids=keys[:2])
    first.notes, second.name = "changed", "Org 2"  # the name of the third
    changed = finished(zenpy, zenpy.organizations.update([first, second]))
    assert [each.success for each in changed.results] == [True, False]
    assert changed.results[1].error
    assert "taken" in changed.results[1].details
    assert zenpy.organizations(id=keys[0]).notes == "changed"
    gone = finished(zenpy, zenpy.organizations.delete(list(zenpy.organizations(ids=keys))))
    assert [each.success for each in gone.results] == [True] * 3
    with pytest.raises(RecordNotFoundException):
        zenpy.organizations(id=keys[0])


def test_one_organization_by_its_ids(zenpy: Any) -> None:
    made = zenpy.organizations.create(
        Organization(name="Solo", external_id="solo-1", domain_names=["solo.example"])
    )
    assert [each.id for each in zenpy.organizations(external_ids=["SOLO-1"])] == [made.id]
    again = zenpy.organizations.create_or_update(Organization(name="Solo Ltd", external_id="solo-1"))
    assert (again.id, again.name, again.domain_names) == (made.id, "Solo Ltd", ["solo.example"])
    with pytest.raises(APIException, match="taken"):
        zenpy.organizations.create(Organization(name="solo LTD"))
    zenpy.organizations.add_tags(made.id, ["gold"])
    assert zenpy.organizations(id=made.id).tags == ["gold"]
    zenpy.organizations.delete(made)
    assert list(zenpy.organizations(external_ids=["solo-1"])) == []


def test_memberships(zenpy: Any) -> None:
    made = zenpy.organization_memberships.create(OrganizationMembership(user_id=RITA, organization_id=ACME))
    assert (made.user_id, made.organization_id, made.default) == (RITA, ACME, False)
    assert {each.organization_id for each in zenpy.users.organization_memberships(RITA)} == {GROABLET, ACME}
    assert {each.user_id for each in zenpy.organizations.organization_memberships(ACME)} == {RITA, JO}
    assert {each.id for each in zenpy.organizations.users(ACME)} == {RITA, JO}
    with pytest.raises(APIException, match="taken"):
        zenpy.organization_memberships.create(OrganizationMembership(user_id=RITA, organization_id=ACME))
    zenpy.organization_memberships.delete(made)
    assert [each.organization_id for each in zenpy.users.organization_memberships(RITA)] == [GROABLET]


def test_users(zenpy: Any) -> None:
    assert zenpy.users.me().role == "admin"
    assert [each.name for each in zenpy.users(ids=[RITA, JO])] == ["Rita Requester", "Jo Client"]
    assert [each.id for each in zenpy.users.search(query="rita@groablet.example")] == [RITA]
    made = zenpy.users.create_or_update(User(name="New One", email="new@acme.example", organization_id=ACME))
    again = zenpy.users.create_or_update(User(name="Newer One", email="NEW@acme.example"))
    assert (again.id, again.name, again.organization_id) == (made.id, "Newer One", ACME)
    again.ticket_restriction = "organization"
    assert zenpy.users.update(again).ticket_restriction == "organization"
    with pytest.raises(RecordNotFoundException):
        zenpy.users(id=1)


def test_a_tickets_life(zenpy: Any) -> None:
    audit = zenpy.tickets.create(
        Ticket(
            subject="Printer on fire", requester_id=RITA, priority="high", comment=Comment(body="It burns")
        )
    )
    ticket = zenpy.tickets(id=audit.ticket.id)
    assert (ticket.status, ticket.priority, ticket.organization_id) == ("new", "high", GROABLET)
    ticket.assignee_id, ticket.comment = ADA, Comment(body="Looking into it", public=False)
    changed = zenpy.tickets.update(ticket)
    assert changed.ticket.status == "open"
    assert {event["type"] for event in changed.audit.events} >= {"Change", "Comment"}
    assert [(each.body, each.public) for each in zenpy.tickets.comments(ticket)] == [
        ("It burns", True),
        ("Looking into it", False),
    ]
    zenpy.tickets.add_tags(ticket.id, ["b", "a"])
    assert zenpy.tickets(id=ticket.id).tags == ["a", "b"]
    zenpy.tickets.set_tags(ticket.id, ["c", "d"])
    zenpy.tickets.delete_tags(ticket.id, ["c"])
    assert zenpy.tickets(id=ticket.id).tags == ["d"]
    assert zenpy.tickets.metrics(ticket.id).replies == 0
    zenpy.tickets.delete(ticket)
    with pytest.raises(RecordNotFoundException):
        zenpy.tickets(id=ticket.id)


def test_tickets_in_bulk(zenpy: Any, sandbox: SandboxProcess) -> None:
    keys = [sandbox.post("zendesk/tickets", subject=f"T{n}")["ticket"]["id"] for n in range(3)]
    tickets = list(zenpy.tickets(ids=keys))
    assert [each.subject for each in tickets] == ["T0", "T1", "T2"]
    for each in tickets:
        each.priority = "urgent"
    changed = finished(zenpy, zenpy.tickets.update(tickets))
    assert [each.success for each in changed.results] == [True] * 3
    merged = finished(zenpy, zenpy.tickets.merge(target=keys[0], source=keys[1:]))
    assert [each.success for each in merged.results] == [True, True]
    assert [each.status for each in zenpy.tickets(ids=keys)] == ["new", "closed", "closed"]


def test_search_and_exports(zenpy: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", zendesk={"export_lag": 0})
    for n in range(5):
        sandbox.post("zendesk/tickets", subject=f"Fire {n}", tags=["hot"] if n else [])
    found = zenpy.search(type="ticket", tags="hot", status_less_than="solved")
    assert found.count == 4
    assert {each.subject for each in found} == {"Fire 1", "Fire 2", "Fire 3", "Fire 4"}
    pages = zenpy.tickets.incremental(start_time=LONG_AGO, per_page=2)
    assert [each.subject for each in pages] == [f"Fire {n}" for n in range(5)]
    assert len(list(zenpy.organizations.incremental(start_time=LONG_AGO))) == 3


def test_small_tables(zenpy: Any) -> None:
    assert "Self-Managed" in [each.name for each in zenpy.ticket_forms()]
    assert [each.name for each in zenpy.groups()] == ["Support"]
    assert [each.name for each in zenpy.brands()] == ["Example"]
    fields = {each.key: each for each in zenpy.organization_fields()}
    assert fields["support_level"].type == "dropdown"
    assert "ultimate" in [each.value for each in fields["support_level"].custom_field_options]
