"""Issues and notes as JSON, and the filters of their lists (docs/vendors/gitlab.md#issues-and-notes)."""

from datetime import datetime
from typing import Any

from sandbox.clock import NANOS
from sandbox.gitlab.records import Issue, Note, Project, Records, User, stamp
from sandbox.web import Call, Json

ORDERS = {"created_at": "created", "updated_at": "updated"}


def user_json(user: User | None) -> Json | None:
    if user is None:
        return None
    return {
        "id": user.id,
        "username": user.username,
        "name": user.name,
        "state": "active",
        "avatar_url": None,
    }


def project_json(project: Project, access_level: int, base: str) -> Json:
    return {
        "id": project.id,
        "name": project.name,
        "path": project.name,
        "path_with_namespace": project.path,
        "web_url": f"{base}/gitlab/{project.path}",
        "visibility": project.visibility,
        "archived": project.archived,
        "issues_enabled": True,
        "issues_access_level": "enabled",
        "permissions": {"project_access": {"access_level": access_level}, "group_access": None},
    }


def issue_json(records: Records, issue: Issue, base: str) -> Json:
    project = records.projects[issue.project_id]
    assignees = [user_json(records.users.get(each)) for each in issue.assignee_ids]
    return {
        "id": issue.id,
        "iid": issue.iid,
        "project_id": issue.project_id,
        "title": issue.title,
        "description": issue.description,
        "state": issue.state,
        "type": "ISSUE",
        "issue_type": "issue",
        "labels": sorted(issue.labels),
        "assignees": assignees,
        "assignee": assignees[0] if assignees else None,
        "author": user_json(records.users.get(issue.author_id)),
        "created_at": stamp(issue.created),
        "updated_at": stamp(issue.updated),
        "closed_at": stamp(issue.closed),
        "confidential": issue.confidential,
        "discussion_locked": issue.locked,
        "due_date": issue.due_date,
        "user_notes_count": sum(not note.system for note in issue.notes),
        "web_url": f"{base}/gitlab/{project.path}/-/issues/{issue.iid}",
        "references": {
            "short": f"#{issue.iid}",
            "relative": f"#{issue.iid}",
            "full": f"{project.path}#{issue.iid}",
        },
    }


def note_json(records: Records, note: Note) -> Json:
    return {
        "id": note.id,
        "body": note.body,
        "author": user_json(records.users.get(note.author_id)),
        "created_at": stamp(note.created),
        "system": note.system,
        "noteable_type": "Issue",
    }


def wanted(call: Call, issues: list[Issue], *, seen_before: int) -> list[Issue]:
    """The issues that the query asks for, in its order. Search knows only what was created before `seen_before`."""
    query = call.query
    found = [issue for issue in issues if _matches(query, issue, seen_before)]
    if query.get("iids[]"):
        found = [issue for issue in found if str(issue.iid) == query["iids[]"]]
    field = ORDERS.get(query.get("order_by", "created_at"), "created")
    return sorted(found, key=lambda i: (getattr(i, field), i.id), reverse=query.get("sort", "desc") != "asc")


def _matches(query: Any, issue: Issue, seen_before: int) -> bool:
    labels = [label.strip() for label in query.get("labels", "").split(",") if label.strip()]
    if not set(labels) <= set(issue.labels):
        return False
    if query.get("state", "all") not in ("all", issue.state):
        return False
    if (
        not _nanos(query.get("created_after"), 0)
        <= issue.created
        <= _nanos(query.get("created_before"), 2**63)
    ):
        return False
    search = query.get("search", "").casefold()
    if not search:
        return True
    places = query.get("in", "title,description").split(",")
    text = " ".join(getattr(issue, place) for place in places if place in ("title", "description"))
    return issue.created <= seen_before and search in text.casefold()


def _nanos(text: str | None, default: int) -> int:
    return int(datetime.fromisoformat(text).timestamp() * NANOS) if text else default
