"""Projects, people, issues and notes of the pretended GitLab, and the seeds they start from."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import NANOS, Clock, iso_nanos

GUEST, REPORTER = 10, 20
FEEDBACK = 4
BOT = 7


@dataclass(slots=True)
class User:
    id: int
    username: str
    name: str


@dataclass(slots=True)
class Note:
    id: int
    body: str
    author_id: int
    created: int
    system: bool = False


@dataclass(slots=True)
class Issue:
    """`happened` lists what its texts set off: quick actions, mentions, references, in the words of the ledger."""

    id: int
    iid: int
    project_id: int
    title: str
    description: str
    author_id: int
    created: int
    updated: int
    labels: list[str] = field(default_factory=list)
    assignee_ids: list[int] = field(default_factory=list)
    confidential: bool = False
    state: str = "opened"
    closed: int | None = None
    locked: bool = False
    due_date: str | None = None
    milestone: str | None = None
    spent: str | None = None
    notes: list[Note] = field(default_factory=list)
    happened: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Project:
    id: int
    path: str
    visibility: str = "private"
    archived: bool = False
    visible: bool = True
    labels: dict[str, int] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class Switches:
    """How this GitLab behaves.

    admin_issue: the token's user may set labels and assignees (else they are dropped without a word).
    scoped_labels: one label per key (paid tiers). search_lag: seconds until search finds a new issue.
    issues_per_minute: limit of creations; None: off.
    """

    admin_issue: bool = True
    scoped_labels: bool = True
    search_lag: float = 0.0
    issues_per_minute: int | None = None


class Records:
    """All of it, in memory. Ids go on counting after a reset; switches stay as they were set."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.switches = Switches()
        self.users: dict[int, User] = {}
        self.projects: dict[int, Project] = {}
        self.created: list[int] = []  # moments of creations, for the limit
        self._last_id = 80
        self.plant()

    def plant(self) -> None:
        people = (
            User(BOT, "support-bot", "Support Bot"),
            User(18, "ada", "Ada Agent"),
            User(19, "tam", "Tam Manager"),
        )
        self.users = {person.id: person for person in people}
        feedback = Project(FEEDBACK, "support/feedback")
        feedback.templates["Feedback"] = "## What happened\n"
        self.projects = {p.id: p for p in (feedback, Project(5, "group/other-project"))}
        self.created = []
        for iid in range(1, 4):  # something that references can hit
            self.new_issue(feedback, f"Seed issue {iid}", "", 18)

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def new_issue(self, project: Project, title: str, description: str, author_id: int) -> Issue:
        iid = max(project.issues, default=0) + 1
        now = self.clock.now_ns()
        issue = Issue(self.new_id(), iid, project.id, title, description, author_id, now, now)
        project.issues[iid] = issue
        return issue

    def project(self, given: str) -> Project | None:
        """By number or by path, as in an address."""
        for project in self.projects.values():
            if given in (str(project.id), project.path) and project.visible:
                return project
        return None

    def user_named(self, name: str) -> User | None:
        return next((u for u in self.users.values() if u.username.casefold() == name.casefold()), None)

    def set_labels(self, issue: Issue, labels: list[str]) -> None:
        """Labels that do not exist are made; of several with one key the last stays, where scoped labels work."""
        kept: dict[str, str] = {}
        for label in labels:
            key = label.rpartition("::")[0] if self.switches.scoped_labels and "::" in label else f"={label}"
            kept.pop(key, None)
            kept[key] = label
        issue.labels = list(kept.values())
        project = self.projects[issue.project_id]
        for label in issue.labels:
            project.labels.setdefault(label, self.new_id())

    def touch(self, issue: Issue) -> None:
        issue.updated = self.clock.now_ns()

    def may_create(self) -> float | None:
        """None when one more issue may be created now, else the seconds to wait."""
        limit, now = self.switches.issues_per_minute, self.clock.now_ns()
        self.created = [at for at in self.created if now - at < 60 * NANOS]
        if limit is not None and len(self.created) >= limit:
            return 60 - (now - self.created[0]) / NANOS
        self.created.append(now)
        return None


def stamp(ns: int | None) -> str | None:
    """`2016-01-07T12:44:33.959Z`."""
    return None if ns is None else f"{iso_nanos(ns)[:23]}Z"
