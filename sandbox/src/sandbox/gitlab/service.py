"""All of GitLab's stand-in: who is calling, projects, people, labels, templates, and issues."""

import hmac
from urllib.parse import unquote

from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.gitlab.effects import visible_labels
from sandbox.gitlab.issues_api import IssuesApi
from sandbox.gitlab.paging import paged
from sandbox.gitlab.records import BOT, GUEST, REPORTER, Project, Records
from sandbox.gitlab.refusals import Refused, missing, not_found, unauthorized
from sandbox.gitlab.render import project_json, user_json
from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.web import BadBody, Call, Handler, Reply, RouteRow, routes

_VERBS = ("GET", "POST", "PUT", "DELETE")


class GitLab:
    def __init__(self, settings: Settings, clock: Clock, ledger: Ledger) -> None:
        self._settings = settings
        self.records = Records(clock)
        self._issues = IssuesApi(self.records, ledger, settings.public_url)

    def plant(self) -> None:
        self.records.plant()

    def routes(self) -> list[Route]:
        rows: list[RouteRow] = [
            ("GET", "/user", self.user),
            ("GET", "/users", self.users),
            ("GET", "/version", self.version),
            ("GET", "/personal_access_tokens/self", self.token),
            ("GET", "/projects/{id}", self.project),
            ("GET", "/projects/{id}/labels", self.labels),
            ("POST", "/projects/{id}/labels", self.add_label),
            ("GET", "/projects/{id}/templates/issues", self.templates),
            ("GET", "/projects/{id}/templates/issues/{name}", self.template),
            *self._issues.rows(),
        ]
        rows += [(verb, "/{rest:path}", _unknown) for verb in _VERBS]
        return routes(rows, self._middleware)

    def _middleware(self, call: Call, handler: Handler) -> Reply:
        try:
            if not self._known(call):
                raise unauthorized()
            return handler(call)
        except Refused as refused:
            return refused.reply
        except (BadBody, ValueError) as error:
            return Reply(400, {"error": f"{error}"})

    def _known(self, call: Call) -> bool:
        given = call.headers.get("private-token", "")
        given = given or call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return hmac.compare_digest(given.encode(), self._settings.gitlab_key.encode())

    # --- people and tokens ---

    def user(self, _: Call) -> Reply:
        return Reply(200, user_json(self.records.users[BOT]))

    def users(self, call: Call) -> Reply:
        name = call.query.get("username", "").casefold()
        found = [user for user in self.records.users.values() if name in ("", user.username.casefold())]
        return paged(call, found, user_json)

    def token(self, _: Call) -> Reply:
        return Reply(
            200,
            {
                "id": 1,
                "name": "sandbox",
                "active": True,
                "revoked": False,
                "scopes": ["api"],
                "expires_at": None,
            },
        )

    def version(self, _: Call) -> Reply:
        return Reply(200, {"version": "18.0.0-sandbox", "revision": "sandbox"})

    # --- projects ---

    def _project(self, call: Call) -> Project:
        found = self.records.project(unquote(str(call.params["id"])))
        if found is None:
            raise not_found("Project")
        return found

    def project(self, call: Call) -> Reply:
        level = REPORTER if self.records.switches.admin_issue else GUEST
        return Reply(200, project_json(self._project(call), level, self._settings.public_url))

    def labels(self, call: Call) -> Reply:
        return paged(call, visible_labels(self._project(call)), lambda label: label)

    def add_label(self, call: Call) -> Reply:
        project, name = self._project(call), str(call.json().get("name") or "")
        if not name:
            raise missing("name")
        if name in project.labels:
            raise Refused(Reply(409, {"message": "Label already exists"}))
        project.labels[name] = self.records.new_id()
        return Reply(201, next(label for label in visible_labels(project) if label["name"] == name))

    def templates(self, call: Call) -> Reply:
        names = sorted(self._project(call).templates)
        return paged(call, names, lambda name: {"key": name, "name": name})

    def template(self, call: Call) -> Reply:
        name = unquote(str(call.params["name"]))
        content = self._project(call).templates.get(name)
        if content is None:
            raise not_found()
        return Reply(200, {"name": name, "content": content})


def _unknown(_: Call) -> Reply:
    return Reply(404, {"error": "404 Not Found"})
