"""Which happenings of a ticket have its record written, and what is done with the record at the moment of the call."""

from datetime import UTC, datetime
from typing import Any, Literal

from sfdc_sync.policy.ticket_records import Fact, TicketRecordPolicy
from sfdc_sync.ticket_records.decisions import (
    Action,
    Known,
    Ticket,
    account_fact,
    facts_of,
    implied,
    intent_of,
)
from supportops.contracts import (
    TicketClosed,
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from tests.support.for_each import for_each

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
HAD: Known = {"requester_id": "1", "organization_id": "2"}


def event(kind: type[TicketEvent], **more: Any) -> TicketEvent:
    envelope = {
        "id": "x",
        "source": "/zendesk/1",
        "time": AT,
        "subject": "7",
        "account_id": "1",
        "ticket_id": "7",
    }
    return kind.model_validate({**envelope, "version": "v", **more})


SOLVED = event(TicketSolved, solved_at=AT)
UPDATED = event(TicketUpdated, zendesk_type="x")
ERASED = event(TicketDeleted, permanently=True)


@for_each(
    "happening, before, after, facts",
    [
        (event(TicketCreated), None, HAD, ["created"]),
        (event(TicketCreated), {"requester_id": "9"}, HAD, ["created"]),
        (SOLVED, HAD, HAD, ["solved:2026-11-02T09:00:00Z"]),
        (event(TicketMerged, target_ticket_id="8"), HAD, HAD, ["merged"]),
        (event(TicketDeleted), HAD, HAD, ["deleted:v"]),
        (ERASED, HAD, HAD, ["erased"]),
        (event(TicketUndeleted), HAD, HAD, ["undeleted:v"]),
        (event(TicketClosed), HAD, HAD, []),
        (UPDATED, HAD, HAD, []),
        (UPDATED, HAD, {**HAD, "requester_id": "3"}, ["requester:v"]),
        (UPDATED, HAD, {**HAD, "organization_id": None}, ["organization:v"]),
        (UPDATED, {}, {"requester_id": "3", "organization_id": "4"}, ["requester:v", "organization:v"]),
        (UPDATED, None, HAD, []),
        (SOLVED, HAD, {**HAD, "organization_id": "9"}, ["solved:2026-11-02T09:00:00Z", "organization:v"]),
    ],
)
def test_facts(happening: TicketEvent, before: Known | None, after: Known, facts: list[str]) -> None:
    assert facts_of(TicketRecordPolicy(), happening, before, after) == facts


@for_each("kind", ["created", "solved", "merged", "deleted", "undeleted", "requester", "organization"])
def test_a_fact_that_the_rules_do_not_name_has_nothing_written(kind: Fact) -> None:
    policy = TicketRecordPolicy(write_on=tuple(f for f in TicketRecordPolicy().write_on if f != kind))
    happenings = (
        event(TicketCreated),
        SOLVED,
        event(TicketMerged),
        event(TicketDeleted),
        event(TicketUndeleted),
        UPDATED,
    )
    after = {"requester_id": "8", "organization_id": "9"}
    found = {fact.partition(":")[0] for each in happenings for fact in facts_of(policy, each, HAD, after)}
    assert found == {*policy.write_on} - {"account"}, "that one is no event's"


def test_records_that_are_kept_are_not_touched_by_a_deletion() -> None:
    policy = TicketRecordPolicy(deleted="keep")
    assert facts_of(policy, event(TicketDeleted), HAD, HAD) == []
    assert facts_of(policy, ERASED, HAD, HAD) == []


@for_each(
    "happening, known",
    [
        (SOLVED, {"status": "solved", "solved_at": AT.isoformat()}),
        (event(TicketReopened, current_status="open"), {"status": "open", "solved_at": None}),
        (event(TicketClosed), {"status": "closed"}),
        (event(TicketDeleted), {"status": "deleted", "deleted": True}),
        (event(TicketUndeleted), {"deleted": False}),
        (event(TicketMerged, target_ticket_id="8"), {"merged_into_id": "8"}),
        (event(TicketMerged), {}),
        (UPDATED, {}),
    ],
)
def test_what_the_kind_of_an_event_says_by_itself(happening: TicketEvent, known: Known) -> None:
    assert implied(happening) == known


ACCOUNT, OTHER = "001D000000IqhSLIAZ", "0018a00001rBqb8AAC"


def ticket(*, revision: int = 2, written: int = 0, deleted: bool = False, erased: bool = False) -> Ticket:
    record_id, account_id = ("a0K5f0000000001AAA", ACCOUNT) if written else ("", "")
    return Ticket("7", {"deleted": deleted}, "v", revision, erased, written, record_id, account_id)


NEW, OLD, CURRENT = ticket(), ticket(written=1), ticket(written=2)
GONE, GONE_UNWRITTEN = ticket(written=1, deleted=True), ticket(deleted=True)


@for_each(
    "state, fact, deleted, action, reason",
    [
        (NEW, "created", "mark", Action.WRITE, ""),
        (NEW, "solved:x", "mark", Action.WRITE, ""),
        (NEW, "merged", "mark", Action.WRITE, ""),
        (NEW, "undeleted:v", "mark", Action.WRITE, ""),
        (NEW, "again:3", "mark", Action.WRITE, ""),
        (NEW, "organization:v", "mark", Action.NOTHING, "no record yet"),
        (NEW, "requester:v", "mark", Action.NOTHING, "no record yet"),
        (OLD, "organization:v", "mark", Action.WRITE, ""),
        (CURRENT, "solved:x", "mark", Action.NOTHING, "stale"),
        (OLD, account_fact(OTHER, 1), "mark", Action.WRITE, ""),
        (OLD, account_fact(ACCOUNT, 1), "mark", Action.NOTHING, "names this account already"),
        (CURRENT, account_fact(OTHER, 1), "mark", Action.NOTHING, "stale"),
        (NEW, account_fact(OTHER, 1), "mark", Action.NOTHING, "no record yet"),
        (GONE, account_fact(OTHER, 1), "keep", Action.NOTHING, "keep its record"),
        (GONE, "deleted:v", "mark", Action.WRITE, ""),
        (GONE, "deleted:v", "delete", Action.REMOVE, ""),
        (GONE, "solved:x", "delete", Action.REMOVE, ""),
        (GONE, "solved:x", "keep", Action.NOTHING, "keep its record"),
        (GONE_UNWRITTEN, "created", "mark", Action.NOTHING, "has no record"),
        (GONE_UNWRITTEN, "created", "delete", Action.NOTHING, "has no record"),
        (ticket(written=2, deleted=True), "deleted:v", "mark", Action.NOTHING, "stale"),
        (ticket(written=1, erased=True), "erased", "delete", Action.REMOVE, ""),
        (ticket(written=1, erased=True), "erased", "mark", Action.WRITE, ""),
        (ticket(erased=True), "created", "mark", Action.NOTHING, "permanently deleted"),
    ],
)
def test_what_is_done_with_the_record(
    state: Ticket, fact: str, deleted: Literal["keep", "mark", "delete"], action: Action, reason: str
) -> None:
    found = intent_of(state, fact, deleted)
    assert found.action is action
    assert reason in found.reason
    assert bool(found.reason) == (action is Action.NOTHING)
