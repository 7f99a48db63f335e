"""The GitLab stand-in, driven by python-gitlab over a real connection (docs/vendors/gitlab.md)."""

from typing import Any

import gitlab
import httpx
import pytest
import requests
from gitlab.exceptions import GitlabAuthenticationError, GitlabCreateError, GitlabGetError

from tests.support.sandbox import SandboxProcess

KEY = "glpat-sandbox"


@pytest.fixture
def api(sandbox: SandboxProcess) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        yield gitlab.Gitlab(
            f"{sandbox.url}/gitlab", private_token=KEY, session=session, retry_transient_errors=False
        )


@pytest.fixture
def project(api: Any) -> Any:
    return api.projects.get("support/feedback")


def test_token_user_project_and_labels(api: Any, project: Any) -> None:
    api.auth()
    assert api.user.username == "support-bot"
    assert (project.id, project.visibility, project.permissions["project_access"]["access_level"]) == (
        4,
        "private",
        20,
    )
    assert [user.id for user in api.users.list(username="ada", get_all=True)] == [18]
    project.labels.create({"name": "a::b", "color": "#112233"})
    assert [label.name for label in project.labels.list(get_all=True)] == ["a::b"]
    assert project.issue_templates.get("Feedback").content == "## What happened\n"


def test_create_read_label_and_close_an_issue(project: Any) -> None:
    made = project.issues.create(
        {"title": "Too slow", "description": "text", "labels": ["a::1", "plain"], "confidential": True}
    )
    assert (made.iid, made.labels, made.confidential, made.state) == (4, ["a::1", "plain"], True, "opened")
    made.labels = ["a::2"]
    made.state_event = "close"
    made.save()
    again = project.issues.get(4)
    assert (again.labels, again.state, again.title) == (["a::2"], "closed", "Too slow")
    assert again.web_url.endswith("/support/feedback/-/issues/4")


def test_of_scoped_labels_the_last_of_a_key_stays(project: Any, sandbox: SandboxProcess) -> None:
    labels = ["s::Bad", "other", "a::b::c", "s::Good", "a::b::d"]
    assert project.issues.create({"title": "t", "labels": labels}).labels == ["a::b::d", "other", "s::Good"]
    sandbox.post("limits", gitlab={"scoped_labels": False})
    assert project.issues.create({"title": "t", "labels": labels}).labels == sorted(labels)


def test_lists_filter_by_all_labels_and_search_and_page(project: Any, sandbox: SandboxProcess) -> None:
    for number in range(45):
        labels = ["x", "even"] if number % 2 == 0 else ["x"]
        project.issues.create(
            {"title": f"issue {number}", "description": f"ref{number}ref", "labels": labels}
        )
    assert len(project.issues.list(labels=["x"], iterator=True)) == 45
    both = project.issues.list(labels=["x", "even"], get_all=True, per_page=5)
    assert [issue.title for issue in both[:2]] == ["issue 44", "issue 42"]
    assert len(both) == 23
    found = project.issues.list(search="REF7REF", **{"in": "description"}, state="all", get_all=True)
    assert [issue.title for issue in found] == ["issue 7"]
    assert project.issues.list(search="ref7ref", **{"in": "title"}, get_all=True) == []
    sandbox.post("limits", gitlab={"search_lag": 60})
    assert project.issues.list(search="ref7ref", get_all=True) == []


def test_page_headers(sandbox: SandboxProcess, project: Any) -> None:
    for number in range(3):
        project.issues.create({"title": str(number)})
    answer = sandbox.http.get(
        "/gitlab/api/v4/projects/support%2Ffeedback/issues",
        params={"per_page": 4},
        headers={"PRIVATE-TOKEN": KEY},
    )
    assert (answer.headers["x-next-page"], answer.headers["x-total"]) == ("2", "6")
    assert 'rel="next"' in answer.headers["link"]
    bearer = {"Authorization": f"Bearer {KEY}"}
    unencoded = sandbox.http.get("/gitlab/api/v4/projects/support/feedback/issues", headers=bearer)
    assert unencoded.status_code == 404


def test_notes_and_quick_actions_in_them(project: Any) -> None:
    issue = project.issues.create({"title": "t", "labels": ["one"]})
    issue.notes.create({"body": "hello @tam\n/label ~two\n/CLOSE"})
    [note] = issue.notes.list(get_all=True)
    assert note.body == "hello @tam"
    again = project.issues.get(issue.iid)
    assert (again.state, again.labels) == ("closed", ["one", "two"])


def test_without_the_right_labels_are_lost_in_silence(project: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", gitlab={"admin_issue": False})
    made = project.issues.create({"title": "t", "labels": ["a"], "assignee_ids": [18], "confidential": True})
    assert (made.labels, made.assignees, made.confidential) == ([], [], True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"title": "x" * 256}, "is too long (maximum is 255 characters)"),
        ({"title": ""}, "can't be blank"),
        ({"title": "t", "description": "x" * 1_048_577}, "is too long (maximum is 1048576 characters)"),
        ({"title": "t", "description": "a\0b"}, "null byte"),
    ],
)
def test_refusals_of_a_create(project: Any, values: dict[str, str], words: str) -> None:
    with pytest.raises(GitlabCreateError) as refused:
        project.issues.create(values)
    assert refused.value.response_code == 400
    assert words in str(refused.value)


def test_who_may_not(api: Any, sandbox: SandboxProcess, project: Any) -> None:
    with pytest.raises(GitlabAuthenticationError), requests.Session() as session:
        gitlab.Gitlab(f"{sandbox.url}/gitlab", private_token="wrong", session=session).auth()
    with pytest.raises(GitlabGetError) as absent:
        api.projects.get("support/nothing")
    assert absent.value.response_code == 404
    sandbox.post("gitlab/projects/4", archived=True)
    with pytest.raises(GitlabCreateError) as archived:
        project.issues.create({"title": "t"})
    assert archived.value.response_code == 403
    sandbox.post("gitlab/projects/4", visible=False)
    with pytest.raises(GitlabGetError) as hidden:
        api.projects.get(4)
    assert hidden.value.response_code == 404


def _create(sandbox: SandboxProcess) -> httpx.Response:
    path = "/gitlab/api/v4/projects/4/issues"
    return sandbox.http.post(path, json={"title": "t"}, headers={"PRIVATE-TOKEN": KEY})


def test_its_limits(sandbox: SandboxProcess) -> None:
    sandbox.post("limits", gitlab={"issues_per_minute": 1})
    assert _create(sandbox).status_code == 201
    limited = _create(sandbox)
    assert (limited.status_code, limited.text) == (429, "Retry later\n")
    assert int(limited.headers["retry-after"]) > 0
    assert int(limited.headers["ratelimit-reset"]) > 1_700_000_000
    sandbox.post("limits", gitlab={"issues_per_minute": None})
    sandbox.post("faults", service="gitlab", kind="429", code="endpoint", count=1)
    endpoint = _create(sandbox)
    assert endpoint.status_code == 429
    assert "retry-after" not in endpoint.headers
    assert endpoint.json()["message"]["error"].startswith("This endpoint")


def test_bad_days(sandbox: SandboxProcess) -> None:
    sandbox.post("faults", service="gitlab", kind="502", after_commit=True, count=1)
    assert _create(sandbox).status_code == 502
    sandbox.post("faults", service="gitlab", kind="drop_after_commit", count=1)
    with pytest.raises(httpx.HTTPError):
        _create(sandbox)
    assert len(sandbox.get("gitlab/issues")["issues"]) == 2


def test_the_page_shows_issues_and_what_they_set_off(sandbox: SandboxProcess, project: Any) -> None:
    project.issues.create({"title": "<b>Bold</b>", "description": "see #1 @tam\n/close", "labels": ["a::b"]})
    page = sandbox.http.get("/").text
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    for words in (
        "support/feedback#4",
        "gitlab.quick_action close",
        "gitlab.mention tam",
        "gitlab.reference #1",
    ):
        assert words in page
    [seen] = [note for note in project.issues.get(1).notes.list(get_all=True) if note.system]
    assert seen.body == "mentioned in issue support/feedback#4"
