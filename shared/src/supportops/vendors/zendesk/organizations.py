"""Organizations: the whole list, many by id or external id, written in bulk as jobs, and merges
(docs/vendors/zendesk.md#organizations).

A bulk write is answered with a job; what became of each item is asked for afterwards.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from supportops.errors import NotFound, Permanent, UnknownOutcome
from supportops.vendors.zendesk.calls import Answer, Calls, as_model, digits, listed, next_cursor, objects
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
    """A bulk write that Zendesk works on. `items` by their place in what was sent, once it has finished; below zero
    those of which Zendesk does not say it.
    """

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

    async def by_id(self, ids: Iterable[str], odd: set[str] | None = None) -> dict[str, OrganizationDetail]:
        """Those that exist, by id. One that cannot be read is Permanent, or its ids are added to `odd`."""
        found: dict[str, OrganizationDetail] = {}
        for some in batched(dict.fromkeys(map(digits, ids)), MANY):
            answer = await self._show_many({"ids": ",".join(some)})
            found |= {each.id: each for each in _living(answer, odd)}
        return found

    async def by_external_id(
        self, external_ids: Iterable[str], odd: set[str] | None = None
    ) -> list[OrganizationDetail]:
        """Those that have one of the external ids, which Zendesk compares without case; `odd`: as in `by_id`."""
        found: list[OrganizationDetail] = []
        for some in batched(dict.fromkeys(external_ids), MANY):
            found += _living(await self._show_many({"external_ids": ",".join(some)}), odd)
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
            winner = merge.get("winner_id")
            complete = merge.get("status") == "complete" and isinstance(winner, int)
            if complete and str(merge.get("loser_id")) == organization_id:
                return str(winner)
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
    odd: list[object] = []
    rows = tuple(_readable(answer, odd.append))
    return OrganizationPage(rows, len(odd), next_cursor(answer, whole=True))


def _living(answer: Answer, odd: set[str] | None) -> Iterator[OrganizationDetail]:
    def note(row: object) -> None:
        if odd is None:
            as_model(OrganizationDetail, row)  # which says what is wrong with it
        elif isinstance(row, dict):
            odd.update(str(row[name]) for name in ("id", "external_id") if row.get(name))

    return _readable(answer, note)


def _readable(answer: Answer, note: Callable[[object], None]) -> Iterator[OrganizationDetail]:
    """The organizations of an answer; not those that are deleted, and what cannot be read goes to `note`."""
    for row in listed(answer, "organizations"):
        if isinstance(row, dict) and row.get("deleted_at"):
            continue
        try:
            yield as_model(OrganizationDetail, row)
        except Permanent:
            note(row)


def _at_most(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    if not 0 < len(rows) <= MANY:
        raise ValueError(f"1 to {MANY} organizations at a time, not {len(rows)}")
    return list(rows)


def _job(answer: Answer) -> Job:
    """The job of an answer. Zendesk works on it also when we cannot read it: then the outcome is unknown."""
    job = answer.get("job_status")
    key = job.get("id") if isinstance(job, dict) else None
    if not isinstance(job, dict) or not isinstance(key, str | int) or not key:
        raise UnknownOutcome("zendesk: a job that we cannot read")
    items = {}
    for index, row in enumerate(objects(job, "results")):
        place = row.get("index")
        items[place if isinstance(place, int) and place >= 0 else -1 - index] = _item(row)
    return Job(str(key), str(job.get("status")).lower(), items, str(job.get("message") or ""))


def _item(row: Mapping[str, Any]) -> JobItem:
    """Success is said in several ways, failure by `error`, `errors`, `success: false` or a status."""
    said = [row.get(name) for name in ("error", "errors", "details")]
    failed = (
        row.get("success") is False or str(row.get("status")).lower() == "failed" or bool(said[0] or said[1])
    )
    key = row.get("id")
    reason = ": ".join(str(each) for each in said if each)
    return JobItem(not failed, str(key) if isinstance(key, int) else None, reason[:300])
