"""Whom a ticket is of, by what Zendesk answers: there, not there, or there and unreadable."""

from collections.abc import Collection, Sequence
from typing import Any

from sfdc_sync.matching.matcher import Asked, Match
from sfdc_sync.matching.rules import OrganizationKey
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from sfdc_sync.ticket_records.facts import Facts
from supportops.vendors.zendesk import References
from tests.support.for_each import for_each
from tests.unit.supportops.vendors.fake_zendesk import Fake, client_of

ACME, RITA = {"id": 8, "name": "Acme"}, {"id": 6, "name": "Rita", "email": "rita@acme.example"}
ODD = {"name": {"odd": 1}, "active": "perhaps"}


class Questions:
    """Matching that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    async def match(self, asked: Sequence[Asked]) -> list[Match]:
        self.asked += asked
        return [Match()] * len(asked)

    def forget(self, accounts: Collection[str]) -> None:
        raise AssertionError(accounts)


@for_each(
    "users, organizations, expected",
    [
        ([RITA], [ACME], Asked(True, OrganizationKey("8", "Acme"), True, "rita@acme.example")),
        (
            [RITA],
            [],
            Asked(True, None, True, "rita@acme.example"),
        ),  # gone: the record has no account any more
        (
            [RITA],
            [ACME | ODD],
            Asked(None, None, True, "rita@acme.example"),
        ),  # the record keeps the one that it has
        ([RITA | ODD], [ACME], Asked(True, OrganizationKey("8", "Acme"), False, None)),
        ([], [ACME], Asked(True, OrganizationKey("8", "Acme"), True, None)),
    ],
)
async def test_what_cannot_be_read_is_unknown_and_what_is_gone_is_none(
    users: list[Any], organizations: list[Any], expected: Asked
) -> None:
    fake, questions, rules = Fake(), Questions(), SfdcPolicy()
    for answer in ({"users": users}, {"organizations": organizations}, {"organizations": organizations}):
        fake.give(body=answer)
    async with client_of(fake) as zendesk:
        names = References(zendesk, clock=fake.clock, metrics=fake.metrics)
        directory = ZendeskDirectory(zendesk, names, policy=rules, base_url="https://acme.zendesk.com")
        ticket = Ticket("7", {"requester_id": "6", "organization_id": "8"}, "", 1, erased=False, written=0)
        (known,) = await Facts(directory, questions, rules).of([ticket])
    assert questions.asked == [expected]
    assert ("organization_name" in known.known) == (organizations == [ACME])
    assert ("requester_email" in known.known) == (users == [RITA])
