"""Requests from asking to undoing, with everything that may come between."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from sandbox.zendesk.records import User
from sfdc_sync.sharing import audit_log, requests, text
from sfdc_sync.sharing.rules.lifecycle import NotAllowed, State
from sfdc_sync.sharing.rules.options import Option
from sfdc_sync.tables import sharing_audit, sharing_requests
from tests.integration.sfdc_sync.sharing_app import (
    ACME,
    ADA,
    ADA_AGENT,
    BEN,
    GROABLET,
    JO,
    POLICY,
    RITA,
    SAM,
    YES,
    SharingWorld,
)
from tests.support.for_each import for_each

REQUESTED, ORGANIZATION = "requested", "organization"


@pytest.mark.both_databases
async def test_a_request_is_asked_approved_applied_and_undone(world: SharingWorld) -> None:
    ticket = world.ticket()
    number = await world.ask(Option.SELECTED_VIEW, ticket, "Rita@groablet.example")
    asked = await world.worked(number)
    assert asked.request.state is State.ASKED
    assert asked.request.selected == (str(RITA),)
    assert {each.user: each.opens for each in asked.changes} == {"Rita Requester": True, "Sam Second": False}
    with pytest.raises(NotAllowed, match="second person"):
        await world.approve(number, replace(ADA, name=" ADA"))
    await world.approve(number)
    applied = await world.worked(number)
    assert (applied.request.state, applied.request.decided_by) == (State.APPLIED, "ben")
    assert world.sharing() == (False, False)
    assert world.levels() == {RITA: ORGANIZATION, SAM: REQUESTED, ADA_AGENT: None}
    assert [(each.public, "sharing-1-applied" in each.body) for each in world.comments(ticket)] == [
        (True, True)
    ]
    await world.undo(number)
    assert (await world.worked(number)).request.state is State.UNDONE
    assert world.levels() == {RITA: REQUESTED, SAM: REQUESTED, ADA_AGENT: None}
    assert ["undone" in each.body for each in world.comments(ticket)] == [False, True]
    async with world.store.reading() as conn:
        told = [each.action async for each, _ in audit_log.entries(conn, number)]
        assert await audit_log.verify(conn) is None
    assert told == ["asked", "checked", "approved", "applied", "undo_asked", "undone"]


@for_each(
    "option, sharing, rita",
    [
        (Option.OWN_TICKETS, (False, False), REQUESTED),
        (Option.ALL_VIEW, (True, False), REQUESTED),
        (Option.ALL_COMMENT, (True, True), REQUESTED),
        (Option.SELECTED_COMMENT, (False, True), ORGANIZATION),
    ],
)
async def test_each_option_sets_the_whole_whatever_was_before(
    world: SharingWorld, option: Option, sharing: tuple[bool, bool], rita: str
) -> None:
    before = world.outside.zendesk.account.organization(GROABLET)
    before.shared_tickets, before.shared_comments = True, True
    world.user(SAM).ticket_restriction = ORGANIZATION
    number = await world.apply(option, *([str(RITA)] if rita == ORGANIZATION else []))
    assert world.sharing() == sharing
    assert world.levels() == {RITA: rita, SAM: REQUESTED, ADA_AGENT: None}
    await world.undo(number)
    await world.worked(number)
    assert world.sharing() == (True, True)
    assert world.levels() == {RITA: REQUESTED, SAM: ORGANIZATION, ADA_AGENT: None}


@pytest.mark.parametrize(
    ("ticket", "selected", "note", "why"),
    [
        ({"words": "yes please"}, [], "", "does not hold the customer's acceptance"),
        ({"words": "ok", "tags": ["shared_organization_accepted"]}, [], "", ""),
        ({"requester": JO}, [], "", f"does not belong to organization {GROABLET}"),
        ({"requester": ADA_AGENT}, [], "", "was not requested by a customer"),
        ({}, [], "Contract: NO shared organization!", "a note on the organization says"),
        ({}, [str(JO)], "", "names nobody"),
    ],
)
async def test_a_request_without_its_grounds_is_refused_with_a_reason(
    world: SharingWorld, ticket: dict[str, Any], selected: list[str], note: str, why: str
) -> None:
    world.outside.zendesk.account.organization(GROABLET).notes = note
    number = await world.ask(Option.ALL_VIEW, world.ticket(**ticket), *selected)
    found = await world.worked(number)
    assert found.request.state is (State.REFUSED if why else State.ASKED)
    assert why in found.request.reason
    assert world.writes() == []


async def test_words_of_others_are_not_the_customers_acceptance(world: SharingWorld) -> None:
    """An agent writes the phrase for the customer to repeat, who does not; a colleague does."""
    ticket_id = world.ticket("Please share.")
    editor, ticket = world.outside.zendesk.editor, world.outside.zendesk.account.ticket(int(ticket_id))
    for author in (ADA_AGENT, SAM):
        editor.update(ticket, {"comment": {"body": YES, "author_id": author, "public": True}}, author)
    number = await world.ask(Option.ALL_VIEW, ticket_id)
    assert (await world.worked(number)).request.state is State.REFUSED


@pytest.mark.parametrize("whose", ["ticket", "organization", "requester", "parent"])
async def test_only_a_tag_of_the_tickets_own_is_an_acceptance(world: SharingWorld, whose: str) -> None:
    (tag,) = POLICY.acceptance.tags
    ticket_id = world.ticket("Please share.", tags=[tag])
    account = world.outside.zendesk.account
    account.organization(GROABLET).tags = [tag] if whose == "organization" else []
    world.user(RITA).tags = [tag] if whose == "requester" else []
    account.ticket(int(ticket_id)).via_followup_source_id = 4999 if whose == "parent" else None
    number = await world.ask(Option.ALL_VIEW, ticket_id)
    expected = State.ASKED if whose == "ticket" else State.REFUSED
    assert (await world.worked(number)).request.state is expected


async def test_what_is_not_there_is_no_evidence(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, "999", organization_id=77)
    assert "organization 77 is not there" in (await world.worked(number)).request.reason
    number = await world.ask(Option.ALL_VIEW, "999")
    assert "ticket 999 is not there" in (await world.worked(number)).request.reason


async def test_an_organization_has_one_open_request_at_a_time(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    with pytest.raises(NotAllowed, match=f"request {number} for organization"):
        await world.ask(Option.OWN_TICKETS, world.ticket())
    async with world.store.transaction() as tx:
        await requests.refuse(tx, number, BEN, "not now")
    await world.ask(Option.OWN_TICKETS, world.ticket())


async def test_of_two_approvals_at_once_one_counts(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(number)
    both = await asyncio.gather(
        world.approve(number), world.approve(number, replace(BEN, name="cleo")), return_exceptions=True
    )
    assert [type(each) for each in both if each is not None] == [NotAllowed]
    await world.worked(number)
    assert world.writes().count("zendesk.organization.updated") == 1


async def test_what_opens_for_more_people_than_were_shown_is_approved_again(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    shown = await world.worked(number)
    world.user(JO).organization_ids.append(GROABLET)
    await world.approve(number)
    back = await world.worked(number)
    assert back.request.state is State.ASKED
    assert back.request.seen != shown.request.seen
    assert "Jo Client" in {each.user for each in back.changes}
    assert world.writes() == []
    await world.approve(number)
    assert (await world.worked(number)).request.state is State.APPLIED


async def test_a_ground_that_is_gone_by_the_time_it_is_applied_refuses_it(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(number)
    world.outside.zendesk.account.organization(GROABLET).details = "no shared organization, says their CISO"
    await world.approve(number)
    assert (await world.worked(number)).request.state is State.REFUSED
    assert world.writes() == []


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 503},
        {"kind": "error", "status": 502, "after_commit": True},
        {"kind": "429", "retry_after": 1},
    ],
)
async def test_a_bad_moment_between_the_writes_leaves_what_was_before_as_it_was(
    world: SharingWorld, fault: dict[str, Any]
) -> None:
    world.outside.zendesk.account.organization(GROABLET).shared_tickets = True
    world.user(SAM).ticket_restriction = world.user(RITA).ticket_restriction = ORGANIZATION
    number = await world.ask(Option.OWN_TICKETS, ticket := world.ticket())
    await world.worked(number)
    world.arm(**fault, path="*/users/8*", method="PUT", count=1)
    world.arm(**fault, path=f"*/tickets/{ticket}", method="PUT", count=1)
    await world.approve(number)
    applied = await world.worked(number)
    assert applied.request.state is State.APPLIED
    assert world.levels() == {RITA: REQUESTED, SAM: REQUESTED, ADA_AGENT: None}
    assert applied.before is not None
    assert applied.before.members == {str(RITA): ORGANIZATION, str(SAM): ORGANIZATION}
    assert len(world.comments(ticket)) == 1
    await world.undo(number)
    await world.worked(number)
    assert world.sharing() == (True, False)
    assert world.levels() == {RITA: ORGANIZATION, SAM: ORGANIZATION, ADA_AGENT: None}


async def test_what_zendesk_does_not_keep_is_found_by_reading_back(
    world: SharingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with an agent who may change notes only: the call is answered 200, the key is dropped."""
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(number)

    async def dropped(_organization_id: str, **_: bool) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(world.zendesk.sharing, "share", dropped)
        await world.approve(number)
        failed = await world.worked(number)
    assert failed.request.state is State.FAILED
    assert "did not keep what was written: shared_tickets" in failed.request.reason
    await world.undo(number)
    assert (await world.worked(number)).request.state is State.UNDONE


async def test_undoing_leaves_alone_what_somebody_changed_and_closes_for_who_left(
    world: SharingWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says so: to the customer, who must not hear that all is as before, and to whoever looks."""
    number = await world.apply(Option.SELECTED_VIEW, str(RITA), str(SAM))
    world.user(RITA).organization_id = ACME
    world.outside.zendesk.account.organization(GROABLET).shared_tickets = True
    await world.undo(number)
    done = await world.worked(number)
    assert done.request.state is State.UNDONE
    assert world.sharing() == (True, False)
    assert world.levels() == {RITA: REQUESTED, SAM: REQUESTED, ADA_AGENT: None}
    said = world.comments(done.request.ticket_id)[-1].body
    assert ("sharing-1-undone" in said, "that stays as it is now" in said) == (True, True)
    async with world.store.reading() as conn:
        told = await text.document(conn, number, world.store.clock.now())
    assert told is not None
    text.show(told)
    assert f"{GROABLET}\tshared_tickets\tfalse\ttrue" in capsys.readouterr().out


async def test_of_several_requests_the_last_one_is_undone_first(world: SharingWorld) -> None:
    first = await world.apply(Option.ALL_VIEW)
    second = await world.apply(Option.ALL_COMMENT)
    with pytest.raises(NotAllowed, match=f"request {second} came after request {first}"):
        await world.undo(first)
    await world.undo(second)
    await world.worked(second)
    assert world.sharing() == (True, False)
    await world.undo(first)
    await world.worked(first)
    assert world.sharing() == (False, False)


async def test_the_watch_finds_what_somebody_changed_by_hand_and_forgets_it_when_it_is_mended(
    world: SharingWorld,
) -> None:
    number = await world.apply(Option.ALL_VIEW)
    organization = world.outside.zendesk.account.organization(GROABLET)
    organization.shared_comments = True
    world.user(SAM).ticket_restriction = ORGANIZATION
    await world.watch(number)
    assert await world.drift() == [("shared_comments", "true"), ("ticket_restriction", ORGANIZATION)]
    organization.shared_comments = False
    world.user(SAM).ticket_restriction = REQUESTED
    await world.watch(number)
    assert await world.drift() == []


@pytest.mark.parametrize("follow", [True, False])
async def test_joiners_and_leavers_follow_by_setting(world: SharingWorld, follow: bool) -> None:
    world.policy = POLICY.model_copy(update={"follow_membership": follow})
    number = await world.apply(Option.SELECTED_VIEW, str(SAM))
    world.user(JO).organization_ids.append(GROABLET)
    world.user(JO).ticket_restriction = ORGANIZATION
    world.user(SAM).organization_id = ACME
    stored = await world.watch(number)
    expected = (REQUESTED, REQUESTED) if follow else (ORGANIZATION, ORGANIZATION)
    assert (world.user(JO).ticket_restriction, world.user(SAM).ticket_restriction) == expected
    assert await world.drift() == ([] if follow else [("membership", "joined"), ("membership", "left")])
    if follow:
        assert stored.before is not None
        assert stored.before.members[str(JO)] == ORGANIZATION
        await world.undo(number)
        await world.worked(number)
        assert world.user(JO).ticket_restriction == ORGANIZATION


async def test_what_a_joiner_had_survives_an_answer_that_is_lost(world: SharingWorld) -> None:
    number = await world.apply(Option.OWN_TICKETS)
    world.user(JO).organization_ids.append(GROABLET)
    world.user(JO).ticket_restriction = ORGANIZATION
    world.arm("error", status=502, after_commit=True, path=f"*/users/{JO}", method="PUT", count=1)
    stored = await world.watch(number)
    assert world.user(JO).ticket_restriction == REQUESTED
    assert stored.before is not None
    assert stored.before.members[str(JO)] == ORGANIZATION


async def test_whom_another_request_has_opened_is_kept_open_where_that_harms_nothing(
    world: SharingWorld,
) -> None:
    world.user(RITA).organization_ids.append(ACME)
    await world.apply(Option.SELECTED_VIEW, str(RITA), organization_id=ACME)
    await world.apply(Option.ALL_VIEW)
    assert world.user(RITA).ticket_restriction == ORGANIZATION
    number = await world.ask(Option.OWN_TICKETS, world.ticket())
    taken = [each for each in (await world.worked(number)).changes if each.closes]
    assert {each.organization for each in taken} == {"Groablet Enterprises", "Acme Ltd"}


async def test_a_request_that_nobody_answers_ends_and_an_open_one_is_read_again(world: SharingWorld) -> None:
    old = await world.ask(Option.ALL_VIEW, world.ticket())
    await world.worked(old)
    fresh = await world.ask(Option.ALL_VIEW, world.ticket(requester=JO), organization_id=ACME)
    await world.worked(fresh)
    async with world.store.transaction() as tx:
        passed = update(sharing_requests).where(sharing_requests.c.number == old)
        await tx.execute(passed.values(requested_at=tx.now - POLICY.patience))
    world.user(SAM).organization_ids.append(ACME)
    assert (await world.watch(old)).request.state is State.EXPIRED
    assert "Sam Second" in {each.user for each in (await world.find(fresh)).changes}


async def test_a_reading_that_was_given_up_is_made_again_by_the_watch(world: SharingWorld) -> None:
    number = await world.ask(Option.ALL_VIEW, world.ticket())
    world.arm("error", status=400, path=f"*/organizations/{GROABLET}", method="GET", count=1)
    assert (await world.worked(number)).request.state is State.CHECKING
    assert (await world.watch(number)).request.state is State.ASKED


async def test_names_are_forgotten_and_undoing_works_nevertheless(world: SharingWorld) -> None:
    number = await world.apply(Option.SELECTED_VIEW, str(RITA))
    async with world.store.transaction() as tx:
        await tx.execute(update(sharing_requests).values(decided_at=tx.now - POLICY.keep_names))
    assert (await world.watch(number)).changes == ()
    await world.undo(number)
    await world.worked(number)
    assert world.levels()[RITA] == REQUESTED


@pytest.mark.both_databases
async def test_the_audit_log_takes_no_change(world: SharingWorld) -> None:
    await world.ask(Option.ALL_VIEW, world.ticket())
    for statement in (update(sharing_audit).values(actor="nobody"), delete(sharing_audit)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with world.store.transaction() as tx:
                await tx.execute(statement)
    async with world.store.reading() as conn:
        assert (await conn.execute(select(sharing_audit.c.actor))).scalars().all() == ["ada"]
        number, digest = await audit_log.head(conn)
        assert await audit_log.verify(conn, digest) is None
        assert "no entry has the hash" in str(await audit_log.verify(conn, "0" * 64))
    assert number == 1


async def test_many_members_are_written_in_pieces(
    world: SharingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.outside.zendesk.account
    for number in range(120):
        user = account.add_user(User(9000 + number, f"P{number}", f"p{number}@x.example"))
        user.organization_id, user.ticket_restriction = GROABLET, ORGANIZATION
    calls: list[str] = []
    read = world.zendesk.sharing.organization_ids_of

    async def counted(user_id: str) -> list[str]:
        calls.append(user_id)
        return await read(user_id)

    monkeypatch.setattr(world.zendesk.sharing, "organization_ids_of", counted)
    number = await world.apply(Option.OWN_TICKETS)
    assert len(calls) == 2 * (120 + 1)  # once to be shown, once before the first write: not with every piece
    assert {account.user(9000 + each).ticket_restriction for each in range(120)} == {REQUESTED}
    applied = await world.find(number)
    assert applied.before is not None
    assert set(applied.before.members.values()) == {ORGANIZATION, REQUESTED}
    assert list(applied.before.members.values()).count(ORGANIZATION) == 120
    assert world.writes().count("zendesk.user.updated") == 120
