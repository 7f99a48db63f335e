"""The demo's verdict sees what is missing, what came twice and what should not be there."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from sandbox.demo.activity_log import BREACH, ActivityLog, describe
from sandbox.demo.acts.deadline import ANSWERED, KNOWN, LEAD, NOTE, OPEN, TAKEN, DeadlineFacts
from sandbox.demo.acts.upgrade import ACCOUNT, ACME, PLANS, Operator, Upgrade, UpgradeFacts
from sandbox.demo.processes import DemoError
from sandbox.demo.story import EXPORTED, PRIVATE_NOTE, Day
from sandbox.demo.verdict import FEEDBACK, MANAGER, findings
from sandbox.demo.world import Addresses, Json, World, survey_link
from tests.architecture.tree import ROOT
from tests.support.for_each import for_each

ROLES = ("runners", "upgrade", "excluded", "security", "sharing", "last", "deadline")
TICKETS = {role: number for number, role in enumerate(ROLES, start=1)}
AFTER, BEFORE = PLANS
DUE = datetime(2026, 3, 2, 9, tzinfo=UTC)
LINK = "Good: http://127.0.0.1:1/s/token?score=good"


class OutsideWorld(World):
    """What the sandbox and csat would answer after a perfect day."""

    def __init__(self) -> None:
        super().__init__(Addresses("", "", ""))
        self.numbers: Json = {"good": 1, "bad": 1, "asked": 2, "kpi": 0.5}
        self.said: list[Json] = []
        self.edited: list[tuple[str, dict[str, str]]] = []
        self.rows = [{"Zendesk_Ticket_ID__c": str(t), "Status__c": "open"} for t in TICKETS.values()]

    def records(self, name: str) -> list[Json]:
        return self.rows

    def expected(self) -> dict[int, Json]:
        return {ticket: {"status": "open", "feed_actions": 1} for ticket in TICKETS.values()}

    def said_in_slack(self) -> list[Json]:
        return self.said

    def edit_account(self, account_id: str, **fields: str) -> None:
        self.edited.append((account_id, fields))

    def last_seq(self) -> int:
        return 0

    def ledger(self, kind: str = "", after: int = 0) -> list[Json]:
        return []

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
    return [*entries, *deadline(), plan_written(ACME, AFTER)]


def deadline() -> list[Json]:
    """A notice half a second late, taken on, answered; the bot asked three times."""
    until = " until <!date^1^{time}|then>"
    states = (OPEN, f"{TAKEN}{until}", ANSWERED)
    entries = [alert("slack.update" if at else "slack.message", words) for at, words in enumerate(states)]
    entries.append({"kind": "slack.ephemeral", "text": f"It is yours{until}, or until a public reply."})
    for question, words in KNOWN.items():
        entries.append({"kind": "slack.response", "key": question, "text": " ".join(words).format(ticket=7)})
    return entries + [{"kind": "slack.ack", "status": 200, "at": number} for number in range(4)]


def alert(kind: str, state: str, late: float = 0.5) -> Json:
    block = {"type": "context", "elements": [{"type": "mrkdwn", "text": state}]}
    about = {"payload": {"ticket_id": 7, "key": "notice"}, "attachments": [{"blocks": [block]}]}
    at = (DUE + timedelta(seconds=late)).isoformat()
    return {"kind": kind, "event_type": BREACH, "channel_name": "breach", "text": "Soon", "at": at} | about


def plan_written(organization: int, plan: str) -> Json:
    fields = {"organization_fields": {"support_level": plan}}
    return {"kind": "zendesk.organization.updated", "organization_id": organization, "fields": fields}


def checked() -> UpgradeFacts:
    """Found, and gone after the sync."""
    found = {"finding": str(ACME), "organization_id": str(ACME), "first_seen": "then", "gone_since": None}
    found |= {"salesforce_value": AFTER, "zendesk_value": BEFORE}
    return UpgradeFacts(BEFORE, AFTER, [found], [found | {"gone_since": "now"}])


def whole_day(entries: list[Json]) -> Day:
    asked = {"breaching": "breaching", "ticket 7": "ticket", "csat": "csat"}
    return Day(
        TICKETS,
        entries,
        {"good": 0, "bad": 0, "asked": 0, "kpi": None},
        DeadlineFacts(TICKETS["deadline"], DUE, 1.0, asked),
        checked(),
    )


def wrong(entries: list[Json], world: OutsideWorld | None = None) -> list[str]:
    outside = world or OutsideWorld()
    found = [finding.what for finding in findings(outside, whole_day(entries)) if not finding.right]
    outside.close()
    return found


def test_a_perfect_day_has_no_findings() -> None:
    assert wrong(perfect()) == []


@for_each("place", range(len(perfect())))
def test_every_single_effect_is_missed_when_it_is_missing(place: int) -> None:
    entries = perfect()
    del entries[place]
    assert wrong(entries) != []


@for_each("place", range(len(perfect())))
def test_every_single_effect_is_seen_when_it_comes_twice(place: int) -> None:
    entries = perfect()
    assert wrong([*entries, entries[place]]) != []


@for_each(
    "entry, what",
    [
        (message(4), "security: Slack messages, one per public action"),
        ({"kind": "slack.update", "text": PRIVATE_NOTE}, f"in Slack: {PRIVATE_NOTE}"),
        ({"kind": "slack.response", "key": "", "text": NOTE}, f"in Slack: {NOTE}"),
        ({"kind": "gitlab.note", "body": NOTE}, f"anywhere: {NOTE}"),
        (plan_written(1, "basic"), "plans of others that moved"),
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


@for_each(
    "entry, line",
    [
        (message(1), "-> Slack       #feed: Groablet Enterprises"),
        (record(7), "-> Salesforce  record of ticket 7 created: new"),
        (
            alert("slack.update", f"{TAKEN} until <!date^1^{{time}}|then>"),
            f"-> Slack       #breach: (changed) {TAKEN} until then: Soon",
        ),
        (
            plan_written(7, "basic"),
            "-> Zendesk     organization 7 has the fields of its account, its plan is basic",
        ),
        ({"kind": "slack.response", "text": "Hi"}, "-> Slack       to one person: Hi"),
        ({"kind": "slack.ack", "status": 200}, ""),
        ({"kind": "slack.ack", "status": 0}, "!! Slack       was answered 0"),
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


@for_each(
    "changes, what",
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


def test_a_note_that_only_a_channel_shows_is_seen() -> None:
    world = OutsideWorld()
    world.said = [{"text": f"Psst: {NOTE}"}]
    assert wrong(perfect(), world) == [f"in Slack: {NOTE}"]


@pytest.mark.parametrize("late", [-0.1, 1.1])
def test_a_notice_that_is_not_to_the_second_is_seen(late: float) -> None:
    entries = [alert("slack.message", OPEN, late) if is_first(entry) else entry for entry in perfect()]
    assert wrong(entries) == ["the notice at its moment, 1 s late at most"]


def is_first(entry: Json) -> bool:
    return entry["kind"] == "slack.message" and entry.get("event_type") == BREACH


def test_an_answer_that_does_not_know_is_seen() -> None:
    entries = deepcopy(perfect())
    for entry in entries:
        if entry["kind"] == "slack.response":
            entry["text"] = entry["text"].replace("somebody has taken it", "nobody has it")
    assert wrong(entries) == ["the bot's answer to 'breaching' names"]


@for_each(
    "changes, what",
    [
        ({"before": []}, "what the check found"),
        ({"after": []}, "what it calls gone"),
        ({"after": checked().before}, "that it is gone"),
        ({"before": checked().after}, "that it stood then"),
    ],
)
def test_a_finding_that_does_not_come_or_go_is_seen(changes: dict[str, list[Json]], what: str) -> None:
    day = whole_day(perfect())
    assert day.upgrade is not None
    for name, rows in changes.items():
        setattr(day.upgrade, name, rows)
    world = OutsideWorld()
    assert what in [finding.what for finding in findings(world, day) if not finding.right]
    world.close()


def test_a_day_without_the_acts_wants_nothing_of_them() -> None:
    acts = [*deadline(), plan_written(ACME, AFTER)]
    day = whole_day([entry for entry in perfect() if entry not in acts])
    day.deadline = day.upgrade = None
    world = OutsideWorld()
    assert [finding.what for finding in findings(world, day) if not finding.right] == []
    day.entries += acts
    missed = {finding.what for finding in findings(world, day) if not finding.right}
    assert {"breach notices", "answers of the bot", "plans written to Acme"} <= missed
    world.close()


def test_the_lead_is_that_of_the_rules() -> None:
    rules = yaml.safe_load((ROOT / "config/demo.yaml").read_text())["notifier"]["breaches"]["rules"]
    assert [rule["steps"] for rule in rules] == [[f"{LEAD.seconds // 60}m"]]


def test_a_command_that_ends_otherwise_says_what_it_printed() -> None:
    operator = Operator(["/bin/sh", "-c"], patience=20)
    assert operator.runs("echo found; exit 2").end(2) == "found\n"
    with pytest.raises(DemoError, match="ended with 1 instead of 0:\nout\nno such account"):
        operator.runs("echo out; echo no such account >&2; exit 1").end(0)
    with pytest.raises(DemoError, match="did not end"):
        Operator(["/bin/sleep"], patience=0.05).runs("60").end(0)


@pytest.mark.parametrize(("has", "had", "sold"), [("premium", *PLANS), ("Ultimate", *reversed(PLANS))])
def test_the_other_plan_is_sold_each_day(has: str, had: str, sold: str) -> None:
    world = OutsideWorld()
    world.rows = [{"Id": "other", "Support_Level__c": "x"}, {"Id": ACCOUNT, "Support_Level__c": has}]
    log = ActivityLog(world, lambda _line: None, patience=1)
    upgrade = Upgrade(world, log, Operator(["/bin/echo"]))
    upgrade.is_sold()
    assert upgrade.facts == UpgradeFacts(had, sold)
    assert world.edited == [(ACCOUNT, {"Support_Level__c": sold.title()})]
    with pytest.raises(DemoError, match="ended with 0 instead of 2"):
        upgrade.is_synced()
    world.close()
