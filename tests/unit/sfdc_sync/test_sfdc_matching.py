"""Which account and which contact a ticket belongs to, and by which rule."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfdc_sync.matching.rules import (
    Account,
    AccountMatch,
    AccountRule,
    Contact,
    ContactMatch,
    ContactRule,
    OrganizationKey,
    account_of_contact,
    match_account,
    match_contact,
)
from sfdc_sync.policy.matching import ContactMatching
from sfdc_sync.salesforce.names import folded
from tests.support.for_each import for_each

ACME_15 = "0018a00001rBqb8"
ACME = Account(f"{ACME_15}AAC", "Acme Ltd", "77")
OTHER = Account("001D000000IqhSLIAZ", "Groablet", "88")
NAMELESS = replace(OTHER, organization_id=None)
ORGANIZATION = OrganizationKey("77", "Acme Ltd")


def key(**changes: str | None) -> OrganizationKey:
    return replace(ORGANIZATION, **changes)  # type: ignore[arg-type]  # names of fields


def found(
    organization: OrganizationKey, accounts: Sequence[Account], namesakes: Sequence[str] = ()
) -> tuple[str | None, str]:
    """The account's id and the rule, when Salesforce has these accounts."""
    match = match_account(
        organization,
        by_id=next((each for each in accounts if each.id == organization.account_id), None),
        by_organization=[each for each in accounts if each.organization_id == organization.id],
        by_name=[each for each in accounts if folded(each.name) == folded(organization.name)],
        namesakes=namesakes,
    )
    return (match.account.id if match.account else None), match.rule.value


@pytest.mark.parametrize(
    ("organization", "accounts", "expected"),
    [
        pytest.param(key(salesforce_id=ACME.id), [ACME, OTHER], (ACME.id, "salesforce_id"), id="by id"),
        pytest.param(
            key(salesforce_id=ACME_15), [ACME], (ACME.id, "salesforce_id"), id="15 characters equal 18"
        ),
        pytest.param(
            key(salesforce_id=ACME.id.lower()), [ACME], (ACME.id, "salesforce_id"), id="damaged case"
        ),
        pytest.param(
            key(salesforce_id=ACME_15.swapcase()),
            [replace(ACME, organization_id=None)],
            (None, "none"),
            id="case matters",
        ),
        pytest.param(
            key(salesforce_id=ACME.id),
            [replace(ACME, organization_id="99")],
            (ACME.id, "salesforce_id"),
            id="id first",
        ),
        pytest.param(
            key(salesforce_id=OTHER.id), [ACME, OTHER], (None, "conflict"), id="id and reference disagree"
        ),
        pytest.param(key(), [ACME, OTHER], (ACME.id, "organization_id"), id="by organization"),
        pytest.param(
            key(salesforce_id="n/a"), [ACME], (ACME.id, "organization_id"), id="no id at all: the next rule"
        ),
        pytest.param(
            key(salesforce_id="001000000000001AAA"),
            [ACME],
            (ACME.id, "organization_id"),
            id="id of nothing: next rule",
        ),
        pytest.param(
            key(),
            [ACME, replace(OTHER, organization_id="77")],
            (None, "conflict"),
            id="two name the organization",
        ),
        pytest.param(key(id="1"), [NAMELESS], (None, "none"), id="another name"),
        pytest.param(
            key(id="1", name="GROABLET "),
            [NAMELESS],
            (NAMELESS.id, "name"),
            id="by name, case and space folded",
        ),
        pytest.param(
            key(id="1", name="\uff27roablet"),
            [NAMELESS],
            (NAMELESS.id, "name"),
            id="by name, Unicode-normalised",
        ),
        pytest.param(
            key(id="1", name="Groablet"),
            [NAMELESS, replace(NAMELESS, id=ACME.id)],
            (None, "none"),
            id="two accounts",
        ),
        pytest.param(
            key(id="1", name="Groablet"), [OTHER], (None, "none"), id="the namesake has its organization"
        ),
        pytest.param(
            key(id="1", name="Groablet", salesforce_id="001000000000001AAA"),
            [NAMELESS],
            (None, "none"),
            id="a name does not overrule an id",
        ),
        pytest.param(
            key(salesforce_id="0035500001H9kZuAAJ"),
            [ACME],
            (ACME.id, "organization_id"),
            id="another kind's id",
        ),
        pytest.param(
            key(id="1", name="Gro\u200bablet"), [NAMELESS], (NAMELESS.id, "name"), id="what nobody sees"
        ),
        pytest.param(
            key(id="1", name="Groablet", salesforce_id="n/a"),
            [NAMELESS],
            (NAMELESS.id, "name"),
            id="no id, by name",
        ),
        pytest.param(key(id="1", name="  "), [replace(NAMELESS, name=" ")], (None, "none"), id="no name"),
        pytest.param(key(id="1"), [], (None, "none"), id="nothing"),
    ],
)
def test_the_account_of_an_organization(
    organization: OrganizationKey, accounts: list[Account], expected: tuple[str | None, str]
) -> None:
    assert found(organization, accounts) == expected


def test_two_organizations_of_one_name_are_never_guessed_between() -> None:
    assert found(key(id="1", name="Groablet"), [NAMELESS], ["2"]) == (None, "none")


ACCOUNTS = st.lists(
    st.builds(
        Account,
        st.sampled_from([ACME.id, OTHER.id, "001000000000001AAA"]),
        st.sampled_from(["Acme", "acme ", "Groablet"]),
        st.sampled_from([None, "77", "88"]),
    ),
    max_size=3,
    unique_by=lambda each: each.id,
)
KEYS = st.builds(
    OrganizationKey,
    st.sampled_from(["77", "88"]),
    st.sampled_from(["Acme", "ACME", "Other"]),
    st.sampled_from([None, "", "n/a", ACME_15, ACME.id, OTHER.id]),
)


@given(KEYS, ACCOUNTS)
def test_an_account_is_found_only_by_evidence_that_nothing_contradicts(
    organization: OrganizationKey, accounts: list[Account]
) -> None:
    """The model: everything that speaks for an account, whatever the order of rules."""
    account_id, rule = found(organization, accounts)
    by_id = [each.id for each in accounts if each.id == organization.account_id]
    by_reference = [each.id for each in accounts if each.organization_id == organization.id]
    evidence = set(by_id) | set(by_reference)
    if evidence:
        assert account_id == (next(iter(evidence)) if len(evidence) == 1 else None)
        assert (rule == "conflict") == (len(evidence) > 1)
    else:
        namesakes = [each for each in accounts if folded(each.name) == folded(organization.name)]
        free = (
            len(namesakes) == 1 and namesakes[0].organization_id is None and organization.account_id is None
        )
        assert (account_id, rule) == ((namesakes[0].id, "name") if free else (None, "none"))


def contact(
    number: int, *, account: Account | None = None, active: bool | None = None, year: int = 2025
) -> Contact:
    return Contact(
        f"003{number:012d}AAA", "rita@acme.example", f"{year}-01-01T00:00:00.000+0000", account, active
    )


ON_ACME, ON_OTHER, ALONE = contact(1, account=ACME), contact(2, account=OTHER), contact(3)
OLD, YOUNG = contact(4, year=2001), contact(5, year=2020)


@for_each(
    "contacts, account, expected",
    [
        ([], ACME, (None, "none")),
        ([ALONE], None, (ALONE, "email")),
        ([ON_OTHER], ACME, (ON_OTHER, "email")),
        ([ON_OTHER, ON_ACME], ACME, (ON_ACME, "email_on_account")),
        ([YOUNG, contact(6, active=True)], None, (contact(6, active=True), "email_active")),
        ([YOUNG, OLD], None, (OLD, "ambiguous_contact")),
        (
            [OLD, contact(7, active=True), contact(8, active=True, year=2026)],
            None,
            (contact(7, active=True), "ambiguous_contact"),
        ),
        (
            [OLD, ON_ACME, contact(9, account=ACME, year=2024)],
            ACME,
            (contact(9, account=ACME, year=2024), "ambiguous_contact"),
        ),
        (
            [OLD, ON_ACME, contact(9, account=ACME, active=True)],
            ACME,
            (contact(9, account=ACME, active=True), "email_active"),
        ),
        ([contact(2), contact(1)], None, (contact(1), "ambiguous_contact")),
    ],
)
def test_the_contact_of_a_requester(
    contacts: list[Contact], account: Account | None, expected: tuple[Contact | None, str]
) -> None:
    match = match_contact(contacts, account)
    assert (match.contact, match.rule.value) == expected
    assert match_contact(list(reversed(contacts)), account) == match, (
        "the order of the answer decides nothing"
    )


def test_contacts_that_nothing_tells_apart_may_be_left_out() -> None:
    match = match_contact([OLD, YOUNG], None, ContactMatching(ambiguous="leave_out"))
    assert (match.contact, match.rule) == (None, ContactRule.AMBIGUOUS)


@for_each(
    "match, rule",
    [
        (ContactMatch(ON_ACME, ContactRule.EMAIL), AccountRule.CONTACT),
        (ContactMatch(ALONE, ContactRule.EMAIL), AccountRule.NONE),
        (ContactMatch(ON_ACME, ContactRule.AMBIGUOUS), AccountRule.NONE),
        (ContactMatch(None, ContactRule.NONE), AccountRule.NONE),
    ],
)
def test_a_ticket_without_an_organization_has_its_contacts_account(
    match: ContactMatch, rule: AccountRule
) -> None:
    account = ACME if rule is AccountRule.CONTACT else None
    assert account_of_contact(match) == AccountMatch(account, rule)
