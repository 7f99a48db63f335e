"""Accounts to organizations against both stand-ins, by the real clients (docs/rules.md S5-S8)."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from sfdc_sync.organizations.brake import LIFTED_FOR
from sfdc_sync.organizations.handlers import add_organization_handlers
from sfdc_sync.organizations.reading import WrongEnvironment
from sfdc_sync.organizations.runs import Stopped
from sfdc_sync.organizations.salesforce_side import Unreadable
from sfdc_sync.organizations.saved_plan import parsed, written
from sfdc_sync.policy.organizations import BrakePolicy, Limit
from sfdc_sync.tables import brake_releases
from supportops.contracts import OrganizationDeleted, OrganizationUpdated
from supportops.errors import Permanent
from supportops.messaging import Handlers
from supportops.workers import Busy
from tests.integration.sfdc_sync.sync_app import (
    ACME,
    ACME_ORG,
    GITLAB_ORG,
    GROABLET,
    GROABLET_ORG,
    POLICY,
    ROOMY,
    Sync,
    fields,
)


async def test_a_full_run_corrects_a_wrong_plan_with_its_tag_and_the_next_one_has_nothing_to_do(
    sync: Sync,
) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    sync.systems.account("Without an organization")
    before = len(sync.systems.writes())
    result = await sync.of().full("bulk", "test")
    assert {"done": 1, "refused": 0, "missing": 1}.items() <= result.counts.items()
    acme = sync.systems.organization(ACME_ORG)
    assert (fields(acme, "support_level"), acme["tags"]) == (["gold"], ["gold"])
    assert sync.systems.writes()[before:] == [f"updated {ACME_ORG}"], "one write, and nothing was created"
    again = await sync.of().full("bulk", "test")
    assert again.counts["done"] == 0
    assert sync.systems.writes()[before + 1 :] == []


async def test_a_delta_creates_with_the_plan_in_the_first_call_and_hears_of_leavers(sync: Sync) -> None:
    made = sync.systems.account(
        "New customer", Support_Level__c="Ultimate", Number_of_Licenses_This_Account__c=12
    )
    sync.systems.edit_account(ACME, Type="Former Customer")
    result = await sync.of().delta("test")
    assert result.kind == "delta"
    (new,) = sync.systems.by_external_id(made)
    assert fields(new, "salesforce_id", "support_level", "seats_decimal") == [made, "ultimate", 12]
    assert fields(sync.systems.organization(ACME_ORG), "account_type") == ["former_customer"]
    assert (await sync.of().delta("test")).counts["done"] == 0, "what was seen twice is written once"


async def test_a_plan_is_applied_as_far_as_it_still_holds_and_undone_as_far_as_nobody_has_touched_it(
    sync: Sync,
) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold", Market_Segment__c="Large")
    sync.systems.edit_account(GROABLET, Support_Level__c="Silver")
    document = parsed(written(await sync.of().plan("test", create=False)))
    assert document.plan.counts["update"] == 2
    assert {each.sla for each in document.plan.items} == {"", "priority -> priority"} - {
        "priority -> priority"
    }
    sync.systems.edit_organization(GROABLET_ORG, organization_fields={"support_level": "bronze"})
    applied = await sync.of().apply(document, "test")
    assert applied.counts["done"] == 1
    assert applied.moved == (
        "Groablet Enterprises: support_level is 'bronze' by now (the plan saw 'ultimate')",
    )
    assert fields(sync.systems.organization(ACME_ORG), "support_level", "market_segment") == ["gold", "Large"]
    again = await sync.of().apply(document, "test")
    assert again.counts["done"] == 0
    sync.systems.edit_organization(ACME_ORG, organization_fields={"market_segment": "a person's"})
    undone = await sync.of().undo(applied.run_id, "test")
    assert fields(sync.systems.organization(ACME_ORG), "support_level", "market_segment") == [
        "premium",
        "a person's",
    ]
    assert undone.moved == ('Acme Ltd: touched since, left alone: market_segment is "a person\'s"',)


async def test_a_hidden_field_stops_before_anything_is_compared(sync: Sync) -> None:
    before = sync.systems.writes()
    sync.systems.salesforce("rights", hidden=["Account.Support_Level__c"])
    with pytest.raises(Unreadable, match=r"Account\.Support_Level__c"):
        await sync.of().full("full", "test")
    assert sync.systems.writes() == before
    (run, *_) = await sync.repository.runs(1)
    assert (run["state"], "field-level security" in run["reason"]) == ("failed", True)


async def test_hidden_rows_stop_at_the_brake_until_a_person_lifts_it_for_one_run(sync: Sync) -> None:
    strict = BrakePolicy(disappeared=Limit(absolute=0, share=0.1, least=0), changes=ROOMY, creates=ROOMY)
    braked = sync.with_rules(brake=strict)
    before = sync.systems.writes()
    sync.systems.salesforce("rights", hidden_rows=[ACME])
    with pytest.raises(Stopped, match="invisible rows"):
        await braked.full("full", "test")
    assert sync.systems.writes() == before
    long_ago = datetime.now(UTC) - LIFTED_FOR
    row = {
        "release_id": "1",
        "released_by": "ada",
        "reason": "for a run that never came",
        "released_at": long_ago,
    }
    async with sync.vendors.store.transaction() as tx:
        await tx.execute(insert(brake_releases).values(row))
    with pytest.raises(Stopped):
        await braked.full("full", "test")
    await sync.repository.release_brake("ada", "these are really gone")
    await braked.full("full", "test")
    assert fields(sync.systems.organization(ACME_ORG), "marked_for_review") == [True]
    assert [row["organization_id"] for row in await sync.repository.marked()] == []
    sync.systems.salesforce("rights", hidden_rows=[])
    await braked.full("full", "test")
    assert fields(sync.systems.organization(ACME_ORG), "marked_for_review") == [False]
    sync.systems.salesforce("rights", hidden_rows=[ACME])
    with pytest.raises(Stopped):
        await braked.full("full", "test")  # armed again


async def test_merged_accounts_are_relinked_and_deleted_ones_marked_for_review(sync: Sync) -> None:
    winner = sync.systems.account("Acme Holding", Support_Level__c="Ultimate")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[ACME])
    sync.systems.salesforce("delete", object="Account", id=GROABLET)
    proposed = await sync.of().full("full", "test")
    assert ("conflict", "held", "Acme Ltd") in await sync.rows(proposed.run_id)
    relinked = await sync.of().full("bulk", "test")
    assert ("relink", "done", "Acme Ltd") in await sync.rows(relinked.run_id)
    acme = sync.systems.organization(ACME_ORG)
    assert (acme["external_id"], fields(acme, "salesforce_id", "support_level")) == (
        winner,
        [winner, "ultimate"],
    )
    assert fields(sync.systems.organization(GROABLET_ORG), "marked_for_review") == [True]
    sync.systems.salesforce("undelete", object="Account", id=GROABLET)
    await sync.of().delta("test")
    assert fields(sync.systems.organization(GROABLET_ORG), "marked_for_review") == [False]


async def test_an_organization_that_was_merged_away_is_followed_and_not_made_again(sync: Sync) -> None:
    sync.systems.merge_organizations(ACME_ORG, GITLAB_ORG)
    before = len(sync.systems.writes())
    await sync.with_rules(create_on=["full", "delta"]).full("full", "test")
    assert fields(sync.systems.organization(GITLAB_ORG), "salesforce_id", "support_level") == [
        ACME,
        "premium",
    ]
    assert sync.systems.writes()[before:] == [f"updated {GITLAB_ORG}"]


async def test_a_lost_answer_creates_nothing_twice(sync: Sync) -> None:
    made = [sync.systems.account("Lost answer"), sync.systems.account("Its neighbour")]
    sync.systems.arm("zendesk", "create_many", "drop_after_commit", count=1)
    result = await sync.of().delta("test")
    assert [len(sync.systems.by_external_id(each)) for each in made] == [1, 1]
    assert {state for _, state, _ in await sync.rows(result.run_id)} == {"done"}


async def test_a_taken_name_is_kept_with_its_reason_and_adopted_by_the_next_compare(sync: Sync) -> None:
    """Our own list does not know of the new name yet: its event is on the way."""
    taken, free = sync.systems.account("GitLab Holding"), sync.systems.account("Free")
    sync.systems.edit_organization(GITLAB_ORG, name="gitlab HOLDING", external_id="somebody's")
    first = await sync.of().delta("test")
    assert (first.refused, await sync.repository.refused_accounts()) == (1, {taken})
    assert len(sync.systems.by_external_id(free)) == 1, "one refused row harms no other"
    (row,) = [each for each in await sync.repository.rows_about(taken) if each["state"] == "refused"]
    assert "already been taken" in row["reason"]
    await sync.of().full("full", "test")
    adopted = sync.systems.organization(GITLAB_ORG)
    assert (fields(adopted, "salesforce_id"), adopted["external_id"]) == ([taken], "somebody's")
    assert await sync.repository.refused_accounts() == set()


async def test_who_could_get_no_organization_gets_one_when_that_is_settled(sync: Sync) -> None:
    """Its account does not change, so that no delta would see it again; and a full compare makes none."""
    one, other = sync.systems.account("Twin"), sync.systems.account(" TWIN ")
    await sync.of().delta("test")
    assert await sync.repository.refused_accounts() == {one, other}
    await sync.of().full("full", "test")
    assert await sync.repository.refused_accounts() == {one, other}
    sync.systems.edit_account(other, Name="Another")
    await sync.of().delta("test")
    assert [len(sync.systems.by_external_id(each)) for each in (one, other)] == [1, 1]
    assert await sync.repository.refused_accounts() == set()


async def test_a_delta_sees_both_organizations_that_hold_one_id(sync: Sync) -> None:
    for key in (GITLAB_ORG, ACME_ORG):
        sync.systems.edit_organization(key, organization_fields={"salesforce_id": ACME})
    sync.systems.edit_account(ACME, Support_Level__c="Gold", Zendesk__Zendesk_Organization_Id__c=None)
    await sync.of().full("full", "test")
    before = sync.systems.writes()
    result = await sync.of().delta("test")
    assert {(action, state) for action, state, _ in await sync.rows(result.run_id)} == {("conflict", "held")}
    assert sync.systems.writes() == before, "neither is guessed"


async def test_limits_and_a_session_that_ends_in_the_middle_only_cost_time(sync: Sync) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    sync.systems.arm("zendesk", "update_many", "rate_limit", retry_after=1, count=1)
    sync.systems.arm("salesforce", "query", "expire_session", count=1)
    result = await sync.of().full("full", "test")
    assert (result.counts["done"], fields(sync.systems.organization(ACME_ORG), "support_level")) == (
        1,
        ["gold"],
    )


async def test_two_runs_at_once_are_one(sync: Sync) -> None:
    sync.systems.edit_account(ACME, Support_Level__c="Gold")
    first, second = await asyncio.gather(
        sync.of().full("full", "a"), sync.of().full("full", "b"), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in (first, second)) == ["Busy", "RunResult"]
    assert isinstance(first, Busy) or isinstance(second, Busy)
    assert sync.systems.writes().count(f"updated {ACME_ORG}") == 2, "the first compare's and this one"


async def test_another_org_and_a_sandbox_are_refused(sync: Sync) -> None:
    wrong = sync.with_rules(salesforce_org_id="00D000000000001")
    with pytest.raises(WrongEnvironment, match="the rules name"):
        await wrong.full("full", "test")
    org = await sync.of().reader.accounts.org()
    assert not org.sandbox
    await sync.repository.unpin("salesforce")
    await sync.repository.pinned("salesforce", f"{org.id} sandbox")
    with pytest.raises(WrongEnvironment, match="sync pin"):
        await sync.of().full("full", "test")


async def test_a_plan_of_other_rules_is_refused(sync: Sync) -> None:
    document = await sync.of().plan("test", create=False)
    with pytest.raises(Permanent, match="rules have changed"):
        await sync.with_rules(types=["Customer", "Partner"]).apply(document, "test")
    assert POLICY.types == ("Customer",)


async def test_an_event_of_a_persons_edit_in_zendesk_has_it_corrected_by_the_next_delta(sync: Sync) -> None:
    sync.systems.edit_account(ACME, SystemModstamp="2020-01-01T00:00:00.000+0000")
    sync.systems.edit_organization(ACME_ORG, organization_fields={"support_level": "gold"})
    assert (await sync.of().delta("test")).counts["done"] == 0, "nothing told of it yet"
    edited = OrganizationUpdated(
        id="e1",
        source="/zendesk",
        time=datetime.now(UTC),
        subject=ACME_ORG,
        account_id="1",
        organization_id=ACME_ORG,
        version="2026-03-01T12:00:00.000000000Z",
        zendesk_type="custom_field_changed",
    )
    handlers = add_organization_handlers(Handlers())
    for _ in range(2):  # heard twice
        async with sync.vendors.store.transaction() as tx:
            await handlers.run([edited], tx)
    assert [row["organization_id"] for row in await sync.repository.stale()] == [ACME_ORG]
    assert (await sync.of().delta("test")).counts["done"] == 1
    assert fields(sync.systems.organization(ACME_ORG), "support_level") == ["premium"]
    assert await sync.repository.stale() == []


async def test_an_organization_that_was_deleted_is_made_again_and_not_twice(sync: Sync) -> None:
    gone = OrganizationDeleted(
        id="e2",
        source="/zendesk",
        time=datetime.now(UTC),
        subject=ACME_ORG,
        account_id="1",
        organization_id=ACME_ORG,
        version="2026-03-01T12:00:00.000000000Z",
    )
    sync.systems.delete_organization(ACME_ORG)
    async with sync.vendors.store.transaction() as tx:
        await add_organization_handlers(Handlers()).run([gone], tx)
    assert ACME not in await sync.repository.linked()
    sync.systems.edit_account(ACME, Market_Segment__c="Large")
    for _ in range(2):
        await sync.of().delta("test")
    assert [each["name"] for each in sync.systems.by_external_id(ACME)] == ["Acme Ltd"]
