"""Rows that Zendesk sends and we cannot read: they are there, and no neighbour suffers from them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from supportops.errors import Retryable, Unreadable
from supportops.vendors.zendesk import Organization, References, Zendesk
from tests.unit.supportops.vendors.fake_zendesk import Fake, client_of

TICKET: dict[str, Any] = {"id": 35436, "status": "Solved", "updated_at": "2026-03-01T11:00:00+01:00"}


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
async def zendesk(fake: Fake) -> AsyncIterator[Zendesk]:
    async with client_of(fake) as client:
        yield client


@pytest.mark.parametrize(
    ("odd", "unreadable"),
    [
        (TICKET | {"id": 8, "updated_at": None}, {"8"}),
        (TICKET | {"id": 8, "tags": {"x": 1}}, {"8"}),
        (TICKET | {"id": None}, {"8", "9"}),  # it may be either
        ("a ticket", {"8", "9"}),
    ],
)
async def test_a_row_that_cannot_be_read_is_not_gone(
    fake: Fake, zendesk: Zendesk, odd: Any, unreadable: set[str]
) -> None:
    fake.give(body={"tickets": [TICKET, odd]})
    found = await zendesk.tickets(["35436", "8", "9"])
    assert (set(found), set(found.unreadable)) == ({"35436"}, unreadable)
    with pytest.raises(Unreadable):
        found.get("8")
    with pytest.raises(Unreadable):
        found["8"]
    assert "9" in unreadable or found.get("9") is None


@pytest.mark.parametrize("body", [{}, {"tickets": None}, {"error": "soon"}])
async def test_an_answer_without_its_list_says_of_nothing_that_it_is_gone(
    fake: Fake, zendesk: Zendesk, body: Any
) -> None:
    for _ in range(4):
        fake.give(body=body)
    for asked in (
        zendesk.tickets(["7"]),
        zendesk.users(["7"]),
        zendesk.audits("7"),
        zendesk.latest_comments("7"),
    ):
        with pytest.raises(Retryable, match="without its list"):
            await asked


async def test_an_organization_that_cannot_be_read_is_no_missing_one(fake: Fake, zendesk: Zendesk) -> None:
    names = References(zendesk, clock=fake.clock, metrics=fake.metrics)
    rows = {"organizations": [{"id": 1, "name": "A"}, {"id": 2, "name": None}]}
    fake.give(body=rows)
    odd: set[str] = set()
    assert await names.organizations.get_many(["1", "2", "3"], odd) == {"1": Organization(id="1", name="A")}
    assert odd == {"2"}
    fake.give(body=rows)
    with pytest.raises(Unreadable, match="name"):
        await names.organizations.get("2")  # it was not kept as one that is not there
    assert await names.organizations.get("3") is None
    assert len(fake.requests) == 2


async def test_a_404_of_all_is_about_whoever_is_gone(fake: Fake, zendesk: Zendesk) -> None:
    """Some accounts may leave them out, others say that all of it is not found (UNCONFIRMED): neither is a guess."""
    gone = {"error": "RecordNotFound", "description": "Not found"}
    fake.give(404, gone)  # 7, 8, 9
    fake.give(body={"users": [{"id": 7, "name": "Rita"}]})
    fake.give(404, gone)  # 8, 9
    fake.give(404, gone)  # 8
    fake.give(body={"users": [{"id": 9, "name": "Gil"}]})
    found = await zendesk.users(["7", "8", "9"])
    assert ([each.name for each in found.values()], found.get("8")) == (["Rita", "Gil"], None)
    assert [fake.query(n)["ids"][0] for n in range(5)] == ["7,8,9", "7", "8,9", "8", "9"]
