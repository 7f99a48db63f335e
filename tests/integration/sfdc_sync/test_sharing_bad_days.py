"""People whose level nobody takes back: their organization is gone, or Zendesk drops what is written."""

import pytest

from sandbox.zendesk.organizations_api import OrganizationsApi
from sandbox.zendesk.records import User
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import ORGANIZATION, REQUESTED, Option
from tests.integration.sfdc_sync.sharing_app import ACME, GROABLET, POLICY, SAM, SharingWorld


@pytest.mark.parametrize("follow", [True, False])
async def test_nobody_takes_a_level_along_from_an_organization_that_is_gone(
    world: SharingWorld, follow: bool
) -> None:
    """As when it is merged into another: its people would see all tickets there."""
    world.policy = POLICY.model_copy(update={"follow_membership": follow})
    number = await world.apply(Option.SELECTED_VIEW, str(SAM))
    account = world.outside.zendesk.account
    OrganizationsApi(account, world.outside.ledger).remove(account.organization(GROABLET), heir=ACME)
    await world.watch(number)
    assert world.user(SAM).ticket_restriction == (REQUESTED if follow else ORGANIZATION)
    assert ("organization", "gone") in await world.drift()
    await world.undo(number)
    assert (await world.worked(number)).request.state is State.UNDONE
    assert world.user(SAM).ticket_restriction == REQUESTED


async def test_levels_that_zendesk_does_not_keep_are_found_after_the_first_piece(
    world: SharingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker would write the first fifty people for ever."""
    account = world.outside.zendesk.account
    for number in range(60):
        user = account.add_user(User(9000 + number, f"P{number}", f"p{number}@x.example"))
        user.organization_id, user.ticket_restriction = GROABLET, ORGANIZATION
    number = await world.ask(Option.OWN_TICKETS, world.ticket())
    await world.worked(number)
    written: list[str] = []

    async def dropped(user_id: str, _restriction: str) -> None:
        written.append(user_id)

    with monkeypatch.context() as patch:
        patch.setattr(world.zendesk.sharing, "restrict", dropped)
        await world.approve(number)
        failed = await world.worked(number)
    assert (failed.request.state, len(written)) == (State.FAILED, 50)
    assert "did not keep what was written: ticket_restriction" in failed.request.reason
