"""Organizations in bulk, and their merges (docs/vendors/zendesk.md#organizations)."""

from collections.abc import Callable, Sequence
from functools import partial

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.jobs import Jobs
from sandbox.zendesk.organizations_api import OrganizationsApi
from sandbox.zendesk.problems import Problem, at_most, bad_request, not_found, too_many_values


class OrganizationJobsApi:
    """create_many, update_many and destroy_many answer with a job; a merge with a record of its own."""

    def __init__(self, account: Account, organizations: OrganizationsApi, jobs: Jobs, ledger: Ledger) -> None:
        self._account = account
        self._organizations = organizations
        self._jobs = jobs
        self._ledger = ledger
        self._merges: dict[str, Json] = {}

    def rows(self) -> list[RouteRow]:
        return [
            ("POST", "/organizations/create_many", self.create_many),
            ("PUT", "/organizations/update_many", self.update_many),
            ("DELETE", "/organizations/destroy_many", self.destroy_many),
            ("POST", "/organizations/{id}/merge", self.merge),
            ("GET", "/organizations/{id}/merges", self.merges),
            ("GET", "/organization_merges/{id}", self.merge_by_id),
        ]

    def create_many(self, call: Call) -> Reply:
        given = _rows_of(call)
        results = [_tried(i, partial(self._made, values), "Created") for i, values in enumerate(given)]
        return self._jobs.queue("Bulk Create Organization", results)

    def update_many(self, call: Call) -> Reply:
        """`organizations` with their ids, or one `organization` for all `ids`."""
        body = call.json()
        if "organizations" in body:
            given = _rows_of(call)
        else:
            given = [{**body.get("organization", {}), "id": key} for key in at_most(call.ids())]
        results = [_tried(i, partial(self._changed, values), "Updated") for i, values in enumerate(given)]
        return self._jobs.queue("Bulk Update Organization", results)

    def destroy_many(self, call: Call) -> Reply:
        ids = at_most(call.ids())
        results = [_tried(i, partial(self._removed, key), "Deleted") for i, key in enumerate(ids)]
        return self._jobs.queue("Bulk Delete Organization", results)

    def merge(self, call: Call) -> Reply:
        """The loser's users, tickets and domains go to the winner; its fields, tags and notes are lost."""
        loser = self._account.organization(call.number("id"))
        winner_id = int(call.json().get("organization_merge", {}).get("winner_id") or 0)
        winner = self._account.organization(winner_id)
        if winner is loser:
            raise bad_request("InvalidMerge", "An organization cannot be merged into itself")
        winner.domain_names = list(dict.fromkeys([*winner.domain_names, *loser.domain_names]))
        self._organizations.remove(loser, heir=winner.id)
        key = f"01J{loser.id:023d}"
        url = f"{self._account.base}/organization_merges/{key}.json"
        made = {"id": key, "url": url, "loser_id": loser.id, "winner_id": winner.id, "status": "complete"}
        self._merges[key] = made
        self._ledger.add("zendesk.organization.merged", organization_id=loser.id, winner_id=winner.id)
        return Reply(201, {"organization_merge": made | {"status": "new"}})

    def merges(self, call: Call) -> Reply:
        """Those that the organization lost."""
        loser = call.number("id")
        found = [each for each in self._merges.values() if each["loser_id"] == loser]
        if not found:
            self._account.organization(loser)
        return Reply(200, {"organization_merges": found, "count": len(found)})

    def merge_by_id(self, call: Call) -> Reply:
        found = self._merges.get(str(call.params["id"]))
        if found is None:
            raise not_found()
        return Reply(200, {"organization_merge": found})

    def _made(self, values: Json) -> int:
        return self._organizations.create(values).id

    def _changed(self, values: Json) -> int:
        found = self._account.organization(int(values.get("id") or 0))
        self._organizations.change(found, {key: value for key, value in values.items() if key != "id"})
        return found.id

    def _removed(self, key: int) -> int:
        self._organizations.remove(self._account.organization(key))
        return key


def _rows_of(call: Call) -> Sequence[Json]:
    rows: list[Json] = call.json().get("organizations", [])
    if len(rows) > 100:
        raise too_many_values("organizations")
    return rows


def _tried(index: int, work: Callable[[], int], done: str) -> Json:
    """A job goes on past an item that fails, and says so in its result."""
    try:
        key = work()
    except Problem as problem:
        body = problem.reply.body
        texts = [each["description"] for errors in body.get("details", {}).values() for each in errors]
        details = "; ".join(texts) or body.get("description", "")
        return {"index": index, "success": False, "error": body.get("error", "Error"), "details": details}
    return {
        "index": index,
        "id": key,
        "action": done.lower().removesuffix("d"),
        "status": done,
        "success": True,
    }
