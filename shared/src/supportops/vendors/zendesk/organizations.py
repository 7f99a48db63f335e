"""Organizations: the whole list, many by id or external id, written in bulk as jobs, and merges
(docs/vendors/zendesk.md#organizations).

A bulk write is answered with a job; what became of each item is asked for afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from supportops.errors import NotFound, Permanent
from supportops.vendors.zendesk.calls import Answer, Calls, as_model, digits, next_cursor, objects
from supportops.vendors.zendesk.models import Identified, UtcDatetime, Words

MANY = 100
FINISHED = frozenset({"completed", "failed", "killed"})


class OrganizationDetail(Identified):
    """An organization with everything that is compared or written. An odd value makes the row unreadable: a wrong
    guess would be written back.
    """

    decides = frozenset({"organization_fields", "tags", "external_id", "domain_names", "shared_tickets"})

    name: str
    external_id: str | None = None
    organization_fields: dict[str, Any] | None = None
    tags: Words = ()
    domain_names: Words = ()
    shared_tickets: bool | None = None
    shared_comments: bool | None = None
    updated_at: UtcDatetime | None = None


class OrganizationFieldDetail(Identified):
    """A custom field of organizations. `options` of a dropdown: the tags that it takes."""

    key: str
    type: str = ""
    active: bool = True
    custom_field_options: tuple[dict[str, Any], ...] = ()

    @property
    def options(self) -> frozenset[str]:
        """Tags of a dropdown's options."""
        return frozenset(str(each.get("value", "")) for each in self.custom_field_options)


@dataclass(frozen=True, slots=True)
class OrganizationPage:
    """Rows of one page; `unreadable`: how many more there were that are not what Zendesk documents; `cursor`: of the
    next page, None on the last.
    """

    rows: tuple[OrganizationDetail, ...]
    unreadable: int = 0
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class JobItem:
    """What became of one item of a bulk write; `reason` of one that was refused."""

    ok: bool
    id: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk write that Zendesk works on. `items` by their place in what was sent, once it has finished."""

    id: str
    status: str
    items: Mapping[int, JobItem]
    message: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen; items may have failed all the same."""
        return self.status in FINISHED


class OrganizationAdmin:
    """The calls about organizations, as the integration user may make them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def page(self, cursor: str | None = None) -> OrganizationPage:
        """A hundred of all organizations, from the first or after `cursor`."""
        query = {"page[size]": str(MANY)} | ({"page[after]": cursor} if cursor else {})
        return _page(await self._calls.get("organizations", "/organizations", query))

    async def by_id(self, ids: Iterable[str]) -> dict[str, OrganizationDetail]:
        """Those that exist, by id. Raises Permanent when one cannot be read."""
        found: dict[str, OrganizationDetail] = {}
        for some in batched(dict.fromkeys(map(digits, ids)), MANY):
            answer = await self._show_many({"ids": ",".join(some)})
            found |= {each.id: each for each in _strict(answer)}
        return found

    async def by_external_id(self, external_ids: Iterable[str]) -> list[OrganizationDetail]:
        """Those that have one of the external ids, which Zendesk compares without case."""
        found: list[OrganizationDetail] = []
        for some in batched(dict.fromkeys(external_ids), MANY):
            found += _strict(await self._show_many({"external_ids": ",".join(some)}))
        return found

    async def update_many(self, rows: Sequence[Mapping[str, object]]) -> Job:
        """Write up to a hundred, each with its `id` and the keys to change. Tags and domains replace the list."""
        body = {"organizations": _at_most(rows)}
        return _job(await self._calls.put("update_organizations", "/organizations/update_many", body))

    async def create_many(self, rows: Sequence[Mapping[str, object]]) -> Job:
        """Make up to a hundred. After an unknown outcome ask `by_external_id` before doing it again."""
        body = {"organizations": _at_most(rows)}
        return _job(await self._calls.post("create_organizations", "/organizations/create_many", body))

    async def job(self, job_id: str) -> Job:
        """The job as it is now. Raises NotFound when Zendesk has forgotten it."""
        if not job_id.isalnum() and not job_id.replace("-", "").isalnum():
            raise Permanent("not an id of a job")
        return _job(await self._calls.get("job", f"/job_statuses/{job_id}"))

    async def merged_into(self, organization_id: str) -> str | None:
        """The organization that this one was merged into; None when it was not, or Zendesk does not say."""
        try:
            answer = await self._calls.get(
                "organization_merges", f"/organizations/{digits(organization_id)}/merges"
            )
        except NotFound:
            return None
        for merge in objects(answer, "organization_merges"):
            if str(merge.get("loser_id")) == organization_id and merge.get("status") == "complete":
                return str(merge.get("winner_id"))
        return None

    async def fields(self) -> dict[str, OrganizationFieldDetail]:
        """The custom fields of organizations, by key."""
        found: dict[str, OrganizationFieldDetail] = {}
        query = {"page[size]": str(MANY)}
        async for page in self._calls.pages("organization_fields", "/organization_fields", query):
            rows = (as_model(OrganizationFieldDetail, row) for row in objects(page, "organization_fields"))
            found |= {each.key: each for each in rows}
        return found

    async def _show_many(self, query: Mapping[str, str]) -> Answer:
        return await self._calls.get("organizations", "/organizations/show_many", query)


def _page(answer: Answer) -> OrganizationPage:
    rows, unreadable = [], 0
    for row in objects(answer, "organizations"):
        try:
            rows.append(as_model(OrganizationDetail, row))
        except Permanent:
            unreadable += 1
    return OrganizationPage(tuple(rows), unreadable, next_cursor(answer))


def _strict(answer: Answer) -> list[OrganizationDetail]:
    return [as_model(OrganizationDetail, row) for row in objects(answer, "organizations")]


def _at_most(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    if not 0 < len(rows) <= MANY:
        raise ValueError(f"1 to {MANY} organizations at a time, not {len(rows)}")
    return list(rows)


def _job(answer: Answer) -> Job:
    job = answer.get("job_status")
    if not isinstance(job, dict) or not isinstance(job.get("id"), str):
        raise Permanent("zendesk: a job that we cannot read")
    items = {
        place: _item(row)
        for index, row in enumerate(objects(job, "results"))
        if isinstance(place := row.get("index", index), int)
    }
    return Job(job["id"], str(job.get("status")), items, str(job.get("message") or ""))


def _item(row: Mapping[str, Any]) -> JobItem:
    """Success is said in several ways, failure by `error` or `success: false`."""
    failed = row.get("success") is False or bool(row.get("error"))
    key = row.get("id")
    reason = ": ".join(str(row[name]) for name in ("error", "details") if row.get(name))
    return JobItem(not failed, str(key) if isinstance(key, int) else None, reason[:300])
