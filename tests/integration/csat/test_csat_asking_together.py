"""Many surveys due at once are read and written down together; each ends as it would have alone."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from csat import tables
from csat.destinations import SURVEY, SURVEY_TAG
from csat.policy.csat import CsatPolicy
from supportops.errors import Unreadable
from supportops.store import Store
from supportops.vendors.zendesk import Rows, Ticket, Zendesk
from tests.integration.csat.app import NOW, Csat
from tests.integration.csat.assertions import on, rows_of
from tests.integration.csat.events import solved
from tests.integration.csat.sandbox import Outside

MANY = 25


async def heard(csat: Csat, outside: Outside, *, count: int = MANY) -> list[str]:
    """So many solved tickets, all of them heard of in one batch."""
    tickets = [await outside.solved_ticket() for _ in range(count)]
    await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets))
    return [ticket_id for ticket_id, _ in tickets]


async def asked(outside: Outside, tickets: list[str]) -> list[int]:
    """How often each was asked; nobody else writes comments by Zendesk's own API here."""
    times = Counter(str(call["ticket_id"]) for call in await outside.calls("zendesk.comment"))
    return [times[ticket_id] for ticket_id in tickets]


@pytest.mark.both_databases
async def test_all_are_asked_and_tagged_once_with_a_few_readings(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    calls: list[str] = []
    csat = Csat(live_store, Counting(zendesk, calls))
    tickets = await heard(csat, outside)
    async with csat.at_work():
        await csat.settled()
    assert await asked(outside, tickets) == [1] * MANY
    assert [await outside.tags(each) for each in tickets] == [["csat_survey_sent"]] * MANY
    assert calls.count("ticket") + calls.count("tickets") < MANY
    assert {row.rule for row in await rows_of(live_store, tables.decisions)} == {"send"}


async def test_a_ticket_that_is_gone_moved_or_objected_to_disturbs_no_other(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    csat = Csat(live_store, zendesk)
    tickets = await heard(csat, outside)
    gone, moved, spam, late = tickets[3], tickets[4], tickets[5], tickets[6]
    await outside.act(gone, "delete")
    await outside.act(spam, "tags", tags={"add": ["spam_ticket"]})
    await outside.act(moved, "reopen")
    await outside.fault(kind="error", status=409, method="PUT", path=f"*/tickets/{late}")
    async with csat.at_work():
        await csat.settled()
    assert await asked(outside, [each for each in tickets if each not in (gone, moved, spam)]) == [1] * (
        MANY - 3
    )
    rules = {row.ticket_id: row.rule for row in await rows_of(live_store, tables.decisions)}
    assert (rules[gone], rules[moved], rules[spam], rules[late]) == (
        "deleted",
        "reopened",
        "excluded_tag",
        "send",
    )


async def test_one_that_cannot_be_read_is_not_deleted_and_takes_no_other_along(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    helpdesk = Unreading(zendesk)
    csat = Csat(live_store, helpdesk)
    tickets = await heard(csat, outside, count=4)
    helpdesk.odd = tickets[1]
    async with csat.at_work():
        await csat.settled()
    assert await asked(outside, tickets) == [1, 0, 1, 1]
    assert "deleted" not in {row.rule for row in await rows_of(live_store, tables.decisions)}


async def test_lost_answers_of_some_repeat_none(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    csat = Csat(live_store, zendesk)
    tickets = await heard(csat, outside)
    for kind in ("drop_after_commit", "drop"):
        await outside.fault(kind=kind, method="PUT", path="*/tickets/*", count=7)
    async with csat.at_work():
        await csat.settled(SURVEY, SURVEY_TAG)
    assert await asked(outside, tickets) == [1] * MANY


@on("postgres")
async def test_once_per_requester_also_among_those_that_are_asked_together(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    rules = CsatPolicy.model_validate(NOW.model_dump() | {"once_per": "30d"})
    csat = Csat(live_store, zendesk, rules)
    tickets = await heard(csat, outside, count=5)  # all by the same requester
    async with csat.at_work():
        await csat.settled(SURVEY)
    assert sorted(await asked(outside, tickets)) == [0, 0, 0, 0, 1]
    told = [row.rule for row in await rows_of(live_store, tables.decisions)]
    assert sorted(told) == ["asked_recently"] * 4 + ["send"]


class Counting:
    """Zendesk, with the names of what was called."""

    def __init__(self, zendesk: Zendesk, calls: list[str]) -> None:
        self._zendesk, self._calls = zendesk, calls

    def __getattr__(self, name: str) -> Any:
        self._calls.append(name)
        return getattr(self._zendesk, name)


class Unreading:
    """Zendesk, one of whose tickets cannot be read."""

    odd = ""

    def __init__(self, zendesk: Zendesk) -> None:
        self._zendesk = zendesk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zendesk, name)

    async def tickets(self, ticket_ids: Iterable[str]) -> Rows[Ticket]:
        found = await self._zendesk.tickets(ticket_ids)
        if found.pop(self.odd, None) is not None:
            found.unreadable[self.odd] = Unreadable("updated_at")
        return found

    async def ticket(self, ticket_id: str) -> Ticket | None:
        if ticket_id == self.odd:
            raise Unreadable("updated_at")
        return await self._zendesk.ticket(ticket_id)
