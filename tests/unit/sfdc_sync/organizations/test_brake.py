"""The brake: limits per field, for blanks, for rows that are not there, for marks; and the cause that fits."""

from dataclasses import replace

import pytest

from sfdc_sync.organizations.brake import Before, judge
from sfdc_sync.organizations.links import World
from sfdc_sync.organizations.model import Gone, Plan, Value
from sfdc_sync.organizations.planner import Options, Planner
from sfdc_sync.policy.organizations import BrakePolicy, Limit
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import POLICY, account, organization, sf_id, world

TIGHT = BrakePolicy(
    changes=Limit(absolute=10, share=0.5, least=1),
    blanks=Limit(absolute=5, share=0.5, least=1),
    disappeared=Limit(absolute=3, share=0.5, least=1),
    marks=Limit(absolute=4, share=0.5, least=1),
    creates=Limit(absolute=6, share=0.5, least=1),
)


def many(count: int, held: Value = "a", wanted: Value = "a", *, of: int = 20) -> World:
    """`of` linked pairs; of the first `count` the organization holds `held`, and should hold `wanted`."""
    accounts, organizations = [], []
    for number in range(1, of + 1):
        touched = number <= count
        accounts.append(account(sf_id(number), f"N{number}", market_segment=wanted if touched else "a"))
        organizations.append(
            organization(str(number), f"N{number}", of=sf_id(number), market_segment=held if touched else "a")
        )
    return world(accounts, organizations)


def plan(given: World) -> Plan:
    return Planner(POLICY, Options(create=True)).plan(given)


def causes(given: World, before: Before = Before()) -> list[str]:  # noqa: B008  # frozen
    return [
        f"{each.what} {each.count}/{each.allowed}: {each.cause.split(':')[0]}"
        for each in judge(plan(given), TIGHT, before)
    ]


@pytest.mark.parametrize(("count", "trips"), [(10, False), (11, True)])
def test_an_absolute_limit_per_field(count: int, *, trips: bool) -> None:
    assert bool(causes(many(count, "b", "a"))) is trips


@pytest.mark.parametrize(("count", "trips"), [(3, False), (4, True)])
def test_a_relative_limit_per_field(count: int, *, trips: bool) -> None:
    assert bool(causes(many(count, "b", "a", of=6))) is trips


def test_a_few_always_pass_however_small_the_account() -> None:
    assert causes(many(1, "b", "a", of=1)) == []


def test_a_field_may_have_a_limit_of_its_own() -> None:
    own = TIGHT.model_copy(update={"fields": {"market_segment": Limit(absolute=100, share=1, least=0)}})
    assert judge(plan(many(20, "b", "a")), own, Before()) == []


def test_blanks_of_a_field_that_is_empty_everywhere_are_a_hidden_field() -> None:
    assert causes(many(6, "a", None), Before(held={"market_segment": 6})) == ["blanks 6/5: hidden field"]
    assert causes(many(6, "a", None), Before(held={"market_segment": 20})) == [
        "blanks 6/5: a mass edit in Salesforce emptied it"
    ]


def test_rows_that_are_not_there_are_invisible_or_the_filter_changed() -> None:
    full = many(0)
    less = replace(full, accounts=full.accounts[4:])
    assert causes(less) == ["disappeared accounts 4/3: invisible rows"]
    assert causes(less, Before(filter_changed=True)) == ["disappeared accounts 4/3: changed filter"]


def test_marks_and_merges_and_creations_have_limits() -> None:
    full = many(0)
    ids = [each.id for each in full.accounts[:5]]
    deleted = replace(full, accounts=full.accounts[5:], gone={each: Gone(each) for each in ids})
    assert causes(deleted) == ["marks 5/4: a mass deletion of accounts in Salesforce"]
    winners = [account(sf_id(100 + n), f"W{n}", market_segment="a") for n in range(5)]
    merged = {each: Gone(each, winner.id) for each, winner in zip(ids, winners, strict=True)}
    relinks = replace(full, accounts=[*full.accounts[5:], *winners], gone=merged)
    assert causes(relinks) == ["relinks 5/4: merge"]
    new = replace(full, accounts=[*full.accounts, *(account(sf_id(200 + n), f"X{n}") for n in range(7))])
    assert causes(new) == [
        "new organizations 7/6: many new accounts, or organizations that are not seen any more"
    ]


@for_each(
    "known, cause",
    [
        ("a", "a person's edit"),
        ("b", "a mass edit in Salesforce"),
        (None, "a first run, or a mass edit in Salesforce"),
    ],
)
def test_many_changes_are_a_mass_edit_or_a_person_in_zendesk(known: str | None, cause: str) -> None:
    written = {str(n): {"market_segment": known} for n in range(1, 21)} if known else None
    assert causes(many(11, "b", "a"), Before(written=written)) == [f"changes 11/10: {cause}"]
