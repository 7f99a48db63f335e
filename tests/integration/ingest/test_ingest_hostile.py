"""Every place of a body may hold what a database cannot store or a clock cannot show: it is kept, its events are whole.

On PostgreSQL, which refuses texts with a NUL and moments that SQLite takes.
"""

import asyncio
from collections.abc import Iterator
from itertools import batched
from typing import Any

import pytest

from tests.integration.ingest.app import NATIVE, TRIGGERS, Ingest
from tests.support import zendesk_bodies as z

HOSTILE: tuple[Any, ...] = (
    *("a\x00b", "\x00", "\u202e\ufeff", "x" * 20_000),
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "-271821-04-20T00:00:00Z",
        "2026-02-30T00:00:00Z",
    ),
    *(10**30, -1, 1e308, None, True, [], {}, ["a\x00b"], {"a\x00b": "a\x00b"}),
)
BODIES = {
    "created": (NATIVE, z.native("ticket.created")),
    "status": (NATIVE, z.native("ticket.status_changed", {"current": "SOLVED", "previous": "OPEN"})),
    "trigger": (TRIGGERS, z.TRIGGER),
}


def variants(body: dict[str, Any], value: Any) -> Iterator[dict[str, Any]]:
    """The body with `value` in each place, one at a time."""
    for name, here in body.items():
        yield body | {name: value}
        if isinstance(here, dict):
            yield from (body | {name: inner} for inner in variants(here, value))


@pytest.mark.parametrize("dialect", ["postgres"])
@pytest.mark.parametrize("kind", BODIES)
async def test_whatever_stands_in_a_place_of_a_body_it_is_kept(ingest: Ingest, kind: str) -> None:
    path, body = BODIES[kind]
    sent = [variant for value in HOSTILE for variant in variants(body, value)]
    bodies = [z.as_bytes(variant | {"number": number}) for number, variant in enumerate(sent)]
    for some in batched(bodies, 60):  # those of one moment share a transaction: one must not harm the others
        answers = await asyncio.gather(*(ingest.post(body, path=path) for body in some))
        assert {answer.status_code for answer in answers} == {200}
    rows = await ingest.rows()
    assert sum(row["duplicates"] + 1 for row in rows) == len(sent) > 250
    assert [row["reason"] for row in rows if "could not be stored" in row["reason"]] == []
    assert [row["reason"] for row in rows if "our reader failed" in row["reason"]] == []
    assert not ingest.intake.away
    assert {row["disposition"] for row in rows} >= {"parked", "published"}
    await ingest.promised()  # each of them can be read again
