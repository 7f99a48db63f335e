"""A database that a test has used becomes as its template again, for the next one: a tenth of a new one's cost."""

from dataclasses import dataclass

import asyncpg

from tests.support.eventually import NotYet, eventually

LEAST_WORTH = 1_000_000
"""Bytes of rows: a database that holds more is dropped, since what is deleted still takes part in later plans."""

SEND_AWAY = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
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
  (SELECT string_agg(version_num, ';') FROM alembic_version)))
"""

# The digest costs more than all else here, so it is asked for only when somebody has written where it looks: PostgreSQL
# counts the rows written to each table, and a session tells what it has counted before it is gone. What stands in the
# tables that all databases of a server share is written by others too, and is looked at itself.
LOOK = """
SELECT
  (SELECT coalesce(sum(pg_relation_size(oid)), 0)::bigint FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version') AS size,
  (SELECT string_agg(format('DELETE FROM %s', oid::regclass), '; ') FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0) AS deletes,
  concat_ws('|',
    (SELECT sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid))
       FROM unnest('{pg_catalog.pg_class, pg_catalog.pg_attribute, pg_catalog.pg_constraint, pg_catalog.pg_index,
         pg_catalog.pg_trigger, pg_catalog.pg_statistic, pg_catalog.pg_proc, pg_catalog.pg_namespace,
         public.alembic_version}'::regclass[]) AS oid),
    (SELECT string_agg(concat_ws(',', setrole, setconfig), ';' ORDER BY setrole) FROM pg_db_role_setting
       WHERE setdatabase = d.oid),
    datacl, datallowconn, datconnlimit) AS mark
FROM pg_database AS d WHERE datname = current_database()
"""

RESTART = """
SELECT count(CASE WHEN pg_sequence_last_value(oid) IS NOT NULL THEN setval(oid::regclass, 1, false) END) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
"""


@dataclass
class Template:
    """What databases of a package are like when they are new. `shape`: None where the migrations have written rows.
    `settings`: the part of a mark that is not counted.
    """

    shape: str | None
    settings: str


@dataclass
class Lent:
    """A database that is lent, with its mark when its shape was last seen to be the template's."""

    url: str
    mark: str = ""


async def template_of(connection: asyncpg.Connection) -> Template:
    """What a new database is like: this one."""
    found = await connection.fetchrow(LOOK)
    shape = None if found["size"] else await connection.fetchval(SHAPE)
    return Template(shape, _settings(found["mark"]))


async def emptied(connection: asyncpg.Connection, lent: Lent, template: Template) -> bool:
    """Disconnect everybody and delete every row; False, with nothing promised, where that would not make it new."""
    if template.shape is None or not await _left_alone(connection):
        return False
    found = await connection.fetchrow(LOOK)
    if found["size"] > LEAST_WORTH or _settings(found["mark"]) != template.settings:
        return False
    if found["mark"] != lent.mark:
        if await connection.fetchval(SHAPE) != template.shape:
            return False
        lent.mark = found["mark"]
    if found["deletes"]:  # foreign keys and triggers rest meanwhile
        await connection.execute(f"SET session_replication_role = replica; {found['deletes']}")
    await connection.fetchval(RESTART)
    return True


def _settings(mark: str) -> str:
    return mark.partition("|")[2]


async def _left_alone(connection: asyncpg.Connection) -> bool:
    """Whether all others are gone. Who goes has rolled back and told its counts before it is out of the list."""

    async def alone() -> bool:
        return not await connection.fetchval(SEND_AWAY)

    try:
        return await eventually(alone, within=2, every=0.005)
    except NotYet:
        return False
