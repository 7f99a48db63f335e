"""Which account belongs to which organization (docs/rules.md S6)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sfdc_sync.organizations.links import World, domain_problem, find_links, winner_of
from sfdc_sync.organizations.model import Gone
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import A, B, C, D, account, organization, world


def sorted_out(given: World) -> dict[str, list[str]]:
    """Rule and ids of everything that was found, by kind."""
    links = find_links(given)
    named = {
        "linked": [f"{each.account.id}={each.organization.id} {each.rule}" for each in links.linked],
        "adopted": [f"{each.account.id}={each.organization.id} {each.rule}" for each in links.adopted],
        "relinked": [f"{each.account.id}={each.organization.id} {each.rule}" for each in links.relinked],
        "lone": [each.id for each in links.lone_accounts],
        "orphans": [f"{each.id} {rule}" for each, rule, _ in links.orphans],
        "conflicts": sorted(each.rule for each in links.conflicts),
    }
    return {kind: rows for kind, rows in named.items() if rows}


@dataclass(frozen=True)
class Case:
    name: str
    given: World
    expected: dict[str, Sequence[str]]


CASES = [
    Case("id", world([account()], [organization(of=A)]), {"linked": [f"{A}=1 salesforce_id"]}),
    Case(
        "id of 15 characters",
        world([account()], [organization(of=A[:15])]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "id in lower case",
        world([account()], [organization(of=A.lower())]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "external id alone",
        world([account()], [organization(external_id=A)]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "id before name",
        world([account()], [organization("1", "Other", of=A), organization("2", "Acme")]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "name, case and blanks folded",
        world([account(name="ACME  inc")], [organization(name="acme Inc")]),
        {"adopted": [f"{A}=1 name"]},
    ),
    Case(
        "name, in another Unicode form",
        world([account(name="Cafe\u0301 \uff21cme")], [organization(name="Caf\xe9\xa0Acme\u200b")]),
        {"adopted": [f"{A}=1 name"]},
    ),
    Case(
        "back reference before name",
        world([account(back="2")], [organization("1"), organization("2", "Else")]),
        {"adopted": [f"{A}=2 back_reference"]},
    ),
    Case("nobody there", world([account()]), {"lone": [A]}),
    Case("not of a configured type", world([account(wanted=False)]), {}),
    Case(
        "not of a configured type any more, linked",
        world([account(wanted=False)], [organization(of=A)]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "two accounts of one name",
        world([account(A), account(B, " acme ")], [organization()]),
        {"conflicts": ["ambiguous_name", "ambiguous_name"]},
    ),
    Case(
        "a namesake that was not read",
        replace(world([account()]), known_names={"acme": {B}}),
        {"conflicts": ["ambiguous_name"]},
    ),
    Case(
        "a namesake that has another name by now, or is gone",
        replace(world([account(), account(B, "Other")], [], [Gone(C)]), known_names={"acme": {A, B, C}}),
        {"lone": [A, B]},
    ),
    Case(
        "name of another's organization",
        world([account(A), account(B, "B")], [organization(of=B)]),
        {"linked": [f"{B}=1 salesforce_id"], "conflicts": ["name_taken"]},
    ),
    Case(
        "two organizations of one name",
        world([account()], [organization("1"), organization("2")]),
        {"conflicts": ["name_taken"]},
    ),
    Case(
        "two organizations of one id",
        world([account()], [organization("1", of=A), organization("2", of=A)]),
        {"conflicts": ["repeat_organizations"]},
    ),
    Case(
        "both ids, each another",
        world([account(back="2")], [organization("1", of=A), organization("2", "Two")]),
        {"conflicts": ["ids_disagree"]},
    ),
    Case(
        "back reference to another's",
        world([account(back="1"), account(B, "B")], [organization(of=B)]),
        {"linked": [f"{B}=1 salesforce_id"], "conflicts": ["ids_disagree"]},
    ),
    Case(
        "back reference to nothing",
        world([account(back="9")], [organization(of=A)]),
        {"linked": [f"{A}=1 salesforce_id"]},
    ),
    Case(
        "two accounts name one organization",
        world([account(A, back="1"), account(B, "B", back="1")], [organization()]),
        {"conflicts": ["several_claims"]},
    ),
    Case(
        "account merged",
        world([account(B, "B")], [organization(of=A)], [Gone(A, B)]),
        {"relinked": [f"{B}=1 account_merged"]},
    ),
    Case(
        "account merged in a chain",
        world([account(C, "C")], [organization(of=A)], [Gone(A, B), Gone(B, C)]),
        {"relinked": [f"{C}=1 account_merged"]},
    ),
    Case(
        "merged into one that has its own",
        world([account(B, "B")], [organization("1", of=A), organization("2", of=B)], [Gone(A, B)]),
        {"linked": [f"{B}=2 salesforce_id"], "conflicts": ["merged_account"]},
    ),
    Case(
        "two merged into one",
        world(
            [account(C, "C")],
            [organization("1", of=A), organization("2", "Two", of=B)],
            [Gone(A, C), Gone(B, C)],
        ),
        {"conflicts": ["merged_accounts"]},
    ),
    Case(
        "merged, then deleted",
        world([], [organization(of=A)], [Gone(A, B), Gone(B)]),
        {"orphans": ["1 account_deleted"]},
    ),
    Case("undeleted", world([account()], [organization(of=A)]), {"linked": [f"{A}=1 salesforce_id"]}),
    Case("deleted", world([], [organization(of=A)], [Gone(A)]), {"orphans": ["1 account_deleted"]}),
    Case("not there", world([], [organization(of=A)]), {"orphans": ["1 account_disappeared"]}),
    Case("not read this time", world([], [organization(of=A)], complete=False), {}),
    Case("organization without an account", world([], [organization()]), {}),
    Case(
        "organization merged away",
        replace(world([account()], [organization("7", "Seven")]), merged_away={A: "7"}),
        {"adopted": [f"{A}=7 organization_merged"]},
    ),
    Case(
        "merged into another's",
        replace(world([account(), account(B, "B")], [organization("7", of=B)]), merged_away={A: "7"}),
        {"linked": [f"{B}=7 salesforce_id"], "conflicts": ["organization_merged"]},
    ),
]


@for_each("case", CASES)
def test_links(case: Case) -> None:
    assert sorted_out(case.given) == case.expected


def test_a_circle_of_merges_has_no_winner() -> None:
    assert winner_of(A, {A: Gone(A, B), B: Gone(B, A)}) is None
    assert winner_of(A, {A: Gone(A, B), B: Gone(B, C), C: Gone(C, D)}) == D


@for_each("good", ["acme.example", "a-b.co.uk", "ACME.Example", "münchen.example"])
def test_a_well_formed_domain(good: str) -> None:
    assert domain_problem(good) == ""


@for_each(
    "bad",
    [
        "",
        " acme.example",
        "acme",
        "https://acme.example",
        "a@acme.example",
        "acme.example/x",
        "*.acme.example",
        "acme_x.example",
        "acme.example:80",
        "a b.example",
        "-a.example",
        "10.0.0.1",
        "gmail.com",
    ],
)
def test_a_malformed_domain(bad: str) -> None:
    assert domain_problem(bad, frozenset({"gmail.com"})) != ""
