"""What happens when a text is saved: quick actions run, people are notified, other issues get a note.

See docs/vendors/gitlab.md#untrusted-text.
"""

import re
from typing import Any

from sandbox.gitlab.live import Live, live_parts, live_title
from sandbox.gitlab.quick_actions import KEPT, Command, extract
from sandbox.gitlab.records import Issue, Note, Project, Records
from sandbox.ledger import Ledger

_LABELS = re.compile(r'~"([^"]+)"|~?([^\s~"]+)')
_NAMES = re.compile(r"@?([\w./-]+)")


class Effects:
    """Everything that a text does beyond being kept; each effect goes to the ledger and to the issue."""

    def __init__(self, records: Records, ledger: Ledger) -> None:
        self._records, self._ledger = records, ledger

    def run(self, issue: Issue, text: str) -> tuple[str, list[Command]]:
        """Execute the text's quick actions; the text that is kept, and what was executed."""
        kept, commands = extract(text)
        for command in commands:
            self._note(issue, "gitlab.quick_action", name=command.name, argument=command.argument)
            self._execute(issue, command)
        return kept, [command for command in commands if command.name not in KEPT]

    def render(self, issue: Issue, text: str, *, where: str) -> None:
        """Notify and cross-reference what the kept text names. `where`: description, note or title."""
        live = live_title(text) if where == "title" else live_parts(text)
        for name in dict.fromkeys(live.mentions):
            known = self._records.user_named(name) is not None
            self._note(issue, "gitlab.mention", name=name, where=where, user=known)
        for reference in dict.fromkeys(live.references):
            self._note(issue, "gitlab.reference", to=reference, where=where)
            self._cross_reference(issue, reference)
        self._active_content(issue, live, where)

    def _active_content(self, issue: Issue, live: Live, where: str) -> None:
        for kind, found in (
            ("image", live.images),
            ("html", live.html),
            ("tasks", [live.tasks] if live.tasks else []),
        ):
            if found:
                self._note(issue, f"gitlab.{kind}", where=where, found=[str(each)[:200] for each in found])

    def _note(self, issue: Issue, kind: str, **facts: Any) -> None:
        self._ledger.add(kind, project_id=issue.project_id, iid=issue.iid, **facts)
        issue.happened.append({"kind": kind, **facts})

    def _cross_reference(self, issue: Issue, reference: str) -> None:
        path, sign, number = re.split("([#!])", reference)
        project = self._records.project(path) if path else self._records.projects[issue.project_id]
        target = project.issues.get(int(number)) if project is not None and sign == "#" else None
        if target is not None and target is not issue:
            self.system_note(
                target, f"mentioned in issue {self._records.projects[issue.project_id].path}#{issue.iid}"
            )

    def system_note(self, issue: Issue, body: str) -> None:
        records = self._records
        issue.notes.append(Note(records.new_id(), body, issue.author_id, records.clock.now_ns(), system=True))

    # --- quick actions with an effect of their own; the others are only recorded ---

    def _execute(self, issue: Issue, command: Command) -> None:
        name, argument = command.name, command.argument
        if name in ("close", "duplicate", "move"):
            self.close(issue, moved_to=argument if name == "move" else "")
        elif name == "reopen":
            issue.state, issue.closed = "opened", None
        elif name in ("assign", "reassign", "unassign"):
            self._assign(issue, name, argument)
        elif name in ("label", "labels", "relabel", "unlabel", "remove_label"):
            self._label(issue, name, argument)
        else:
            _set_field(issue, name, argument)

    def close(self, issue: Issue, *, moved_to: str = "") -> None:
        issue.state, issue.closed = "closed", self._records.clock.now_ns()
        project = self._records.project(moved_to) if moved_to else None
        if project is not None:
            self._records.new_issue(project, issue.title, issue.description, issue.author_id)

    def _assign(self, issue: Issue, name: str, argument: str) -> None:
        people = [self._records.user_named(each) for each in _NAMES.findall(argument)]
        ids = [person.id for person in people if person is not None]
        if name == "unassign":
            issue.assignee_ids = [each for each in issue.assignee_ids if ids and each not in ids]
        else:
            issue.assignee_ids = ids

    def _label(self, issue: Issue, name: str, argument: str) -> None:
        labels = [quoted or plain for quoted, plain in _LABELS.findall(argument)]
        if name in ("unlabel", "remove_label"):
            issue.labels = [each for each in issue.labels if labels and each not in labels]
        else:
            self._records.set_labels(issue, labels if name == "relabel" else [*issue.labels, *labels])


def _set_field(issue: Issue, name: str, argument: str) -> None:
    match name:
        case "confidential":
            issue.confidential = True
        case "title":
            issue.title = argument[:255] or issue.title
        case "lock":
            issue.locked = True
        case "unlock":
            issue.locked = False
        case "due" | "due_date":
            issue.due_date = argument
        case "remove_due_date":
            issue.due_date = None
        case "milestone":
            issue.milestone = argument
        case "spend" | "spent" | "spend_time":
            issue.spent = argument


def visible_labels(project: Project) -> list[dict[str, Any]]:
    """The labels of a project as its API lists them."""
    return [
        {"id": number, "name": name, "color": "#6699cc", "description": None, "is_project_label": True}
        for name, number in sorted(project.labels.items())
    ]
