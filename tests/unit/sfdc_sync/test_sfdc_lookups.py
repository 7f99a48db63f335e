"""The look-ups of matching: which queries are asked, how answers are read, what is remembered."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from sfdc_sync.matching.matcher import Asked, Match, Matcher
from sfdc_sync.matching.rules import AccountRule, ContactRule, OrganizationKey, Person
from sfdc_sync.policy.matching import AccountMatching, ContactMatching, MatchingPolicy
from sfdc_sync.salesforce.soql import MOST_BYTES, in_lists
from supportops.clock import ManualClock
from tests.support.for_each import for_each

ACME, WINNER = "0018a00001rBqb8AAC", "001D000000IqhSLIAZ"
POLICY = MatchingPolicy()
NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Org:
    """Salesforce as rows by object; a query gives the rows whose values it names. Every round of queries is kept."""

    def __init__(self, *accounts: dict[str, Any], contacts: Sequence[dict[str, Any]] = ()) -> None:
        self.accounts, self.contacts = list(accounts), list(contacts)
        self.rounds: list[list[str]] = []

    async def queries(self, soql: Sequence[str], *, deleted: bool = False) -> list[list[dict[str, Any]]]:
        self.rounds.append(list(soql))
        return [self._rows(query, deleted) for query in soql]

    def _rows(self, query: str, deleted: bool) -> list[dict[str, Any]]:
        rows = self.contacts if " FROM Contact " in query else self.accounts
        column = query.partition(" IN (")[0].rpartition(" ")[2]
        wanted = query.partition(" IN (")[2].lower()
        live = [row for row in rows if bool(row.get("IsDeleted")) is deleted]
        return [row for row in live if f"'{str(row.get(column)).lower()}'" in wanted]


def account(key: str, name: str, **more: Any) -> dict[str, Any]:
    return {"Id": key, "Name": name, **more}


def matcher(org: Org, policy: MatchingPolicy = POLICY, clock: ManualClock | None = None) -> Matcher:
    return Matcher(org, policy, clock=clock or ManualClock(NOW), lifetime=timedelta(minutes=10))


def asked(organization: OrganizationKey | None = None, email: str | None = None) -> Asked:
    return Asked(organization is not None, organization, True, email)


async def one(org: Org, question: Asked, policy: MatchingPolicy = POLICY) -> Match:
    return (await matcher(org, policy).match([question]))[0]


async def test_owner_and_manager_are_read_with_the_account() -> None:
    people = {"Owner": {"Name": "Olga", "Email": "olga@x.example"}, "Technical_Account_Manager__r": None}
    match = await one(Org(account(ACME, "Acme", **people)), asked(OrganizationKey("7", "Acme", ACME)))
    assert match.account is not None
    assert match.account.account is not None
    assert match.account.account.owner == Person("Olga", "olga@x.example")
    assert match.account.account.technical_account_manager is None


async def test_a_field_of_numbers_may_hold_the_organization() -> None:
    org = Org(account(WINNER, "Other", Zendesk__Zendesk_Organization_Id__c=8.0))
    match = await one(org, asked(OrganizationKey("9", "Other")))
    assert match.account is not None
    assert match.account.rule is AccountRule.NONE, "the namesake belongs to organization 8"


@pytest.mark.parametrize(("kind", "wanted"), [("text", "IN ('7')"), ("number", "IN (7)")])
async def test_an_organization_is_looked_for_as_what_the_field_holds(kind: str, wanted: str) -> None:
    org = Org()
    rules = MatchingPolicy.model_validate({"account": {"organization_id_type": kind, "by_name": False}})
    await one(org, asked(OrganizationKey("7", "Acme")), rules)
    ((query,),) = org.rounds
    assert query.endswith(f"Zendesk__Zendesk_Organization_Id__c {wanted}")


async def test_names_of_fields_are_read_in_salesforces_spelling() -> None:
    rules = MatchingPolicy.model_validate(
        {"account": {"organization_id": "ZENDESK_id__c"}, "contact": {"active": "IN_use__c"}}
    )
    org = Org(account(ACME, "Acme", Zendesk_ID__c="8"), contacts=[RITA | {"In_Use__c": True}])
    key = OrganizationKey("7", "Acme", ACME)
    match = await one(org, asked(key, "rita@acme.example"), rules)
    assert match.account is not None
    assert match.account.account is not None
    assert match.account.account.organization_id == "8"
    assert match.contact is not None
    assert match.contact.contact is not None
    assert match.contact.contact.active is True


@for_each("typed", ["0035500001H9kZuAAJ", "CUSTOMERNUMBER1", "see contract"])
async def test_what_is_no_accounts_id_is_not_asked_for(typed: str) -> None:
    """Salesforce may refuse such an id, and with it the look-up of the whole batch."""
    org = Org(account(ACME, "Acme"))
    match = await one(org, asked(OrganizationKey("7", "Acme", typed)))
    assert not any(" Id IN" in query for query in org.rounds[0])
    assert match.account is not None
    assert (match.account.rule, match.account.remark) == (
        AccountRule.NAME,
        "the organization's Salesforce id is no account's id",
    )


async def test_one_round_for_two_hundred_tickets() -> None:
    keys = [OrganizationKey(str(n), f"Company {n}", ACME) for n in range(200)]
    org = Org(account(ACME, "Acme"))
    found = await matcher(org).match([asked(key, f"person{n}@company.example") for n, key in enumerate(keys)])
    assert len(found) == 200
    assert len(org.rounds) == 1
    assert len(org.rounds[0]) <= 5, "five queries fit into one call"
    assert max(len(quote(query)) for query in org.rounds[0]) <= MOST_BYTES


async def test_an_account_that_was_merged_away_is_followed_to_the_winner() -> None:
    middle = "001000000000001AAA"
    org = Org(
        account(ACME, "Acme", IsDeleted=True, MasterRecordId=middle),
        account(middle, "Middle", IsDeleted=True, MasterRecordId=WINNER),
        account(WINNER, "Winner"),
    )
    match = await one(org, asked(OrganizationKey("7", "Acme", ACME)))
    assert match.account is not None
    assert match.account.account is not None
    assert (match.account.account.id, match.account.rule) == (WINNER, AccountRule.SALESFORCE_ID)


async def test_a_circle_of_merges_ends() -> None:
    org = Org(account(ACME, "Acme", IsDeleted=True, MasterRecordId=ACME))
    match = await one(org, asked(OrganizationKey("7", "Acme", ACME)))
    assert match.account is not None
    assert match.account.account is None


async def test_what_was_found_is_remembered_and_what_was_not_is_asked_again_soon() -> None:
    org, clock = Org(account(ACME, "Acme")), ManualClock(NOW)
    found = matcher(org, clock=clock)
    questions = [
        asked(OrganizationKey("7", "Acme", ACME), "a@x.example"),
        asked(OrganizationKey("8", "Gone")),
    ]
    await found.match(questions)
    await found.match(questions)
    again = " ".join(org.rounds[1])
    assert "'8'" in again, "somebody may be mending it"
    assert ACME not in again
    assert "a@x.example" not in again, "absent, but only just"
    clock.advance(timedelta(minutes=2))
    org.contacts.append(
        {"Id": "0035500001H9kZuAAJ", "Email": "A@x.example", "CreatedDate": "", "Account": None}
    )
    assert (await found.match(questions))[0].contact is not None
    clock.advance(timedelta(minutes=10))
    await found.match(questions)
    assert ACME in " ".join(org.rounds[-1])


async def test_an_organization_that_says_something_else_is_judged_anew() -> None:
    org = Org(account(ACME, "Acme"), account(WINNER, "Winner"))
    found = matcher(org)
    ids = []
    for salesforce_id in (ACME, WINNER):
        match = (await found.match([asked(OrganizationKey("7", "x", salesforce_id))]))[0].account
        assert match is not None
        assert match.account is not None
        ids.append(match.account.id)
    assert ids == [ACME, WINNER]


async def test_addresses_are_compared_without_case() -> None:
    row = {
        "Id": "0035500001H9kZuAAJ",
        "Email": "Rita@Acme.example",
        "CreatedDate": "2025",
        "Account": account(ACME, "A"),
    }
    match = await one(Org(contacts=[row]), asked(None, "rita@ACME.example "))
    assert match.contact is not None
    assert (match.contact.rule, match.account and match.account.rule) == (
        ContactRule.EMAIL,
        AccountRule.CONTACT,
    )


HOSTILE_ADDRESSES = [
    "half\ud83d@acme.example",
    "nul\x00@acme.example",
    "line\nbreak@acme.example",
    "x" * 81 + "@acme.example",
    "x" * 20_000 + "@acme.example",
    "two@acme.example, rita@acme.example",
    "nobody",
    "' OR Email != '",
]
RITA = {"Id": "0035500001H9kZuAAJ", "Email": "rita@acme.example", "CreatedDate": "2025", "Account": None}


@for_each("hostile", HOSTILE_ADDRESSES)
async def test_an_address_that_no_contact_can_have_spoils_no_look_up(hostile: str) -> None:
    org = Org(contacts=[RITA])
    odd, right = await matcher(org).match([asked(None, hostile), asked(None, "rita@acme.example")])
    assert (odd.contact and odd.contact.rule) == ContactRule.NONE
    assert (right.contact and right.contact.rule) == ContactRule.EMAIL
    assert (right.account and right.account.rule) == AccountRule.NONE, (
        "a contact without an account gives none"
    )
    ((query,),) = org.rounds
    assert query.endswith("Email IN ('rita@acme.example')")


@for_each("hostile", ["Half \ud83d", "nul\x00", "x" * 20_000, "", " "])
async def test_nor_does_a_name_that_no_account_can_have(hostile: str) -> None:
    org = Org(account(ACME, "Acme Ltd"))
    keys = OrganizationKey("7", hostile), OrganizationKey("8", "acme ltd")
    odd, right = await matcher(org).match([asked(key) for key in keys])
    assert (odd.account and odd.account.rule) == AccountRule.NONE
    assert (right.account and right.account.rule) == AccountRule.NAME
    assert max(len(query.encode()) for query in org.rounds[0]) <= MOST_BYTES


@for_each("name", ["Acme  Ltd", " ACME Ltd ", "Acme\xa0Ltd", "\uff21cme Ltd"])
async def test_an_account_is_found_by_a_name_in_another_spelling(name: str) -> None:
    match = await one(Org(account(ACME, "Acme Ltd")), asked(OrganizationKey("7", name)))
    assert (match.account and match.account.rule) == AccountRule.NAME


async def test_a_name_that_another_organization_has_is_no_evidence_whoever_is_in_the_batch() -> None:
    """Zendesk may have twins of one name: whether both are asked about at once is chance."""
    twins = {"acme ltd": {"7", "8"}}

    async def namesakes(names: Collection[str]) -> dict[str, set[str]]:
        return {name: twins[name] for name in names if name in twins}

    for others in ([], ["8"]):
        found = Matcher(
            Org(account(ACME, "Acme Ltd")),
            POLICY,
            clock=ManualClock(NOW),
            lifetime=timedelta(minutes=10),
            namesakes=namesakes,
        )
        keys = [OrganizationKey(key, "ACME Ltd") for key in ("7", *others)]
        matches = await found.match([asked(key) for key in keys])
        assert {each.account and each.account.rule for each in matches} == {AccountRule.NONE}


async def test_tickets_of_one_requester_are_one_question_and_tags_of_an_address_are_part_of_it() -> None:
    org = Org(contacts=[RITA])
    addresses = ["rita@acme.example", "RITA@acme.example", "rita+sales@acme.example"]
    found = await matcher(org).match([asked(None, each) for each in addresses])
    assert [each.contact and each.contact.rule for each in found] == [
        ContactRule.EMAIL,
        ContactRule.EMAIL,
        ContactRule.NONE,
    ]
    assert " ".join(org.rounds[0]).count("@acme.example") == 2


async def test_nothing_is_asked_when_matching_is_off() -> None:
    policy = MatchingPolicy(account=AccountMatching(enabled=False), contact=ContactMatching(enabled=False))
    org = Org(account(ACME, "Acme"))
    assert await one(org, asked(OrganizationKey("7", "Acme", ACME), "a@x.example"), policy) == Match(
        None, None
    )
    assert org.rounds == []


async def test_of_a_ticket_whose_people_are_unknown_nothing_is_said() -> None:
    assert await one(Org(), Asked()) == Match(None, None)


def test_lists_are_cut_by_bytes_and_hostile_values_stay_values() -> None:
    hostile = "x' OR Name != '"
    queries = list(
        in_lists("SELECT Id FROM Contact WHERE Email IN", [hostile, *(f"ä{n}@x.example" for n in range(900))])
    )
    assert len(queries) > 2
    assert all(len(quote(query)) <= MOST_BYTES for query in queries)
    assert r"('x\' OR Name != \''" in queries[0]
    assert sum(query.count("@x.example") for query in queries) == 900
    assert list(in_lists("SELECT Id FROM X WHERE Y IN", [])) == [], "an empty list is no SOQL"
