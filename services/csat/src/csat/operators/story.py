"""A ticket's whole CSAT story, from what csat's database holds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.asking.records import SURVEY, SURVEY_TAG

Row = Mapping[str, Any]
Happening = tuple[datetime, str, str]
"""When, what, and in which detail: one line of a ticket's story."""


async def story_of(conn: AsyncConnection, ticket_id: str) -> list[Happening]:
    """Everything that csat knows of a ticket, oldest first: its clock, decisions, calls with answers, the vote."""
    told: list[Happening] = []
    for table, tell in (
        (tables.tickets, _tell_clock),
        (tables.decisions, _tell_decision),
        (tables.surveys, _tell_survey),
        (tables.ratings, _tell_rating),
    ):
        rows = await conn.execute(select(table).where(table.c.ticket_id == ticket_id))
        told += [line for row in rows.mappings() for line in tell(dict(row))]
    calls = tables.engine.deliveries
    mine = calls.c.destination.in_((SURVEY, SURVEY_TAG)) & (calls.c.lane == ticket_id)
    for row in (await conn.execute(select(calls).where(mine))).mappings():
        told += _tell_delivery(dict(row))
    return sorted(told)


def _tell_clock(row: Row) -> list[Happening]:
    solve = f", last known solve {row['solved_at']:%Y-%m-%d %H:%M:%S} UTC" if row["solved_at"] else ""
    return [(row["changed_at"], "last event", f"the ticket is {row['status']}{solve}")]


def _tell_decision(row: Row) -> list[Happening]:
    verdict = "ask" if row["send"] else "do not ask"
    return [(row["decided_at"], f"decision: {verdict}", f"{row['rule']}: {row['reason']}")]


def _tell_survey(row: Row) -> list[Happening]:
    steps = (("asking_since", "about to ask"), ("sent_at", "survey sent"), ("tagged_at", "ticket tagged"))
    return [(row[name], what, f"survey {row['survey_id']}") for name, what in steps if row[name] is not None]


def _tell_rating(row: Row) -> list[Happening]:
    details = [f"answer {row['revision']}", row["reason"], "with a comment" if row["comment"] else None]
    return [(row["rated_at"], f"rated {row['score']}", ", ".join(filter(None, details)))]


def _tell_delivery(row: Row) -> list[Happening]:
    """When it is due, each attempt with its answer, and how it stands."""
    name = row["destination"]
    attempts = orjson.loads(row["history"] or "[]")
    lines = [
        (datetime.fromisoformat(each["at"]), name, f"attempt {each['attempt']}: {each.get('reason', 'done')}")
        for each in attempts
    ]
    return [*lines, (row["due_at"], name, f"due; now {row['state']}")]
