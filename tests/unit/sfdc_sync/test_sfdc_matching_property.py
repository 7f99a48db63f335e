"""Matching against the org of the stand-in, whatever it holds and in whatever batches: a model says what is right."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.ledger import Ledger
from sandbox.salesforce.cursors import Cursor
from sandbox.salesforce.org import Org
from sandbox.salesforce.query import Reader
from sandbox.salesforce.recycle_bin import RecycleBin
from sfdc_sync.matching.matcher import Asked, Match, Matcher
from sfdc_sync.matching.rules import OrganizationKey
from sfdc_sync.policy.matching import AccountMatching, ContactMatching, MatchingPolicy
from supportops.clock import ManualClock
from tests.contract.sandbox.fakes import FakeClock
from tests.support.examples import examples
from tests.unit.sfdc_sync.matching_model import (
    Found,
    ModelAccount,
    ModelContact,
    ModelOrganization,
    ModelTicket,
    ModelWorld,
    expected,
)

IDS = ("0018a00001rBqb8AAC", "001D000000IqhSLIAZ", "0015500001QdZPKAA3", "0019000000B98deAAB")
NOWHERE = "00136000011sQHJAA2"
NAMES = ("Acme Ltd", "ACME LTD", "Groablet", "Other")
ADDRESSES = ("rita@acme.example", "Rita@ACME.example", "jo@acme.example")
EMAILS = ("rita@acme.example", "RITA@acme.example", "jo@acme.example", "nobody@x.example", None)
POLICIES = st.builds(
    MatchingPolicy,
    account=st.builds(AccountMatching, by_name=st.booleans()),
    contact=st.builds(
        ContactMatching,
        active=st.sampled_from([None, "Active__c"]),
        ambiguous=st.sampled_from(["oldest", "leave_out"]),
        gives_account=st.booleans(),
    ),
)

ORG = Org(FakeClock(), Ledger(FakeClock()))
"""Made once, for the sake of time; each case empties it first."""


class Rows:
    """`matching.lookups.Reader` on the stand-in's org, in this process."""

    def __init__(self, world: ModelWorld, changes: Sequence[tuple[int, int | None]]) -> None:
        """The world's rows, then the changes, in both: (account, its winner), no winner for a deletion."""
        self.org = ORG
        for name in ("account", "contact"):
            table = self.org.tables[name]
            table.rows.clear()
            table.index.clear()
        for account in world.accounts:
            reference = {"Zendesk__Zendesk_Organization_Id__c": account.reference}
            self.org.insert("Account", {"Id": account.id, "Name": account.name, **reference})
        for contact in world.contacts:
            parent = contact.account.id if contact.account else None
            values = {"Email": contact.email, "AccountId": parent, "Active__c": contact.active}
            fixed = {"Name": "x", "LastName": "x", "CreatedDate": contact.created}
            self.org.insert("Contact", {"Id": contact.id, **fixed, **values})
        for at, winner in changes:
            self._change(world, world.accounts[at], None if winner is None else world.accounts[winner])

    def _change(self, world: ModelWorld, gone: ModelAccount, winner: ModelAccount | None) -> None:
        if not gone.live or winner is gone or (winner is not None and not winner.live):
            return
        if winner is None:
            world.delete(gone)
            RecycleBin(self.org).delete("Account", gone.id)
        else:
            world.merge(gone, winner)
            RecycleBin(self.org).merge("Account", winner.id, [gone.id])

    async def queries(self, soql: Sequence[str], *, deleted: bool = False) -> list[list[dict[str, Any]]]:
        reader = Reader(self.org, "/services/data/v62.0", 2_000)
        return [reader.page(Cursor(0, query, deleted=deleted))["records"] for query in soql]


def _forms(key: str) -> list[str]:
    """An id as people and other systems hand it on."""
    return [key, key[:15], key.lower(), key.upper()]


@st.composite
def cases(draw: st.DrawFn) -> tuple[ModelWorld, list[tuple[int, int | None]], list[ModelTicket]]:
    """A world, what is deleted and merged in it, and tickets of a few people and organizations."""
    keys = draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1))
    references = st.sampled_from([None, None, "77", "88", "99"])
    accounts = [ModelAccount(key, draw(st.sampled_from(NAMES)), draw(references)) for key in keys]
    contacts = [
        ModelContact(
            f"003{n:012d}AAA",
            draw(st.sampled_from(ADDRESSES)),
            draw(st.sampled_from([None, *accounts])),
            draw(st.booleans()),
            f"20{draw(st.integers(10, 12))}-01-01T00:00:00.000+0000",
        )
        for n in range(draw(st.integers(0, 4)))
    ]
    places = st.integers(0, len(keys) - 1)
    changes = draw(st.lists(st.tuples(places, st.one_of(places, st.none())), max_size=3))
    names = st.sampled_from([None, None, "", "n/a", NOWHERE, *(form for key in keys for form in _forms(key))])
    organizations = [
        ModelOrganization("77", draw(st.sampled_from(["Acme Ltd", " acme ltd"])), draw(names)),
        ModelOrganization("88", draw(st.sampled_from(["Groablet", "Nobody"])), draw(names)),
    ]
    whose = st.sampled_from([*organizations, None, "unknown", "gone"])
    ticket = st.builds(
        ModelTicket, whose, st.sampled_from(EMAILS), st.sampled_from([True, True, True, False])
    )
    return ModelWorld(accounts, contacts), changes, draw(st.lists(ticket, min_size=2, max_size=6))


@settings(max_examples=examples(600))
@given(cases(), POLICIES, st.integers(1, 6))
async def test_matching_finds_what_the_model_does(
    case: tuple[ModelWorld, list[tuple[int, int | None]], list[ModelTicket]],
    policy: MatchingPolicy,
    size: int,
) -> None:
    world, changes, tickets = case
    clock = ManualClock(datetime(2026, 11, 2, tzinfo=UTC))
    matcher = Matcher(Rows(world, changes), policy, clock=clock, lifetime=timedelta(minutes=10))
    right = expected(world, tickets, policy)
    for _ in range(2):  # the second time from memory
        found = [
            match for some in batched(tickets, size) for match in await matcher.match(list(map(_asked, some)))
        ]
        assert [_told(match) for match in found] == right


def _asked(ticket: ModelTicket) -> Asked:
    organization = ticket.organization
    key = (
        OrganizationKey(organization.id, organization.name, organization.salesforce_id)
        if isinstance(organization, ModelOrganization)
        else None
    )
    has = None if organization == "unknown" else organization is not None
    return Asked(has, key, ticket.has_requester, ticket.email if ticket.has_requester else None)


def _told(match: Match) -> tuple[Found, Found]:
    account, contact = match.account, match.contact
    return (
        None if account is None else (account.account.id if account.account else None, account.rule.value),
        None if contact is None else (contact.contact.id if contact.contact else None, contact.rule.value),
    )
