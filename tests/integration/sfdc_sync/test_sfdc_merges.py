"""Accounts that are merged in Salesforce: records of tickets follow, once, and sharing that would be lost is told."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sfdc_sync.integrity import merges
from sfdc_sync.operations.organization_commands import show_result, summary
from sfdc_sync.organizations.model import Action
from sfdc_sync.organizations.runs import RunResult
from sfdc_sync.organizations.saved_plan import parsed
from sfdc_sync.organizations.saved_plan import written as written_plan
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.sharing.repository import state_text
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option, Sharing, SharingState
from sfdc_sync.tables import account_merges, sharing_requests, ticket_records
from sfdc_sync.ticket_records.repository import rename_accounts
from tests.integration.sfdc_sync.app import RULES, Service, events_written, settled, states, with_rules
from tests.integration.sfdc_sync.events import created, erased
from tests.integration.sfdc_sync.sandbox import GROABLET, GROABLET_ACCOUNT, Outside
from tests.integration.sfdc_sync.sync_app import ACME, ACME_ORG, POLICY, Sync

FIELDS = {
    **{name: rule.model_dump() for name, rule in RULES.ticket_record.fields.items()},
    "Account_Match__c": {"source": "account_match"},
}


@pytest.fixture
def rules() -> SfdcPolicy:
    """Look-ups are remembered for a long time, so that nothing but the merge itself has them made anew."""
    return with_rules(fields=FIELDS)


async def accounts(service: Service) -> dict[str, str]:
    """The account of each record, as we know it."""
    async with service.store.reading() as conn:
        found = await conn.execute(ticket_records.select())
        return {row.ticket_id: row.account_id for row in found}


async def written(service: Service, *ticket_ids: str, **more: Any) -> None:
    await service.hears(*(created(key, **more) for key in ticket_ids))
    async with service.delivering():
        await settled(service.store)


@pytest.mark.both_databases
async def test_records_follow_a_merge_once_and_come_back_with_an_account_that_is_brought_back(
    sync: Sync, service: Service, outside: Outside
) -> None:
    await written(service, "7", "8")
    await written(service, "9", organization_id=ACME_ORG)
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    before = len(outside.writes())
    run = await sync.of().delta("test")
    assert run.counts["records"] == 2
    assert (await sync.of().full("full", "test")).counts.get("records", 0) == 0, "they wait already"
    async with service.delivering():
        await settled(service.store)
    assert await accounts(service) == {"7": winner, "8": winner, "9": ACME}
    assert [each["kind"] for each in outside.writes()[before:]] == ["salesforce.record.updated"] * 2
    assert {outside.records()[key]["Account__c"] for key in "78"} == {winner}
    assert [event["account"]["id"] for event in await events_written(service.store)][-2:] == [winner] * 2
    assert (await sync.of().full("full", "test")).counts.get("records", 0) == 0, "and are not asked for again"

    sync.systems.salesforce("undelete", object="Account", id=GROABLET_ACCOUNT)
    back = await sync.of().delta("test")
    assert back.counts["records"] == 2, "the organization still holds its id: nobody has relinked it"
    async with service.delivering():
        await settled(service.store)
    assert await accounts(service) == {"7": GROABLET_ACCOUNT, "8": GROABLET_ACCOUNT, "9": ACME}
    assert await sync.repository.merges() == {}
    assert (await sync.of().delta("test")).counts.get("records", 0) == 0
    assert len([key for key in await states(service.store) if ":account:" in key]) == 4


async def test_a_chain_of_merges_is_followed_to_its_end_also_where_only_a_record_names_the_account(
    sync: Sync, service: Service, outside: Outside
) -> None:
    """No organization holds this account's id: its contact's ticket alone knows of it."""
    prospect = sync.systems.account("Prospect", Type="Prospect")
    outside.insert("Contact", {"LastName": "Lo", "Email": "lo@prospect.example", "AccountId": prospect})
    lo = outside.add_user(name="Lo", email="lo@prospect.example")
    await written(service, "7", organization_id=None, requester_id=lo)
    assert await accounts(service) == {"7": prospect}
    between, end = (
        sync.systems.account("Between", Type="Prospect"),
        sync.systems.account("End", Type="Prospect"),
    )
    sync.systems.salesforce("merge", object="Account", winner=between, losers=[prospect])
    sync.systems.salesforce("merge", object="Account", winner=end, losers=[between])
    assert (await sync.of().full("full", "test")).counts["records"] == 1
    async with service.delivering():
        await settled(service.store)
    assert await accounts(service) == {"7": end}


async def test_a_merge_is_remembered_when_the_recycle_bin_is_emptied_before_anybody_relinks(
    sync: Sync,
) -> None:
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    await sync.of().full("full", "test")
    sync.systems.salesforce("empty_bin")
    late = await sync.of().full("bulk", "test")
    assert ("relink", "done", "Groablet Enterprises") in await sync.rows(late.run_id)
    assert sync.systems.organization(GROABLET)["external_id"] == winner


async def test_a_record_keeps_its_account_when_the_bin_is_empty_and_nobody_has_relinked(
    sync: Sync, service: Service, outside: Outside
) -> None:
    """The organization holds an id by then that Salesforce does not know any more."""
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    await sync.of().delta("test")
    sync.systems.salesforce("empty_bin")
    await written(service, "7")
    record = outside.records()["7"]
    assert (record["Account__c"], record["Account_Match__c"]) == (winner, "salesforce_id")


async def test_sharing_that_is_in_force_is_told_in_plan_run_and_output(
    sync: Sync, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {
        "number": 7,
        "organization_id": GROABLET,
        "ticket_id": "1",
        "option": Option.SELECTED_VIEW,
        "selected": "[]",
        "state": State.APPLIED,
        "requested_by": "ada",
        "requested_at": sync.repository.now(),
        "target": state_text(SharingState(Sharing(False, False), {})),
    }
    async with sync.vendors.store.transaction() as tx:
        await tx.execute(sharing_requests.insert().values(request))
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    document = parsed(written_plan(await sync.of().plan("test", create=False)))
    (told,) = [each for each in document.plan.items if each.action is Action.SHARING]
    assert "sharing request 7 is in force" in told.reason
    assert any(told.reason in str(words) for words in summary(document).values())
    applied = await sync.of().apply(document, "test")

    async def ended() -> RunResult:
        return applied

    capsys.readouterr()  # log lines up to here
    assert await show_result(ended(), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["lost sharing"] == [f"Groablet Enterprises: {told.reason}"]
    assert {"relink": 1, "sharing": 1, "done": 1}.items() <= applied.counts.items()
    assert ("sharing", "held", "Groablet Enterprises") in await sync.rows(applied.run_id)
    (row,) = [
        each
        for each in await sync.repository.rows_about(winner)
        if each["run_id"] == applied.run_id and each["action"] == "sharing"
    ]
    assert row["reason"] == told.reason


async def test_the_rules_may_leave_records_as_they_are(sync: Sync, service: Service) -> None:
    await written(service, "7")
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    kept = sync.of_rules(
        with_rules(write_on=["created", "solved"]).model_copy(update={"organizations": POLICY})
    )
    assert (await kept.full("full", "test")).counts.get("records", 0) == 0
    assert set(await states(service.store)) == {"7:created"}


async def test_a_ticket_that_is_gone_for_good_is_left_alone(sync: Sync, service: Service) -> None:
    await written(service, "7")
    await service.hears(erased("7", 60))  # and what it has written waits still
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    assert (await sync.of().full("full", "test")).counts.get("records", 0) == 0


async def test_a_run_that_dies_between_two_pages_of_records_is_finished_by_the_next(
    sync: Sync, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(service, "7", "8", "9")
    winner = sync.systems.account("Groablet Holding")
    sync.systems.salesforce("merge", object="Account", winner=winner, losers=[GROABLET_ACCOUNT])
    monkeypatch.setattr("sfdc_sync.ticket_records.repository.PAGE", 2)
    monkeypatch.setattr(merges, "rename_accounts", dies_at_call(2, rename_accounts))
    with pytest.raises(ConnectionResetError):
        await sync.of().full("full", "test")
    async with service.store.reading() as conn:
        assert (await conn.execute(account_merges.select())).all() == [], "not told as done"
    monkeypatch.undo()
    assert (await sync.of().full("full", "test")).counts["records"] == 1
    async with service.delivering():
        await settled(service.store)
    assert set((await accounts(service)).values()) == {winner}


def dies_at_call[**P, T](number: int, real: Callable[P, T]) -> Callable[P, T]:
    """`real`, but the `number`th call is lost."""
    calls = 0

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal calls
        calls += 1
        if calls == number:
            raise ConnectionResetError
        return real(*args, **kwargs)

    return called
