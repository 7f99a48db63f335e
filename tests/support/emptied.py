"""A database that a test has used becomes as its template again, for the next one: a tenth of a new one's cost."""

import asyncpg

LEAST_WORTH = 1_000_000
"""Bytes of rows: a database that holds more is dropped, since what is deleted still takes part in later plans."""

DISCONNECT = """
SELECT count(*) FILTER (WHERE NOT pg_terminate_backend(pid, 2000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

# Everything that a test may do to a database beside its rows: tables, columns, rights, triggers, functions, settings,
# statistics of the planner, and the revision that the migrations reached.
SHAPE = """
WITH ours AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace)
SELECT md5(concat_ws('|',
  (SELECT string_agg(concat_ws(',', relname, relkind, reltype <> 0, relhastriggers, relhasrules, relrowsecurity,
     relacl, reloptions), ';' ORDER BY relname) FROM ours),
  (SELECT string_agg(concat_ws(',', ours.relname, attname, atttypid, atttypmod, attnotnull, atthasdef, attisdropped,
     attacl), ';' ORDER BY relname, attnum) FROM pg_attribute JOIN ours ON ours.oid = attrelid WHERE attnum > 0),
  (SELECT string_agg(concat_ws(',', conname, convalidated), ';' ORDER BY conname) FROM pg_constraint
     WHERE connamespace = 'public'::regnamespace),
  (SELECT string_agg(concat_ws(',', ours.relname, indisvalid), ';' ORDER BY relname) FROM pg_index
     JOIN ours ON ours.oid = indexrelid),
  (SELECT string_agg(concat_ws(',', tgname, tgenabled), ';' ORDER BY tgname) FROM pg_trigger),
  (SELECT count(*) FROM pg_statistic JOIN ours ON ours.oid = starelid),
  (SELECT string_agg(proname, ';' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'public'::regnamespace),
  (SELECT string_agg(concat_ws(',', nspname, nspacl), ';' ORDER BY nspname) FROM pg_namespace
     WHERE nspname NOT LIKE 'pg_%'),
  (SELECT string_agg(setconfig::text, ';') FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
     WHERE datname = current_database()),
  (SELECT concat_ws(',', datacl, datallowconn, datconnlimit) FROM pg_database WHERE datname = current_database()),
  (SELECT string_agg(version_num, ';') FROM alembic_version)))
"""

SIZE = """
SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
"""

# Foreign keys and triggers rest meanwhile.
EMPTY = """
DO $$
DECLARE item record;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR item IN SELECT oid::regclass AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0
  LOOP EXECUTE format('DELETE FROM %s', item.name); END LOOP;
  PERFORM setval(oid::regclass, 1, false) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
END $$
"""


async def shape_of(url: str) -> str | None:
    """A digest of everything but the rows of a new database; None where the migrations have written rows."""
    connection = await asyncpg.connect(url)
    try:
        return None if await connection.fetchval(SIZE) else await connection.fetchval(SHAPE)
    finally:
        await connection.close()


async def emptied(url: str, shape: str | None) -> bool:
    """Disconnect everybody and delete every row; False, with nothing promised, where that would not make it new."""
    if shape is None:
        return False
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval(DISCONNECT) or await connection.fetchval(SIZE) > LEAST_WORTH:
            return False
        if await connection.fetchval(SHAPE) != shape:
            return False
        await connection.execute(EMPTY)
        return True
    finally:
        await connection.close()
