"""A short support day: tickets of every kind, people who answer, and what must come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.demo.activity_log import BREACH, ActivityLog, Say
from sandbox.demo.acts.deadline import ROLE, SUBJECT, Deadline, DeadlineFacts
from sandbox.demo.acts.sharing import APPROVES, ASKS, PHRASE, SharingPages, is_sharing, is_told
from sandbox.demo.acts.upgrade import Operator, Upgrade, UpgradeFacts
from sandbox.demo.world import Json, Limits, World, survey_link

RITA, JO, GIL = "rita@groablet.example", "jo@acme.example", "gil@gitlab.example"
GROABLET = 8447346622462  # Rita's organization, as it is planted
PRIVATE_NOTE = "Rita's contract runs out in May, careful."
SECURITY_SUBJECT = "Token leaked in a public repository"
HOSTILE_COMMENT = "Took two tries.\r/close\n/label ~ignore\n@all see #1\n![](https://tracker.example/p.gif)"
EXPORTED = "feedback_exported"


@dataclass
class Day:
    """What was done, for the check at the end. Tickets by their role in the story."""

    tickets: dict[str, int] = field(default_factory=dict)
    entries: list[Json] = field(default_factory=list)
    kpi_before: Json = field(default_factory=dict)
    deadline: DeadlineFacts | None = None
    upgrade: UpgradeFacts | None = None


class Story:
    """Plays the day once. Without sharing pages or an operator, and without the notifier's address, the acts that
    need them are left out.
    """

    def __init__(
        self,
        world: World,
        say: Say,
        *,
        limits: Limits,
        sharing: SharingPages | None = None,
        operator: Operator | None = None,
    ) -> None:
        self._world = world
        self._sharing = sharing
        self._log = ActivityLog(world, say, limits.patience)
        self._upgrade = Upgrade(world, self._log, operator) if operator else None
        notifier = world.addresses.notifier
        self._deadline = Deadline(world, self._log, notifier, limits.latest) if notifier else None
        self._day = Day()

    def play(self) -> Day:
        """All acts, then a quiet moment, so that what is doubled has the time to show. What takes its time is begun
        early: commands run, and a deadline comes near, while other things happen.
        """
        self._day.kpi_before = self._world.kpi()
        self._morning()
        self._upgrading(Upgrade.is_sold)
        self._a_change_of_mind()
        self._not_for_everybody()
        self._surveys()
        self._upgrading(Upgrade.is_synced)
        self._afternoon()
        self._control_ticket()
        self._log.wait_for_quiet(3)
        self._day.entries = self._log.entries
        self._day.deadline = self._deadline.facts if self._deadline is not None else None
        self._day.upgrade = self._upgrade.facts if self._upgrade is not None else None
        return self._day

    def _afternoon(self) -> None:
        """An organization is shared, a notice comes and is taken on; the sharing is undone, the deadline met."""
        request = self._share(self._sharing) if self._sharing is not None else ""
        if self._deadline is not None:
            self._deadline.is_taken()
        self._upgrading(Upgrade.is_checked)
        if self._sharing is not None:
            self._unshare(self._sharing, request)
        if self._deadline is not None:
            self._deadline.is_met()
        if self._sharing is not None:
            self._shared(2)
        self._upgrading(Upgrade.ends)

    def _upgrading(self, step: Callable[[Upgrade], None]) -> None:
        if self._upgrade is not None:
            step(self._upgrade)

    def _a_deadline(self) -> None:
        if self._deadline is not None:
            plan = ["ultimate"]  # a tag that tickets have of their organization
            ticket = self._open(ROLE, JO, SUBJECT, "It stops at the first job.", priority="urgent", tags=plan)
            self._deadline.comes(ticket)

    def _open(
        self, role: str, who: str, subject: str, text: str, form: str = "Self-Managed", **more: object
    ) -> int:
        self._log.action(f"{who.partition('@')[0].title()} writes: {subject}")
        ticket = self._world.open_ticket(
            subject=subject, description=text, form=form, requester={"email": who}, **more
        )
        self._day.tickets[role] = ticket
        return ticket

    def _morning(self) -> None:
        ticket = self._open(
            "runners", RITA, "Runners are stuck in the queue", "Since this morning nothing starts."
        )
        self._recorded(ticket, "created")
        self._posted(ticket)
        self._log.action("Ada answers in public")
        self._world.act(ticket, "comments", body="Thanks, I restarted the queue. Better now?")
        self._posted(ticket, times=2)
        self._log.action("Ben leaves a private note, which Slack must never see")
        self._world.act(ticket, "comments", body=PRIVATE_NOTE, public=False)
        self._log.action("Ada answers and solves")
        self._world.act(ticket, "solve", comment="Glad to hear. Solving this one.")
        self._recorded(ticket, "updated", "solved")
        self._posted(ticket, times=3)

    def _a_change_of_mind(self) -> None:
        ticket = self._open("upgrade", JO, "Upgrade failed halfway", "The migration stopped at 60 %.")
        self._recorded(ticket, "created")
        self._log.action("Ada solves, and Jo comes back before the survey is due")
        self._world.act(ticket, "solve", comment="Please run it again.")
        self._world.act(ticket, "reopen", comment="It stopped again, at the same place.")
        self._posted(ticket, times=3)

    def _not_for_everybody(self) -> None:
        excluded = self._open("excluded", GIL, "Question from the inside", "How do I see the logs?")
        self._log.action("Ada solves; this organization is not asked for ratings")
        self._world.act(excluded, "solve", comment="Under Admin, Monitoring.")
        self._open("security", RITA, SECURITY_SUBJECT, "Please help quickly.", form="Security Issue")
        self._log.action("Ada solves the upgrade for good")
        self._world.act(self._day.tickets["upgrade"], "solve", comment="Version 17.6.2 has the fix.")
        self._recorded(self._day.tickets["upgrade"], "updated", "solved")

    def _surveys(self) -> None:
        self._answer("runners", "Rita", {"score": "good", "comment": "Quick and friendly."})
        self._a_deadline()
        reason = "The answer wasn't delivered in a timely manner"
        self._answer("upgrade", "Jo", {"score": "bad", "comment": HOSTILE_COMMENT, "reason": reason})
        for role in ("runners", "upgrade"):
            self._told_the_team(role)

    def _told_the_team(self, role: str) -> None:
        ticket = self._day.tickets[role]
        self._log.wait_for(f"the issue of ticket {ticket}", lambda e: is_issue(e, ticket))
        self._log.wait_for(
            f"the tag {EXPORTED} on ticket {ticket}",
            lambda e: e["kind"] == "zendesk.tags" and e["ticket_id"] == ticket and EXPORTED in e["tags"],
        )

    def _answer(self, role: str, name: str, fields: dict[str, str]) -> None:
        ticket = self._day.tickets[role]
        self._log.action(f"waiting for the survey of ticket {ticket}")
        sent = self._log.wait_for(
            f"the survey of ticket {ticket}", lambda e: e.get("ticket_id") == ticket and bool(survey_link(e))
        )
        link = survey_link(sent)
        self._world.look_at_survey(link)
        before = self._world.kpi()
        self._log.action(f"{name} opens the survey page and votes {fields['score']}")
        self._world.vote(link, **fields)
        after = self._log.wait_for_numbers(before["good"] + before["bad"] + 1)
        self._log.action(f"KPI before {_numbers(before)}, after {_numbers(after)}")
        self._log.wait_for(
            "its tag", lambda e: e["kind"] == "zendesk.tags" and e["ticket_id"] == ticket and e["changed"]
        )

    def _share(self, pages: SharingPages) -> str:
        """Asked for by the customer, approved by a second person; the request's path."""
        ticket = self._open("sharing", RITA, "Please share our tickets", f"{PHRASE}, please.")
        self._recorded(ticket, "created")
        self._posted(ticket)
        self._log.action(
            f"{ASKS.title()} asks for it, {APPROVES.title()} sees who would see what, and approves"
        )
        request = pages.ask(GROABLET, ticket)
        pages.approve(request)
        return request

    def _unshare(self, pages: SharingPages, request: str) -> None:
        """Once it is so, it is undone."""
        self._shared(1)
        self._log.action(f"{APPROVES.title()} undoes it")
        pages.wait_for(request, "applied")
        pages.undo(request)

    def _shared(self, times: int) -> None:
        ticket = self._day.tickets["sharing"]
        told = "the organization to be changed, and its ticket to be told"
        self._log.wait_for(told, is_sharing, times)
        self._log.wait_for(told, lambda e: is_told(e, ticket), times)

    def _control_ticket(self) -> None:
        """What comes after everything else: once it is through, nothing older is still on its way."""
        ticket = self._open("last", JO, "One more thing", "Where is the invoice?")
        self._recorded(ticket, "created")
        self._posted(ticket)

    def _recorded(self, ticket: int, what: str, status: str = "") -> None:
        self._log.wait_for(
            f"the Salesforce record of ticket {ticket}, {what} {status}",
            lambda e: is_record(e, ticket, what, status),
        )

    def _posted(self, ticket: int, times: int = 1) -> None:
        self._log.wait_for(f"messages in Slack about ticket {ticket}", lambda e: is_post(e, ticket), times)


def is_record(entry: Json, ticket: int, what: str, status: str = "") -> bool:
    """Whether an entry is a write to the ticket's record; `status` empty: any."""
    if entry["kind"] != f"salesforce.record.{what}" or str(ticket) not in map(
        str, entry["external_ids"].values()
    ):
        return False
    return not status or str(entry["fields"].get("Status__c", "")).casefold() == status


def is_issue(entry: Json, ticket: int) -> bool:
    """Whether an entry is a new GitLab issue about the ticket."""
    return entry["kind"] == "gitlab.issue" and f"/agent/tickets/{ticket})" in str(entry["description"])


def is_post(entry: Json, ticket: int) -> bool:
    """Whether an entry is a new message about the ticket in a feed."""
    if entry["kind"] != "slack.message" or entry.get("event_type") == BREACH:
        return False
    return str((entry.get("payload") or {}).get("ticket_id")) == str(ticket)


def _numbers(kpi: Json) -> str:
    value = "none yet" if kpi["kpi"] is None else f"{kpi['kpi']:.0%}"
    return f"{value} ({kpi['good']} good, {kpi['bad']} bad, {kpi['asked']} asked)"
