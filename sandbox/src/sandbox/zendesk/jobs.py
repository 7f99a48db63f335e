"""Jobs: what a bulk write answers, and what is asked of it afterwards (docs/vendors/zendesk.md#organizations)."""

from collections.abc import Sequence

from sandbox.clock import Clock
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.problems import not_found


class Jobs:
    """Here a job is finished when it is answered; who asked is told that it is queued, as Zendesk does."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._jobs: dict[str, Json] = {}

    def rows(self) -> list[RouteRow]:
        return [("GET", "/job_statuses/{id}", self.job)]

    def job(self, call: Call) -> Reply:
        found = self._jobs.get(str(call.params["id"]))
        if found is None:
            raise not_found()
        return Reply(200, {"job_status": found})

    def queue(self, kind: str, results: Sequence[Json]) -> Reply:
        """A job of this kind with a result per item."""
        job_id = f"V3-{self._clock.now_ns():032x}"
        url = f"{self._account.base}/job_statuses/{job_id}.json"
        job: Json = {
            "id": job_id,
            "job_type": kind,
            "url": url,
            "total": len(results),
            "progress": len(results),
        }
        job |= {"status": "completed", "message": "Completed", "results": list(results)}
        self._jobs[job_id] = job
        return Reply(200, {"job_status": job | {"status": "queued", "progress": None, "results": None}})
