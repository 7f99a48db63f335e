"""Random accounts, organizations, merges, permissions lost, edits by hand, a run killed anywhere, another at once.

The model: what every living account of a configured type should look like in Zendesk.
"""

import random
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sfdc_sync.organizations.brake import Before, judge
from sfdc_sync.organizations.links import World, own_id
from sfdc_sync.organizations.model import Account, Action, Gone, Item, Organization, Plan, same
from sfdc_sync.organizations.planner import Options, Planner
from sfdc_sync.policy.organizations import BrakePolicy, Limit, OrganizationsPolicy
from tests.support.examples import examples
from tests.unit.sfdc_sync.organizations.worlds import sf_id, written

NAMES = ("Acme", "acme ", "Globex", "Initech", "Umbrella")
PLANS = (None, "gold", "premium", "starter")
POLICY = OrganizationsPolicy()
PLANNER = Planner(POLICY, Options(create=True))
OURS = {*POLICY.fields, POLICY.marked}


@dataclass
class Outside:
    """Salesforce and Zendesk, with what people do to them."""

    accounts: dict[str, Account] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)
    organizations: dict[str, Organization] = field(default_factory=dict)

    def world(self) -> World:
        return World(tuple(self.accounts.values()), dict(self.gone), tuple(self.organizations.values()))


def outside(rng: random.Random) -> Outside:
    found = Outside()
    for number in range(1, rng.randint(1, 7)):
        key = sf_id(number)
        back = str(rng.randint(1, 6)) if rng.random() < 0.2 else None
        target = {
            "salesforce_id": key,
            "support_level": rng.choice(PLANS),
            "aar": rng.choice((None, 0, 12.5)),
        }
        found.accounts[key] = Account(key, rng.choice(NAMES).strip(), rng.random() < 0.8, back, target)
    for number in range(1, rng.randint(1, 7)):
        owner = sf_id(rng.randint(1, 9)) if rng.random() < 0.5 else None
        values = {"salesforce_id": owner, "support_level": rng.choice(PLANS), "unmapped": f"theirs {number}"}
        tags = tuple(rng.sample(("gold", "premium", "vip"), rng.randint(0, 2)))
        found.organizations[str(number)] = Organization(str(number), rng.choice(NAMES), owner, values, tags)
    return found


def happen(rng: random.Random, world: Outside) -> None:
    """Something that people do between two runs."""
    ids = list(world.accounts)
    match rng.randint(0, 4):
        case 0 if len(ids) > 1:
            loser, winner = rng.sample(ids, 2)
            del world.accounts[loser]
            world.gone[loser] = Gone(loser, winner)
        case 1 if ids:
            del world.accounts[(gone := rng.choice(ids))]
            world.gone[gone] = Gone(gone)
        case 2 if world.organizations:
            key = rng.choice(list(world.organizations))
            found = world.organizations[key]
            world.organizations[key] = replace(
                found, values={**found.values, "support_level": rng.choice(PLANS)}
            )
        case 3 if ids:
            key = rng.choice(ids)
            found_account = world.accounts[key]
            target = {**found_account.target, "support_level": rng.choice(PLANS)}
            world.accounts[key] = replace(found_account, target=target)
        case _:
            pass


def holds(item: Item, world: Outside) -> bool:
    """What `apply` asks before it writes: are the values still those that the plan saw?"""
    if item.organization_id is None:
        return all(own_id(each) != item.account_id for each in world.organizations.values())
    return item.organization_id in world.organizations


def apply(plan: Plan, world: Outside, *, until: int) -> None:
    for item in plan.writes[:until]:
        if holds(item, world):
            written(world.organizations, item)


def check_reached(world: Outside, plan: Plan) -> None:
    """Whoever is linked holds what Salesforce says; nothing but conflicts is left; no account has two of ours."""
    assert {item.action for item in plan.items} <= {Action.CONFLICT, Action.MISSING}
    disputed = {item.account_id for item in plan.items} | {
        other for item in plan.items for other in item.others
    }
    for account in world.accounts.values():
        mine = [each for each in world.organizations.values() if own_id(each) == account.id]
        if account.id in disputed or (not mine and not account.wanted):
            continue
        assert len(mine) == 1, (account, mine)
        for key, value in account.target.items():
            assert same(mine[0].values.get(key), value)
        assert not (PLANNER.plan_tags & set(mine[0].tags)) - {account.target["support_level"]}


@settings(max_examples=examples(300), deadline=None)
@given(st.randoms(use_true_random=False))
def test_plans_reach_the_model_whatever_happens(rng: random.Random) -> None:
    world = outside(rng)
    theirs = {
        key: (each.values.get("unmapped"), "vip" in each.tags) for key, each in world.organizations.items()
    }
    for _ in range(rng.randint(0, 3)):
        happen(rng, world)
        first, other = PLANNER.plan(world.world()), PLANNER.plan(world.world())
        apply(first, world, until=rng.randint(0, len(first.writes)))  # killed anywhere
        apply(other, world, until=len(other.writes))  # another run at once, from the same reading
    last = PLANNER.plan(world.world())
    apply(last, world, until=len(last.writes))
    check_reached(world, PLANNER.plan(world.world()))
    for key, (unmapped, vip) in theirs.items():
        left = world.organizations[key]
        assert (left.values.get("unmapped"), "vip" in left.tags) == (unmapped, vip), (
            "nothing unmapped is touched"
        )
    owners = [own_id(each) for key, each in world.organizations.items() if key not in theirs]
    assert len(owners) == len(set(owners)), "nothing is created twice"


@settings(max_examples=examples(100), deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["field", "rows"]))
def test_a_permission_that_is_lost_stops_at_the_brake(rng: random.Random, what: str) -> None:
    """Ten linked pairs and more; then a field, or the accounts, are not seen any more."""
    strict = BrakePolicy(
        blanks=Limit(absolute=5, share=1, least=0), disappeared=Limit(absolute=5, share=1, least=0)
    )
    count = rng.randint(10, 30)
    accounts = [
        Account(sf_id(n), f"N{n}", True, None, {"salesforce_id": sf_id(n), "support_level": "gold"})
        for n in range(count)
    ]
    organizations = [
        Organization(str(n), f"N{n}", sf_id(n), {"salesforce_id": sf_id(n), "support_level": "gold"})
        for n in range(count)
    ]
    healthy = World(accounts, {}, organizations)
    assert judge(PLANNER.plan(healthy), strict, Before()) == []
    lost = rng.randint(6, count)
    if what == "field":
        hidden = [replace(each, target={**each.target, "support_level": None}) for each in accounts[:lost]]
        seen: list[Account] = [*hidden, *accounts[lost:]]
    else:
        seen = accounts[lost:]
    assert judge(PLANNER.plan(replace(healthy, accounts=seen)), strict, Before()) != []
