"""The numbers, counted from csat's tables."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from csat import tables
from csat.answers.scoring import Kpi


async def kpi(conn: AsyncConnection) -> Kpi:
    """The numbers of handbook C2 as of now: one latest answer per ticket, one survey per ticket."""
    scores = select(tables.ratings.c.score, func.count()).group_by(tables.ratings.c.score)
    counts = {row[0]: row[1] for row in await conn.execute(scores)}
    offered = select(func.count()).select_from(tables.surveys).where(tables.surveys.c.sent_at.is_not(None))
    return Kpi(counts.get("good", 0), counts.get("bad", 0), (await conn.execute(offered)).scalar_one())
