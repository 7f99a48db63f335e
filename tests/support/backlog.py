"""A deep backlog of due deliveries on PostgreSQL, made by the server itself."""

from sqlalchemy import text

from supportops.store import Store

DESTINATION = "salesforce"
_FILL = """
INSERT INTO deliveries (id, destination, lane, position, key, generation, state, due_at, next_attempt_at, payload,
                        attempts, uncertain, created_at)
SELECT n::text, 'salesforce', 'l' || n % :lanes, n, n::text, 1, 'waiting', now() - interval '1 hour',
       now() - interval '1 hour', '{}', 0, false, now()
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) n
"""
_ADOPT = """
INSERT INTO lanes (destination, lane, claimable_at, free_at, version)
SELECT destination, lane, min(next_attempt_at), NULL, 1 FROM deliveries GROUP BY 1, 2
"""
AT_ONCE = 50_000  # rows of one statement: a statement of ours has seconds, not minutes


async def fill(store: Store, rows: int, lanes: int) -> None:
    """That many rows for DESTINATION, due since an hour, in that many lanes; nothing else is there."""
    for statement in ("TRUNCATE deliveries", "TRUNCATE lanes"):
        async with store.transaction() as tx:
            await tx.execute(text(statement))
    for first in range(1, rows + 1, AT_ONCE):
        async with store.transaction() as tx:
            last = min(rows, first + AT_ONCE - 1)
            await tx.execute(text(_FILL), {"first": first, "last": last, "lanes": lanes})
    async with store.transaction() as tx:
        await tx.execute(text(_ADOPT))
    async with store.statements() as conn:
        for table in ("deliveries", "lanes"):
            await conn.execute(text(f"VACUUM ANALYZE {table}"))
