"""Routes of the control API for GitLab: projects, and issues with what their texts set off."""

from dataclasses import asdict

from sandbox.gitlab.records import Project, Records
from sandbox.web import Call, Reply, RouteRow


class GitLabControl:
    def __init__(self, records: Records) -> None:
        self._records = records

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/gitlab/issues", self.issues),
            ("POST", "/gitlab/projects", self.project),
            ("POST", "/gitlab/projects/{id}", self.change),
        ]

    def issues(self, call: Call) -> Reply:
        """Issues that came by the API (`all=1`: the seeds too), oldest first, with `happened` and notes."""
        everything = call.query.get("all")
        found = [
            asdict(issue) | {"project": project.path}
            for project in self._records.projects.values()
            for issue in project.issues.values()
            if everything or issue.author_id != SEED_AUTHOR
        ]
        return Reply(200, {"issues": found, "count": len(found)})

    def project(self, call: Call) -> Reply:
        made = Project(**call.json())
        self._records.projects[made.id] = made
        return Reply(201, {"project": {"id": made.id, "path": made.path}})

    def change(self, call: Call) -> Reply:
        """`archived`, `visible` (to the token), `visibility`."""
        project = self._records.projects[call.number("id")]
        for name in ("archived", "visible", "visibility"):
            if name in call.json():
                setattr(project, name, call.json()[name])
        return Reply(200, {"project": {"id": project.id, "path": project.path}})


SEED_AUTHOR = 18
