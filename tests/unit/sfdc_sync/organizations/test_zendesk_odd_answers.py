"""Zendesk's organizations when it answers half, in another order, twice, or somebody else does: the real client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sfdc_sync.organizations.zendesk_side import MOST_CALLS, ZendeskSide
from supportops.clock import SystemClock
from supportops.config import ZendeskSettings
from supportops.errors import DestinationPaused, Retryable
from supportops.vendors.zendesk import Zendesk, open_zendesk
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.organizations.test_zendesk_side import create, update
from tests.unit.sfdc_sync.organizations.worlds import POLICY, A, B
from tests.unit.supportops.vendors.fake_zendesk import Fake

ROW = {"id": 1, "name": "Acme", "external_id": A, "tags": [], "organization_fields": {}}


@asynccontextmanager
async def opened(fake: Fake) -> AsyncIterator[Zendesk]:
    settings = ZendeskSettings(
        base_url="https://acme.zendesk.com",
        email="ops@example.com",
        token=SecretStr("t0ken"),
        rate_limit=10_000,
    )
    transport = httpx.MockTransport(fake.handle)
    async with open_zendesk(
        settings, ["read"], clock=SystemClock(), metrics=fake.metrics, transport=transport
    ) as zendesk:
        yield zendesk


@asynccontextmanager
async def side_of(fake: Fake) -> AsyncIterator[ZendeskSide]:
    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    async with opened(fake) as zendesk:
        yield ZendeskSide(zendesk.organization_admin, POLICY, at_once)


def page(cursor: str | None, *, more: bool = True) -> dict[str, Any]:
    return {"organizations": [ROW], "meta": {"has_more": more, "after_cursor": cursor}}


@for_each(
    "answers",
    [
        [{}],
        [{"organizations": None}],
        [{"error": "Unexpected", "description": "with status 200"}],
        [page(None)],
        [page("")],
        [page("a"), page("a")],
        [page("a"), page("b"), page("a")],
    ],
)
async def test_half_a_list_of_organizations_is_none(answers: list[dict[str, Any]]) -> None:
    """What is missing would be made a second time, or its account marked."""
    fake = Fake()
    for body in answers * 5:
        fake.give(body=body)
    async with side_of(fake) as side:
        with pytest.raises(Retryable, match="zendesk"):
            [each async for each in side.pages()]


async def test_rows_that_cannot_be_read_are_counted_and_deleted_ones_are_gone() -> None:
    fake = Fake()
    rows = [ROW, None, {"id": 2}, {**ROW, "id": 3, "deleted_at": "2026-11-01T00:00:00Z"}]
    fake.give(body={"organizations": rows, "meta": {"has_more": False}})
    fake.give(body={"organizations": [*rows[:1], *rows[3:]]})
    async with side_of(fake) as side:
        ((found, odd),) = [each async for each in side.pages()]
        assert ([each.id for each in found], odd) == (["1"], 2)
        assert list(await side.by_id(["1", "3"])) == ["1"]


async def test_one_that_cannot_be_read_takes_no_neighbour_and_is_named() -> None:
    odd_row = {"id": 2, "name": "Odd", "external_id": B, "tags": "none", "organization_fields": []}
    fake = Fake()
    for _ in range(2):
        fake.give(body={"organizations": [ROW, odd_row]})
    odd: set[str] = set()
    async with side_of(fake) as side:
        assert list(await side.by_id(["1", "2"], odd)) == ["1"]
        assert odd == {"2", B}
        assert [each.id for each in await side.by_external_id([A, B], odd)] == ["1"]


ASKED: dict[str, Callable[[Zendesk], Awaitable[object]]] = {
    "memberships": lambda zendesk: zendesk.sharing.member_ids("7"),
    "users": lambda zendesk: zendesk.sharing.users(["7"]),
    "organizations": lambda zendesk: zendesk.sharing.organizations(["7"]),
}


@for_each("asked", ASKED)
async def test_an_answer_without_its_list_names_nobody_who_may_see_tickets(asked: str) -> None:
    fake = Fake()
    fake.give(body={"count": 0})
    async with opened(fake) as zendesk:
        with pytest.raises(Retryable, match="without its list"):
            await ASKED[asked](zendesk)


async def test_half_of_the_members_is_nobody() -> None:
    """Who stands on a page that is not read might see too much."""
    fake = Fake()
    member = {"user_id": 1, "organization_id": 7}
    fake.give(body={"organization_memberships": [member], "meta": {"has_more": True, "after_cursor": None}})
    async with opened(fake) as zendesk:
        with pytest.raises(Retryable, match="does not say where"):
            await zendesk.sharing.member_ids("7")


@pytest.mark.parametrize(
    ("location", "host"), [("https://acme-new.zendesk.com/api/v2/x", "acme-new.zendesk.com"), ("/login", "")]
)
async def test_an_account_that_has_moved_stops_everything_and_no_row_alone(location: str, host: str) -> None:
    fake = Fake()
    fake.give(302, location=location)
    async with opened(fake) as zendesk:
        with pytest.raises(DestinationPaused, match=f"{host}.*set ZENDESK_BASE_URL"):
            await zendesk.organization_admin.by_id(["1"])
    assert len(fake.requests) == 1


@for_each(
    "merge, winner",
    [
        ({"loser_id": 7, "winner_id": 8, "status": "complete"}, "8"),
        ({"loser_id": 7, "winner_id": None, "status": "complete"}, None),
        ({"loser_id": 7, "status": "complete"}, None),
        ({"loser_id": 7, "winner_id": 8, "status": "error"}, None),
    ],
)
async def test_a_merge_names_its_winner_or_nobody(merge: dict[str, Any], winner: str | None) -> None:
    fake = Fake()
    fake.give(body={"organization_merges": [merge]})
    async with opened(fake) as zendesk:
        assert await zendesk.organization_admin.merged_into("7") == winner


def job(*results: dict[str, Any], status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"job_status": {"id": "j", "status": status, "results": list(results), **more}}


@for_each(
    "answer, expected",
    [
        (job({"index": 1, "id": 2, "success": True}, {"index": 0, "id": 1, "error": "No"}), ["No", ""]),
        (job({"id": 2, "success": True}, {"id": 1, "error": "No"}), ["No", ""]),  # no order, and no index
        (job({"id": 2, "status": "Failed", "errors": "No"}, {"id": 1, "status": "Updated"}), ["", "No"]),
        (
            job({"index": 0, "error": "OrganizationUpdateError", "details": "taken"}, {"index": 1, "id": 2}),
            ["OrganizationUpdateError: taken", ""],
        ),
        (
            job({"index": 0, "id": 1}, status="failed", message="halfway"),
            ["", "job failed: halfway"],
        ),
        (
            job({"index": 0, "id": 9, "success": True}, {"index": 1, "id": 2}),
            ["job completed: nothing is said of this one", ""],
        ),
        (job({"index": 0, "id": 1}, {"index": 1, "id": 2}, status="Completed"), ["", ""]),
        ({"job_status": {**job({"id": 1}, {"id": 2})["job_status"], "id": 77}}, ["", ""]),
    ],
)
async def test_what_a_job_says_is_said_of_the_right_organization(
    answer: dict[str, Any], expected: list[str]
) -> None:
    fake = Fake()
    fake.give(body=answer)
    fake.give(body={"organizations": []})  # for whom nothing is said of
    async with side_of(fake) as side:
        written = await side.update([update("1"), update("2")])
    assert [each.reason for each in written] == expected
    assert [each.state == "done" for each in written] == [not reason for reason in expected]


async def test_a_made_organization_is_never_guessed_from_the_order_of_results() -> None:
    fake = Fake()
    fake.give(body=job({"id": 8, "status": "Created"}, {"id": 7, "status": "Created"}))
    fake.give(body={"organizations": [ROW]})
    async with side_of(fake) as side:
        written = await side.create([create(A), create(B)])
    assert [(each.item.account_id, each.organization_id) for each in written] == [(A, "1"), (B, None)]


async def test_a_job_that_cannot_be_read_may_have_made_them_and_is_asked_about() -> None:
    fake = Fake()
    fake.give(body={"job_status": {"status": "queued"}})
    fake.give(body={"organizations": [ROW]})
    async with side_of(fake) as side:
        (made,) = await side.create([create(A)])
    assert (made.state, made.organization_id) == ("done", "1")
    assert len(fake.requests) == 2, "nothing was made a second time"


class Picky(Fake):
    """Refuses every call that holds one of some organizations."""

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self.refused = set(refused)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        rows = self.body()["organizations"]
        if self.refused & {row["id"] for row in rows}:
            return httpx.Response(422, json={"error": "RecordInvalid", "details": {"name": "taken"}})
        done = [{"index": at, "id": row["id"], "success": True} for at, row in enumerate(rows)]
        return httpx.Response(200, json=job(*done))


async def test_one_row_that_spoils_a_whole_call_is_found_and_the_others_are_written() -> None:
    fake = Picky(17, 63)
    async with side_of(fake) as side:
        written = await side.update([update(str(key)) for key in range(100)])
    assert [each.item.organization_id for each in written if each.state == "refused"] == ["17", "63"]
    assert all("taken" in each.reason for each in written if each.state == "refused")
    assert len(fake.requests) <= MOST_CALLS


async def test_a_call_that_is_refused_for_all_does_not_become_two_hundred() -> None:
    fake = Picky(*range(100))
    async with side_of(fake) as side:
        written = await side.update([update(str(key)) for key in range(100)])
    assert {each.state for each in written} == {"refused"}
    assert len(fake.requests) == MOST_CALLS
