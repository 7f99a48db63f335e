"""Two years of csat's history in PostgreSQL: 1,000,000 solved tickets, 900,000 of them asked, 200,000 rated.

Skewed and correlated as in a real organization: few people do much of the work, in their own group and region; plans
and forms hang together; ratings lean to good, and less so for some. Everything follows from a fixed seed.

    python -m bench.csat_history URL [TICKETS]

fills an empty database that `csat migrate` has prepared.
"""

import asyncio
import sys
import time
from datetime import UTC

from sqlalchemy import text

from csat.kpi.aggregation import recount
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.store import Store, open_store

TICKETS = 1_000_000
SLICE = 100_000
DAYS = 728  # of solves, the last of them yesterday

FACTS = """
INSERT INTO facts (ticket_id, solved_at, form, plan, region, group_name, assignee, decided, asked_at, score, reason,
                   has_comment, rated_at, described_at, noted_at, stale)
SELECT n::text, solved_at, form, plan, region, group_name, assignee, true,
       CASE WHEN asked THEN solved_at + interval '24 hours' END,
       CASE WHEN rated THEN CASE WHEN is_bad THEN 'bad' ELSE 'good' END END,
       CASE WHEN rated AND is_bad THEN 'Reason ' || (1 + floor(5 * r6 * r6))::int ELSE '' END,
       rated AND (is_bad OR r6 < 0.25),
       CASE WHEN rated THEN solved_at + interval '24 hours' + r5 * interval '10 days' END,
       solved_at, solved_at, false
FROM (
    SELECT *, r4 < 0.9 AS asked, r4 < 0.2 AS rated, r5 < 0.04 + 0.06 * (agent % 3) / 2 AS is_bad,
           'Agent ' || lpad(agent::text, 2, '0') AS assignee,
           'Group ' || CASE WHEN r1 < 0.85 THEN agent % 10 ELSE floor(10 * r2)::int END AS group_name,
           (ARRAY['AMER', 'EMEA', 'APAC', ''])[1 + CASE WHEN r2 < 0.8 THEN agent % 3 ELSE floor(4 * r3)::int END]
               AS region,
           'Plan ' || floor(8 * r3 * r3)::int AS plan,
           'Form ' || CASE WHEN r6 < 0.6 THEN floor(8 * r3 * r3)::int ELSE floor(8 * r1 * r1)::int END AS form
    FROM (
        SELECT n, (1 + floor(60 * random() ^ 1.7))::int AS agent, random() AS r1, random() AS r2, random() AS r3,
               random() AS r4, random() AS r5, random() AS r6,
               date_trunc('day', now()) - (CAST(:days AS float) * (1 - n / CAST(:tickets AS float))) * interval '1 day'
                   - interval '1 minute' AS solved_at
        FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n
        OFFSET 0
    ) random_numbers
) tickets
"""

DECISIONS = """
INSERT INTO decisions (solve, ticket_id, solved_at, send, rule, reason, decided_at)
SELECT ticket_id || ':' || to_char(solved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ticket_id,
       solved_at, asked_at IS NOT NULL,
       CASE WHEN asked_at IS NOT NULL THEN 'send' ELSE 'excluded_tag' END, 'as generated',
       solved_at + interval '24 hours'
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n JOIN facts ON ticket_id = n::text
"""

SURVEYS = """
INSERT INTO surveys (ticket_id, survey_id, solved_at, requester_id, mode, asking_since, sent_at, tagged_at)
SELECT ticket_id, 's' || ticket_id, solved_at, 'r' || ticket_id, 'hosted', asked_at, asked_at, asked_at
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n JOIN facts ON ticket_id = n::text
WHERE asked_at IS NOT NULL
"""

RATINGS = """
INSERT INTO ratings (ticket_id, rating_id, source, score, comment, reason, requester_id, revision, rated_at)
SELECT ticket_id, 'v' || ticket_id, 'hosted', score,
       CASE WHEN has_comment THEN repeat('A customer wrote this. ', 12) END, NULLIF(reason, ''), 'r' || ticket_id, 1,
       rated_at
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n JOIN facts ON ticket_id = n::text
WHERE score IS NOT NULL
"""


async def fill(store: Store, tickets: int = TICKETS) -> None:
    """Generate the history, then count it as csat itself does."""
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {what}", file=sys.stderr, flush=True)

    for first in range(1, tickets + 1, SLICE):
        await _generate(store, first, min(first + SLICE - 1, tickets), tickets)
        tell(f"{min(first + SLICE - 1, tickets):,} tickets")
    steps = {tickets * part // 10 for part in range(1, 11)}
    await recount(
        store, UTC, lambda done, total: tell(f"counted {done:,} of {total:,}") if done in steps else None
    )
    async with store.reading() as conn:
        for table in ("facts", "counted", "tally", "cells", "ratings", "decisions", "surveys"):
            await conn.execute(text(f"VACUUM ANALYZE {table}"))
    tell("vacuumed")


async def _generate(store: Store, first: int, last: int, tickets: int) -> None:
    """These tickets, in one transaction; a statement of ours may take half a minute."""
    piece = {"first": first, "last": last}
    async with store.transaction() as tx:
        await tx.conn.execute(text("SELECT setseed(:seed)"), {"seed": first / tickets})
        await tx.conn.execute(text(FACTS), piece | {"tickets": tickets, "days": DAYS})
        for statement in (DECISIONS, SURVEYS, RATINGS):
            await tx.conn.execute(text(statement), piece)


async def main(url: str, tickets: str = str(TICKETS)) -> None:
    """Fill the database at `url`."""
    settings = DatabaseSettings.model_validate({"url": url})
    async with open_store(settings, clock=SystemClock()) as store:
        await fill(store, int(tickets))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
