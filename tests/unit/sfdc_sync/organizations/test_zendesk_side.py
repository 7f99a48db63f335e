"""Bulk writes and lists when Zendesk is late, limits, forgets, or answers half."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from sfdc_sync.organizations.model import EXTERNAL_ID, FIELD, NAME, TAGS, Action, Change, Item
from sfdc_sync.organizations.zendesk_side import JOB_PATIENCE, ZendeskSide, body
from supportops.errors import DestinationPaused, Forbidden, NotFound, Permanent, Retryable, UnknownOutcome
from supportops.vendors.zendesk import Job, JobItem, OrganizationDetail, OrganizationPage
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.worlds import POLICY, A, B

DONE = Job("j", "completed", {0: JobItem(ok=True, id="1"), 1: JobItem(ok=True, id="2")})


@dataclass
class FakeZendesk:
    """Answers from a script: an exception is raised, anything else returned."""

    script: list[object]
    there: list[OrganizationDetail] = field(default_factory=list)
    sent: list[object] = field(default_factory=list)

    async def page(self, cursor: str | None = None) -> OrganizationPage:
        self.sent.append(cursor)
        found = self._next()
        assert isinstance(found, OrganizationPage)
        return found

    async def by_id(self, ids: Iterable[str], odd: set[str] | None = None) -> dict[str, OrganizationDetail]:
        return {each.id: each for each in self.there if each.id in set(ids)}

    async def by_external_id(
        self, external_ids: Iterable[str], odd: set[str] | None = None
    ) -> list[OrganizationDetail]:
        wanted = set(external_ids)
        return [each for each in self.there if each.external_id in wanted]

    async def update_many(self, rows: Sequence[Mapping[str, object]]) -> Job:
        return self._job(list(rows))

    async def create_many(self, rows: Sequence[Mapping[str, object]]) -> Job:
        return self._job(list(rows))

    async def job(self, job_id: str) -> Job:
        return self._job(job_id)

    async def merged_into(self, organization_id: str) -> str | None:
        return None

    def _job(self, sent: object) -> Job:
        self.sent.append(sent)
        found = self._next()
        assert isinstance(found, Job)
        return found

    def _next(self) -> object:
        found = self.script.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found


@dataclass
class Waits:
    slept: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def side(*script: object, there: Sequence[OrganizationDetail] = ()) -> tuple[ZendeskSide, FakeZendesk, Waits]:
    fake, waits = FakeZendesk(list(script), list(there)), Waits()
    return ZendeskSide(fake, POLICY, waits), fake, waits


def update(key: str) -> Item:
    return Item(Action.UPDATE, "salesforce_id", key, A, key, (Change(f"{FIELD}support_level", "a", "b"),))


def create(account_id: str) -> Item:
    changes = (Change(NAME, None, account_id), Change(EXTERNAL_ID, None, account_id))
    return Item(Action.CREATE, "no_organization", account_id, account_id, None, changes)


def detail(key: str, external_id: str) -> OrganizationDetail:
    return OrganizationDetail(id=key, name=key, external_id=external_id)


QUEUED = Job("j", "queued", {})


async def test_a_job_is_asked_until_it_has_finished() -> None:
    zendesk, fake, waits = side(QUEUED, Job("j", "working", {}), DONE)
    done = await zendesk.update([update("1"), update("2")])
    assert [each.state for each in done] == ["done", "done"]
    assert (fake.sent[1:], waits.slept) == (["j", "j"], [0.2, 0.5])


@for_each(
    "job, expected",
    [
        (
            Job("j", "completed", {0: JobItem(ok=True), 1: JobItem(ok=False, reason="no")}),
            [("done", ""), ("refused", "no")],
        ),
        (
            Job("j", "failed", {}, "broke"),
            [("refused", "job failed: broke"), ("refused", "job failed: broke")],
        ),
        (
            Job("j", "killed", {0: JobItem(ok=True)}),
            [("done", ""), ("refused", "job killed: nothing is said of this one")],
        ),
    ],
)
async def test_each_item_of_a_job_has_its_own_end(job: Job, expected: list[tuple[str, str]]) -> None:
    zendesk, _, _ = side(job)
    assert [
        (each.state, each.reason) for each in await zendesk.update([update("1"), update("2")])
    ] == expected


async def test_a_job_that_never_ends_is_an_unknown_outcome() -> None:
    zendesk, _, waits = side(QUEUED, *[Job("j", "working", {})] * 1_000)
    with pytest.raises(UnknownOutcome):
        await zendesk.update([update("1")])
    assert sum(waits.slept) <= JOB_PATIENCE.total_seconds()


@for_each(
    "now, sent",
    [
        (("vip", "starter"), ["vip", "ultimate"]),
        (
            ("vip", "starter", "new"),
            ["vip", "new", "ultimate"],
        ),  # somebody added one since the organization was read
        (("starter",), ["ultimate"]),  # or took one off
        (("ultimate", "starter"), ["ultimate"]),
    ],
)
async def test_tags_are_those_of_the_moment_without_other_plans(
    now: tuple[str, ...], sent: list[str]
) -> None:
    """Zendesk replaces the whole list, and between reading and writing there are all the pages of a full run."""
    zendesk, fake, _ = side(DONE, there=[OrganizationDetail(id="1", name="1", tags=now)])
    change = Change(TAGS, "vip starter", "vip ultimate")
    await zendesk.update([Item(Action.UPDATE, "salesforce_id", "1", A, "1", (change,)), update("2")])
    assert fake.sent == [[{"id": 1, "tags": sent}, {"id": 2, "organization_fields": {"support_level": "b"}}]]


SILENT: list[tuple[str, list[object]]] = [
    ("completed", [Job("j", "completed", {})]),
    ("completed", [QUEUED, Job("j", "completed", {})]),
    ("failed", [Job("j", "failed", {})]),
    ("forgotten", [QUEUED, NotFound("gone")]),
]


@for_each("status, script", SILENT)
async def test_what_a_job_does_not_say_is_read_from_the_organizations(
    status: str, script: list[object]
) -> None:
    """Nothing more will come of a job that has ended: to ask it again would only be to wait."""
    changed = detail("1", A).model_copy(update={"organization_fields": {"support_level": "b"}})
    zendesk, fake, waits = side(*script, there=[changed, detail("2", B)])
    done = await zendesk.update([update("1"), update("2")])
    assert [(each.state, each.reason) for each in done] == [
        ("done", f"job {status} without a word of it, but it is so"),
        ("refused", f"job {status}: nothing is said of this one"),
    ]
    assert (fake.script, len(waits.slept)) == ([], len(script) - 1)


async def test_what_a_job_does_not_say_it_made_is_looked_for_and_not_made_twice() -> None:
    zendesk, fake, _ = side(Job("j", "completed", {}), there=[detail("7", A)])
    done = await zendesk.create([create(A), create(B)])
    assert [(each.state, each.organization_id) for each in done] == [("done", "7"), ("refused", None)]
    assert len(fake.sent) == 1


async def test_an_update_is_repeated_after_a_lost_answer() -> None:
    zendesk, fake, _ = side(UnknownOutcome("lost"), DONE)
    assert [each.state for each in await zendesk.update([update("1")])] == ["done"]
    assert len(fake.sent) == 2


async def test_a_creation_is_looked_for_before_it_is_done_again() -> None:
    one_left = Job("j", "completed", {0: JobItem(ok=True, id="8")})
    zendesk, fake, _ = side(UnknownOutcome("lost"), one_left, there=[detail("7", A)])
    done = await zendesk.create([create(A), create(B)])
    assert {each.item.account_id: each.organization_id for each in done} == {A: "7", B: "8"}
    assert fake.sent[1] == [body(create(B))], "only what is not there"


async def test_everything_was_made_by_the_call_whose_answer_was_lost() -> None:
    zendesk, fake, _ = side(UnknownOutcome("lost"), there=[detail("7", A), detail("8", B)])
    assert [each.organization_id for each in await zendesk.create([create(A), create(B)])] == ["7", "8"]
    assert len(fake.sent) == 1


async def test_limits_are_waited_for_as_long_as_they_say() -> None:
    zendesk, _, waits = side(DestinationPaused("429", timedelta(seconds=40)), Retryable("503"), DONE)
    await zendesk.update([update("1")])
    assert waits.slept == [40.0, 2.0]


async def test_a_limit_without_end_stops_the_run() -> None:
    zendesk, _, _ = side(DestinationPaused("429", timedelta(hours=3)))
    with pytest.raises(DestinationPaused):
        await zendesk.update([update("1")])


async def test_a_refused_call_is_its_rows_and_a_missing_right_is_everybodys() -> None:
    zendesk, _, _ = side(*[Permanent("422")] * 3)
    assert [each.reason for each in await zendesk.update([update("1"), update("2")])] == ["422", "422"]
    zendesk, _, _ = side(Forbidden("403"))
    with pytest.raises(Forbidden):
        await zendesk.update([update("1")])


async def test_a_list_goes_on_at_its_cursor_after_a_bad_moment() -> None:
    """A page that is skipped would look like organizations that are gone."""
    first = OrganizationPage((detail("1", A),), 0, "next")
    last = OrganizationPage((detail("2", B),), 1)
    zendesk, fake, _ = side(first, Retryable("reset"), last)
    pages = [([each.id for each in rows], odd) async for rows, odd in zendesk.pages()]
    assert (pages, fake.sent) == ([(["1"], 0), (["2"], 1)], [None, "next", "next"])


def test_only_what_changes_is_sent() -> None:
    changes = (
        Change(NAME, "a", "b"),
        Change(TAGS, "x gold", "x"),
        Change(f"{FIELD}name", None, "a field that is called name"),
        Change(f"{FIELD}aar", 1, None),
    )
    sent = body(Item(Action.UPDATE, "r", "n", A, "1", changes))
    assert sent == {
        "name": "b",
        "tags": ["x"],
        "organization_fields": {"name": "a field that is called name", "aar": None},
    }
