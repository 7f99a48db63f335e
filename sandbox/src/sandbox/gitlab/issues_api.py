"""Issues and their notes, as the REST API shows and changes them (docs/vendors/gitlab.md#issues-and-notes)."""

from typing import Any

from sandbox.clock import NANOS
from sandbox.gitlab.effects import Effects
from sandbox.gitlab.paging import paged
from sandbox.gitlab.records import BOT, Issue, Note, Project, Records
from sandbox.gitlab.refusals import forbidden, invalid, limited, missing, not_found
from sandbox.gitlab.render import issue_json, note_json, wanted
from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow

LONGEST_TITLE, LONGEST_TEXT = 255, 1_048_576
_ISSUE = "/projects/{id}/issues/{iid}"


class IssuesApi:
    def __init__(self, records: Records, ledger: Ledger, public_url: str) -> None:
        self._records, self._ledger, self._url = records, ledger, public_url
        self._effects = Effects(records, ledger)

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/issues", self.everywhere),
            ("GET", "/projects/{id}/issues", self.listed),
            ("POST", "/projects/{id}/issues", self.create),
            ("GET", _ISSUE, self.show),
            ("PUT", _ISSUE, self.update),
            ("GET", f"{_ISSUE}/notes", self.notes),
            ("POST", f"{_ISSUE}/notes", self.comment),
            ("GET", _ISSUE + "/notes/{note_id}", self.note),
        ]

    # --- issues ---

    def everywhere(self, call: Call) -> Reply:
        found = [
            i
            for project in self._records.projects.values()
            if project.visible
            for i in project.issues.values()
        ]
        return self._listed(call, found)

    def listed(self, call: Call) -> Reply:
        return self._listed(call, [*self._project(call).issues.values()])

    def show(self, call: Call) -> Reply:
        return Reply(200, self._shown(self._issue(call)))

    def create(self, call: Call) -> Reply:
        project, given = self._writable(call), _given(call)
        title = str(given.get("title") or "").strip()
        if "title" not in given:
            raise missing("title")
        _check(title, str(given.get("description") or ""))
        if (wait := self._records.may_create()) is not None:
            reset = self._records.clock.now_ns() // NANOS + int(wait) + 1
            raise limited(int(wait) + 1, self._records.switches.issues_per_minute or 0, reset)
        issue = self._records.new_issue(project, title, "", BOT)
        issue.confidential = _truth(given.get("confidential", False))
        self._set_restricted(issue, given)
        self._describe(issue, str(given.get("description") or ""))
        self._effects.render(issue, issue.title, where="title")
        self._log("gitlab.issue", issue)
        return Reply(201, self._shown(issue))

    def update(self, call: Call) -> Reply:
        self._writable(call)
        issue, given = self._issue(call), _given(call)
        if not given:
            raise invalid("400 (Bad request) none of the parameters is given")
        if "title" in given or "description" in given:
            _check(str(given.get("title", issue.title)), str(given.get("description") or ""))
        issue.title = str(given.get("title", issue.title))
        if "confidential" in given:
            issue.confidential = _truth(given["confidential"])
        self._set_restricted(issue, given)
        if "description" in given:
            self._describe(issue, str(given["description"] or ""))
        match given.get("state_event"):
            case "close":
                self._effects.close(issue)
            case "reopen":
                issue.state, issue.closed = "opened", None
        self._records.touch(issue)
        self._log("gitlab.issue_update", issue)
        return Reply(200, self._shown(issue))

    # --- notes ---

    def notes(self, call: Call) -> Reply:
        newest_first = call.query.get("sort", "desc") != "asc"
        rows = sorted(self._issue(call).notes, key=lambda note: note.id, reverse=newest_first)
        return paged(call, rows, self._note_shown)

    def note(self, call: Call) -> Reply:
        for note in self._issue(call).notes:
            if note.id == call.number("note_id"):
                return Reply(200, self._note_shown(note))
        raise not_found("Note")

    def comment(self, call: Call) -> Reply:
        self._writable(call)
        issue, given = self._issue(call), _given(call)
        if not given.get("body"):
            raise missing("body")
        _check("x", str(given["body"]))
        kept, commands = self._effects.run(issue, str(given["body"]))
        self._records.touch(issue)
        if not kept.strip():
            summary = [f"Executed /{command.name}" for command in commands]
            return Reply(202, {"commands_changes": {}, "summary": summary})
        note = Note(self._records.new_id(), kept, BOT, self._records.clock.now_ns())
        issue.notes.append(note)
        self._effects.render(issue, kept, where="note")
        self._ledger.add(
            "gitlab.note", project_id=issue.project_id, iid=issue.iid, note_id=note.id, body=kept
        )
        return Reply(201, self._note_shown(note))

    # --- inside ---

    def _project(self, call: Call) -> Project:
        found = self._records.project(str(call.params["id"]).replace("%2F", "/").replace("%2f", "/"))
        if found is None:
            raise not_found("Project")
        return found

    def _writable(self, call: Call) -> Project:
        project = self._project(call)
        if project.archived:
            raise forbidden()
        return project

    def _issue(self, call: Call) -> Issue:
        found = self._project(call).issues.get(call.number("iid"))
        if found is None:
            raise not_found("Issue")
        return found

    def _set_restricted(self, issue: Issue, given: Json) -> None:
        """Labels and assignees; without the right to administer issues they are dropped, and nobody is told."""
        if not self._records.switches.admin_issue:
            return
        labels = _words(given["labels"]) if "labels" in given else list(issue.labels)
        gone = _words(given.get("remove_labels", ""))
        labels = [label for label in labels if label not in gone] + _words(given.get("add_labels", ""))
        self._records.set_labels(issue, labels)
        ids = given.get("assignee_ids", given.get("assignee_id"))
        if ids is not None:
            wanted_ids = ids if isinstance(ids, list) else [ids]
            issue.assignee_ids = [int(each) for each in wanted_ids if int(each) in self._records.users]
        issue.due_date = given.get("due_date", issue.due_date)

    def _describe(self, issue: Issue, text: str) -> None:
        issue.description, _ = self._effects.run(issue, text)
        self._effects.render(issue, issue.description, where="description")

    def _listed(self, call: Call, issues: list[Issue]) -> Reply:
        lag = int(self._records.switches.search_lag * NANOS)
        found = wanted(call, issues, seen_before=self._records.clock.now_ns() - lag)
        return paged(call, found, self._shown)

    def _shown(self, issue: Issue) -> Json:
        return issue_json(self._records, issue, self._url)

    def _note_shown(self, note: Note) -> Json:
        return note_json(self._records, note)

    def _log(self, kind: str, issue: Issue) -> None:
        self._ledger.add(
            kind,
            project_id=issue.project_id,
            iid=issue.iid,
            title=issue.title,
            labels=list(issue.labels),
            confidential=issue.confidential,
            state=issue.state,
            description=issue.description,
        )


def _given(call: Call) -> Json:
    if call.headers.get("content-type", "").startswith("application/json"):
        return call.json()
    return {**call.query, **call.form()}


def _check(title: str, text: str) -> None:
    if not title:
        raise invalid({"title": ["can't be blank"]})
    if len(title) > LONGEST_TITLE:
        raise invalid({"title": ["is too long (maximum is 255 characters)"]})
    if len(text) > LONGEST_TEXT:
        raise invalid({"description": ["is too long (maximum is 1048576 characters)"]})
    if "\0" in title + text:
        raise invalid("400 Bad request - string contains null byte")


def _words(value: Any) -> list[str]:
    """A comma-separated string, or an array, of names."""
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return [part.strip() for part in parts if part.strip()]


def _truth(value: Any) -> bool:
    return str(value).lower() in ("1", "true")
