"""Organizations read and written: what we compare of each, and bulk writes (docs/vendors/zendesk.md#organizations).

A write that may have happened is asked about before it is done again. One row that Zendesk refuses harms no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Protocol

from sfdc_sync.organizations.model import (
    EXTERNAL_ID,
    FIELD,
    NAME,
    TAGS,
    Action,
    Change,
    Item,
    Organization,
    Value,
    same,
    value_of,
)
from sfdc_sync.policy.organizations import OrganizationsPolicy
from supportops.errors import DestinationPaused, Forbidden, NotFound, Permanent, Retryable, UnknownOutcome
from supportops.vendors.zendesk import Job, JobItem, OrganizationDetail, OrganizationPage
from supportops.vendors.zendesk.calls import not_again

BATCH = 100
TRIES = 5
LONGEST_WAIT = timedelta(minutes=30)
"""For a limit that Zendesk names; past it the run ends and says so."""
JOB_PATIENCE = timedelta(minutes=15)
_POLL = (0.2, 0.5, 1.0, 2.0, 5.0)

MOST_CALLS = 40
"""For one batch that Zendesk refuses as a whole, to find the items that spoil it."""

type Work = Callable[[Sequence[Item]], Awaitable[list[Written]]]
type Sleep = Callable[[float], Awaitable[None]]


class ZendeskPort(Protocol):
    """What we need of `zendesk.OrganizationAdmin`."""

    async def page(self, cursor: str | None = None) -> OrganizationPage: ...
    async def by_id(
        self, ids: Iterable[str], odd: set[str] | None = None
    ) -> dict[str, OrganizationDetail]: ...
    async def by_external_id(
        self, external_ids: Iterable[str], odd: set[str] | None = None
    ) -> list[OrganizationDetail]: ...
    async def update_many(self, rows: Sequence[Mapping[str, object]]) -> Job: ...
    async def create_many(self, rows: Sequence[Mapping[str, object]]) -> Job: ...
    async def job(self, job_id: str) -> Job: ...
    async def merged_into(self, organization_id: str) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one item: `done` with the organization's id, or `refused` with the reason."""

    item: Item
    state: str
    organization_id: str | None = None
    reason: str = ""


@dataclass(slots=True)
class _Calls:
    """How many were made for one batch, and why the last of them was refused."""

    made: int = 0
    last: str = ""


class ZendeskSide:
    """One account's organizations, as far as the rules map them."""

    def __init__(
        self, zendesk: ZendeskPort, policy: OrganizationsPolicy, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._zendesk, self._policy, self._sleep = zendesk, policy, sleep
        self._kept = {*policy.fields, policy.marked}

    # --- reading ---

    async def pages(self) -> AsyncIterator[tuple[list[Organization], int]]:
        """All organizations, page by page, each with the number of rows that could not be read."""
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            page = await self.patiently(partial(self._zendesk.page, cursor))
            yield [self.compact(each) for each in page.rows], page.unreadable
            if page.cursor is None:
                return
            not_again(page.cursor, seen)
            cursor = page.cursor

    async def by_id(self, ids: Iterable[str], odd: set[str] | None = None) -> dict[str, Organization]:
        """Those that exist, as they are now. One that cannot be read is Permanent, or its ids are added to `odd`."""
        wanted = sorted(set(ids), key=int)
        found = await self.patiently(lambda: self._zendesk.by_id(wanted, odd)) if wanted else {}
        return {key: self.compact(each) for key, each in found.items()}

    async def by_external_id(self, ids: Iterable[str], odd: set[str] | None = None) -> list[Organization]:
        """Those that hold one of the external ids; `odd`: as in `by_id`."""
        wanted = sorted(set(ids))
        found = await self.patiently(lambda: self._zendesk.by_external_id(wanted, odd)) if wanted else []
        return [self.compact(each) for each in found]

    async def merged_into(self, organization_id: str) -> str | None:
        """The organization that one was merged into."""
        return await self.patiently(lambda: self._zendesk.merged_into(organization_id))

    def compact(self, each: OrganizationDetail) -> Organization:
        """What is compared of an organization."""
        fields = each.organization_fields or {}
        values = {key: _value(fields[key]) for key in fields.keys() & self._kept}
        return Organization(
            each.id,
            each.name,
            each.external_id,
            values,
            each.tags,
            each.domain_names,
            each.shared_tickets is True,
        )

    # --- writing ---

    async def update(self, items: Sequence[Item]) -> list[Written]:
        """Change up to a hundred organizations in one call; the same call again changes nothing more."""
        return await self._apart(items, self._update, _Calls())

    async def create(self, items: Sequence[Item]) -> list[Written]:
        """Make up to a hundred. After a lost answer only those are made that are not there: none twice."""
        return await self._apart(items, self._create, _Calls())

    async def _apart(self, items: Sequence[Item], work: Work, calls: _Calls) -> list[Written]:
        """Do `work`; when Zendesk refuses the whole call, one item spoils it for all: look for it by halving."""
        if calls.made >= MOST_CALLS:
            return [Written(item, "refused", reason=f"with others: {calls.last}"[:300]) for item in items]
        try:
            calls.made += 1
            return await work(items)
        except Forbidden:
            raise
        except Permanent as error:
            calls.last = str(error)
            if len(items) == 1:
                return [Written(items[0], "refused", reason=calls.last[:300])]
        middle = len(items) // 2
        first = await self._apart(items[:middle], work, calls)
        return first + await self._apart(items[middle:], work, calls)

    async def _update(self, items: Sequence[Item]) -> list[Written]:
        tags = await self._tags_now(items)
        rows = [
            {"id": int(item.organization_id or 0), **body(item), **tags.get(item.organization_id or "", {})}
            for item in items
        ]
        started = await self.patiently(lambda: self._zendesk.update_many(rows), repeat=True)
        try:
            job = await self._finished(started)
        except NotFound:
            job = replace(started, status="forgotten")
        told = [(item, _of_update(item, job, place)) for place, item in enumerate(items)]
        silent = [item.organization_id for item, result in told if result is None and item.organization_id]
        now = await self.by_id(silent, set()) if silent else {}
        return [
            _written(item, result, job)
            if result is not None
            else _read_back(item, now.get(item.organization_id or ""), job)
            for item, result in told
        ]

    async def _tags_now(self, items: Sequence[Item]) -> dict[str, dict[str, object]]:
        """The tags to write, by organization: Zendesk replaces the list, and people may have added to it since."""
        changes = {
            item.organization_id: change
            for item in items
            for change in item.changes
            if change.key == TAGS and item.organization_id
        }
        now = await self.by_id(changes, set()) if changes else {}
        return {key: {"tags": tags_after(now[key].tags, changes[key])} for key in changes if key in now}

    async def _create(self, items: Sequence[Item]) -> list[Written]:
        there: dict[str, str] = {}
        left = list(items)
        for _ in range(TRIES):
            if not left:
                return _there(items, there)
            rows = [body(item) for item in left]
            try:
                job = await self._finished(await self.patiently(partial(self._zendesk.create_many, rows)))
            except (UnknownOutcome, NotFound):
                there |= await self._made(left)
                left = [item for item in left if item.account_id not in there]
                continue
            silent = [item for place, item in enumerate(left) if place not in job.items]
            there |= await self._made(silent) if silent else {}
            made = [
                _written(item, job.items.get(place), job)
                for place, item in enumerate(left)
                if item.account_id not in there
            ]
            return [*_there(items, there), *made]
        never = [Written(item, "refused", reason="no answer, several times") for item in left]
        return [*_there(items, there), *never]

    async def _made(self, items: Sequence[Item]) -> dict[str, str]:
        """Account's id -> organization's, of those that were made for these items by now."""
        found = await self.by_external_id((item.account_id or "" for item in items), set())
        return {str(each.external_id): each.id for each in found}

    async def _finished(self, job: Job) -> Job:
        """The job once Zendesk is through with it; it may have nothing to say of items, also when it is `completed`.

        Raises UnknownOutcome when that takes too long, NotFound when Zendesk has forgotten it.
        """
        waited = 0.0
        for poll in range(10_000):
            if job.finished:
                return job
            pause = _POLL[min(poll, len(_POLL) - 1)]
            waited += pause
            if waited > JOB_PATIENCE.total_seconds():
                break
            await self._sleep(pause)
            job = await self.patiently(partial(self._zendesk.job, job.id))
        raise UnknownOutcome(f"job {job.id} is not finished after {JOB_PATIENCE}")

    async def patiently[T](self, call: Callable[[], Awaitable[T]], *, repeat: bool = False) -> T:
        """Make a call, waiting for limits and outages. `repeat`: twice does no harm, also after a lost answer."""
        for attempt in range(TRIES):
            try:
                return await call()
            except UnknownOutcome:
                if not repeat or attempt == TRIES - 1:
                    raise
                await self._sleep(2.0**attempt)
            except DestinationPaused as error:
                if error.after is None or error.after > LONGEST_WAIT or attempt == TRIES - 1:
                    raise
                await self._sleep(error.after.total_seconds())
            except Retryable as error:
                if attempt == TRIES - 1:
                    raise
                await self._sleep((error.after or timedelta(seconds=2.0**attempt)).total_seconds())
        raise AssertionError("unreachable")


def body(item: Item) -> dict[str, object]:
    """What is sent of an item: the changed keys and no others."""
    found: dict[str, object] = {}
    fields: dict[str, Value] = {}
    for change in item.changes:
        if change.key == TAGS:
            found["tags"] = str(change.after or "").split()
        elif change.key in (NAME, EXTERNAL_ID):
            found[change.key] = change.after
        else:
            fields[change.key.removeprefix(FIELD)] = change.after
    return found | ({"organization_fields": fields} if fields else {})


def tags_after(now: Sequence[str], change: Change) -> list[str]:
    """The tags of `now` with what the change takes off and puts on."""
    before, after = str(change.before or "").split(), str(change.after or "").split()
    off = set(before) - set(after)
    kept = [tag for tag in now if tag not in off]
    return kept + [tag for tag in after if tag not in before and tag not in kept]


def _of_update(item: Item, job: Job, place: int) -> JobItem | None:
    """What a job says of an item: by the organization's id, since results come in any order, else by its place."""
    named = next((each for each in job.items.values() if each.id == item.organization_id), None)
    placed = job.items.get(place)
    return named or (placed if placed is not None and placed.id is None else None)


def _written(item: Item, result: JobItem | None, job: Job) -> Written:
    if result is None:
        return Written(
            item, "refused", reason=f"job {job.status}: {job.message or 'nothing is said of this one'}"
        )
    if not result.ok:
        return Written(item, "refused", reason=result.reason or "refused without a reason")
    if item.action is Action.CREATE and result.id is None:
        return Written(
            item,
            "refused",
            reason="made, but Zendesk did not name it: the next run finds it by its external id",
        )
    return Written(item, "done", result.id or item.organization_id)


def _read_back(item: Item, now: Organization | None, job: Job) -> Written:
    """What became of an item of which its job says nothing: what the organization holds afterwards."""
    if now is not None and all(same(value_of(now, each.key), each.after) for each in item.changes):
        return Written(item, "done", now.id, f"job {job.status} without a word of it, but it is so")
    return _written(item, None, job)


def _there(items: Sequence[Item], there: Mapping[str, str]) -> list[Written]:
    return [
        Written(item, "done", found, "made by a call whose answer was lost")
        for item in items
        if (found := there.get(item.account_id or "")) is not None
    ]


def _value(raw: object) -> Value:
    """A field's value; a list (multi-select) is no value of ours, but never equal to one either."""
    return raw if raw is None or isinstance(raw, str | int | float | bool) else str(raw)
