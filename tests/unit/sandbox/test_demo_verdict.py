"""The demo's verdict sees what is missing, what came twice and what should not be there."""

from typing import Any

import pytest

from sandbox.demo.activity_log import describe
from sandbox.demo.story import EXPORTED, PRIVATE_NOTE, Day
from sandbox.demo.verdict import FEEDBACK, MANAGER, findings
from sandbox.demo.world import Addresses, Json, World, survey_link

TICKETS = {"runners": 1, "upgrade": 2, "excluded": 3, "security": 4, "sharing": 5, "last": 6}
LINK = "Good: http://127.0.0.1:1/s/token?score=good"


class OutsideWorld(World):
    """What the sandbox and csat would answer after a perfect day."""

    def __init__(self) -> None:
        super().__init__(Addresses("", "", ""))
        self.numbers: Json = {"good": 1, "bad": 1, "asked": 2, "kpi": 0.5}
        self.rows = [{"Zendesk_Ticket_ID__c": str(t), "Status__c": "open"} for t in TICKETS.values()]

    def records(self, name: str) -> list[Json]:
        return self.rows

    def expected(self) -> dict[int, Json]:
        return {ticket: {"status": "open", "feed_actions": 1} for ticket in TICKETS.values()}

    def kpi(self) -> Json:
        return self.numbers

    def summary(self) -> Json:
        return {"sender": {"invocations": {"success": 9}}}


def record(ticket: int) -> Json:
    ids = {"Zendesk_Ticket_ID__c": str(ticket)}
    return {"kind": "salesforce.record.created", "external_ids": ids, "fields": {"Status__c": "new"}}


def message(ticket: int, key: str = "") -> Json:
    payload = {"ticket_id": ticket, "key": key or str(ticket)}
    return {
        "kind": "slack.message",
        "channel_name": "feed",
        "payload": payload,
        "text": "Groablet Enterprises",
    }


def issue(role: str, confidential: bool = True) -> Json:
    link = f"[ticket {TICKETS[role]}](https://z.example/agent/tickets/{TICKETS[role]})"
    labels = list(FEEDBACK[role])
    return {"kind": "gitlab.issue", "iid": 4, "description": link, "labels": labels} | {
        "confidential": confidential
    }


def perfect() -> list[Json]:
    entries = [record(ticket) for ticket in TICKETS.values()]
    entries += [message(ticket) for role, ticket in TICKETS.items() if role != "security"]
    for ticket in (1, 2):
        entries.append({"kind": "zendesk.comment", "ticket_id": ticket, "body": LINK})
        entries.append({"kind": "zendesk.tags", "ticket_id": ticket, "changed": True, "tags": ["t"]})
        entries.append({"kind": "zendesk.tags", "ticket_id": ticket, "changed": True, "tags": [EXPORTED]})
    for shared in (True, False):
        fields = {"shared_tickets": shared}
        entries.append({"kind": "zendesk.organization.updated", "organization_id": 1, "fields": fields})
        told = {"ticket_id": 5, "public": True, "body": f"Done.\n\nReference: sharing-1-{shared}"}
        entries.append({"kind": "zendesk.comment", **told})
    entries += [issue("runners"), issue("upgrade"), {"kind": "gitlab.mention", "name": MANAGER}]
    return entries


def wrong(entries: list[Json], world: OutsideWorld | None = None) -> list[str]:
    outside = world or OutsideWorld()
    day = Day(TICKETS, entries, {"good": 0, "bad": 0, "asked": 0, "kpi": None})
    found = [finding.what for finding in findings(outside, day) if not finding.right]
    outside.close()
    return found


def test_a_perfect_day_has_no_findings() -> None:
    assert wrong(perfect()) == []


@pytest.mark.parametrize("place", range(len(perfect())))
def test_every_single_effect_is_missed_when_it_is_missing(place: int) -> None:
    entries = perfect()
    del entries[place]
    assert wrong(entries) != []


@pytest.mark.parametrize("place", range(len(perfect())))
def test_every_single_effect_is_seen_when_it_comes_twice(place: int) -> None:
    entries = perfect()
    assert wrong([*entries, entries[place]]) != []


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (message(4), "security: Slack messages, one per public action"),
        ({"kind": "slack.update", "text": PRIVATE_NOTE}, "the private note in Slack"),
        ({"kind": "zendesk.comment", "ticket_id": 3, "body": LINK}, "excluded: survey comment"),
        ({"kind": "gitlab.quick_action", "name": "close"}, "set off by comments"),
        ({"kind": "gitlab.mention", "name": "all"}, "who is notified in GitLab"),
    ],
)
def test_what_must_never_be_is_named(entry: Json, what: str) -> None:
    assert what in wrong([*perfect(), entry])


def test_a_vote_that_was_not_counted_is_seen() -> None:
    world = OutsideWorld()
    world.numbers = {"good": 1, "bad": 0, "asked": 2, "kpi": 1.0}
    assert wrong(perfect(), world) == ["KPI: bad"]


def test_an_issue_for_all_to_read_is_seen() -> None:
    entries = [entry for entry in perfect() if entry["kind"] != "gitlab.issue"]
    found = wrong([*entries, issue("runners"), issue("upgrade", confidential=False)])
    assert found == ["upgrade: its issue is confidential"]


def test_a_stale_record_is_seen() -> None:
    world = OutsideWorld()
    world.rows[0]["Status__c"] = "new"
    assert wrong(perfect(), world) == ["runners: its state"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (message(1), "-> Slack       #feed: Groablet Enterprises"),
        (record(7), "-> Salesforce  record of ticket 7 created: new"),
        ({"kind": "gitlab.mention", "name": "tam"}, "-> GitLab      notifies @tam"),
        (
            issue("runners"),
            "-> GitLab      issue #4: satisfaction::Good, form::Self-managed, subscription::Customer",
        ),
        ({"kind": "zendesk.webhook", "status": "failed"}, "!! webhook     failed"),
        ({"kind": "zendesk.webhook", "status": "success"}, ""),
        ({"kind": "zendesk.tags", "ticket_id": 2, "changed": False, "tags": []}, ""),
    ],
)
def test_effects_are_described(entry: dict[str, Any], line: str) -> None:
    assert describe(entry) == line


def test_a_comment_without_a_link_is_no_survey() -> None:
    assert survey_link({"body": "Please look at http://127.0.0.1/s/"}) == ""


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ([True], "shared_tickets of the organization, in order"),
        ([False, True], "shared_tickets of the organization, in order"),
        ([True, False, True], "shared_tickets of the organization, in order"),
    ],
)
def test_what_was_shared_is_compared_in_its_order(changes: list[bool], what: str) -> None:
    entries = [entry for entry in perfect() if "shared_tickets" not in entry.get("fields", {})]
    for shared in changes:
        told = {"organization_id": 1, "fields": {"shared_tickets": shared}}
        entries.append({"kind": "zendesk.organization.updated", **told})
    assert wrong(entries) == [what]
