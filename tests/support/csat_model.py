"""Who should be asked, when, why not, and what the numbers are: docs/rules.md C2-C8 in its simplest form.

Written from docs/rules.md and docs/csat.md, not from csat: no states that step by step lead to others, but each answer
derived anew from what was heard and from how the ticket stands.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SURVEY_AFTER = timedelta(hours=24)
TOO_LATE_AFTER = timedelta(days=7)


@dataclass
class Truth:
    """A ticket in Zendesk."""

    organization: str | None
    tags: set[str]
    recipient: str = "help@example.com"
    is_follow_up: bool = False
    status: str = "open"
    solved_at: datetime | None = None
    changed_at: datetime | None = None
    satisfaction: str = "unoffered"
    was_merged: bool = False


@dataclass(frozen=True, order=True)
class Fact:
    """Something that csat was told or read: the newest one decides, whatever came first."""

    version: datetime
    solved_at: datetime | None  # None: reopened


@dataclass(frozen=True)
class Vote:
    """An answer and its moment."""

    score: str
    comment: str | None
    reason: str | None
    at: datetime


@dataclass
class Case:
    """One ticket: how it stands, what csat heard of it, what was decided, asked and answered."""

    truth: Truth
    heard: set[Fact] = field(default_factory=set)
    decided: dict[datetime, str] = field(default_factory=dict)
    posted: tuple[datetime, datetime] | None = None  # the solve asked about, and when: it is on the ticket
    recorded: bool = False  # csat knows that it is
    answer: Vote | None = None
    opted_out: bool = False

    @property
    def newest(self) -> Fact | None:
        return max(self.heard, default=None)

    def armed(self) -> datetime | None:
        """The solve whose survey waits."""
        newest = self.newest
        if newest is None or newest.solved_at is None or newest.solved_at in self.decided:
            return None
        return newest.solved_at

    def was_merged(self) -> bool:
        """A follow-up inherits the tag, so there it proves nothing (C5)."""
        inherited = self.truth.is_follow_up and not self.truth.was_merged
        return "close_by_merge" in self.truth.tags and not inherited

    def counted_solve(self) -> datetime | None:
        """The solve by whose day the ticket counts; None: it does not count now."""
        if self.posted is not None and self.recorded:
            return self.posted[0]
        return self.newest.solved_at if self.newest is not None else None


Objection = Callable[[Case, datetime], bool]

OBJECTIONS: tuple[tuple[str, Objection], ...] = (
    ("deleted", lambda case, _: case.truth.status == "deleted"),
    ("closed", lambda case, _: case.truth.status == "closed"),
    ("reopened", lambda case, _: case.truth.status != "solved"),
    ("solved_again", lambda case, solve: (case.truth.solved_at or solve) > solve),
    ("satisfaction_offered", lambda case, _: case.truth.satisfaction != "unoffered"),
    ("excluded_organization", lambda case, _: case.truth.organization == "GitLab"),
    ("excluded_tag", lambda case, _: bool(case.truth.tags & {"pending_old", "spam_ticket"})),
    ("merged", lambda case, _: case.was_merged()),
    ("excluded_recipient", lambda case, _: case.truth.recipient == "mail-list@gitlab.com"),
    ("opted_out", lambda case, _: case.opted_out),
)
"""Handbook C3-C7 in order, after what csat itself knows; the first that holds is the reason."""


@dataclass
class Model:
    """All tickets."""

    cases: dict[str, Case] = field(default_factory=dict)

    def due(self, now: datetime) -> dict[str, datetime]:
        """The tickets whose survey is due, and the solve it is about."""
        armed = {ticket_id: case.armed() for ticket_id, case in self.cases.items()}
        return {
            ticket_id: solve
            for ticket_id, solve in armed.items()
            if solve is not None and solve + SURVEY_AFTER <= now
        }

    def ask(self, ticket_id: str, solve: datetime, now: datetime, *, written: bool) -> None:
        """csat comes to a due survey; not `written`: it dies before it can keep what came of it."""
        case = self.cases[ticket_id]
        rule = self.rule(case, solve, now)
        if rule == "send" and case.posted is None:
            case.posted = (solve, now)
        if not written:
            return
        case.decided[solve] = rule
        case.recorded = case.posted is not None
        if rule in ("solved_again", "reopened"):
            solved_at = case.truth.solved_at if rule == "solved_again" else None
            case.heard.add(Fact(case.truth.changed_at or now, solved_at))

    def catch_up(self) -> None:
        """csat sees how the tickets stand: what it did not hear it knows from now on."""
        for case in self.cases.values():
            truth, newest = case.truth, case.newest
            known = newest.solved_at if newest is not None else None
            if truth.status == "solved" and truth.changed_at is not None and known != truth.solved_at:
                case.heard.add(Fact(truth.changed_at, truth.solved_at))
            elif truth.status == "open" and truth.changed_at is not None and known is not None:
                case.heard.add(Fact(truth.changed_at, None))

    def rule(self, case: Case, solve: datetime, now: datetime) -> str:
        """The rule that decides about a due survey; "send" when none objects."""
        if case.posted is not None:
            return "send" if case.posted[0] == solve else "already_surveyed"
        for name, objects in OBJECTIONS:
            if objects(case, solve):
                return name
        return "too_late" if now - (solve + SURVEY_AFTER) > TOO_LATE_AFTER else "send"

    def counts(self) -> tuple[int, int, int, int, int]:
        """Solved, decided, asked, good, bad (C2, C9): a ticket counts once, with its latest answer."""
        counted = [case for _, case in self.counted()]
        scores = [case.answer.score for case in counted if case.answer is not None]
        asked = [case for case in counted if case.recorded]
        decided = [case for case in counted if case.recorded or case.counted_solve() in case.decided]
        return len(counted), len(decided), len(asked), scores.count("good"), scores.count("bad")

    def counted(self) -> Iterator[tuple[str, Case]]:
        """The tickets that the numbers know."""
        return ((key, case) for key, case in self.cases.items() if case.counted_solve() is not None)
