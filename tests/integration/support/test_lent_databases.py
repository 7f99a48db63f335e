"""A test gets a database as the migrations made it, whatever the one before did to it."""

from collections.abc import Iterator

import asyncpg
import pytest

from tests.support.databases import LentDatabases, run_sql

pytestmark = pytest.mark.needs_postgres
APP = "tests.support.engine_app"
ROW = "INSERT INTO leases (name, holder, until) VALUES ('one', 'somebody', now())"


@pytest.fixture
def lent(postgres_server_url: str) -> Iterator[LentDatabases]:
    databases = LentDatabases(postgres_server_url)
    yield databases
    databases.drop_all()


def used(lent: LentDatabases, *statements: str) -> str:
    with lent.lending() as new:
        url = new(APP)
        for statement in statements:
            run_sql(url, statement)
    return url


def test_rows_go_and_the_database_is_lent_again(lent: LentDatabases) -> None:
    first = used(lent, ROW)
    assert used(lent, ROW) == first  # a second row of that name would have been refused
    with lent.lending() as new:
        assert len({new(APP), new(APP), first}) == 2  # two at once are two


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE leases ADD COLUMN more text",
        "ALTER TABLE leases ALTER COLUMN holder DROP NOT NULL",
        "DROP TABLE leases",
        "CREATE INDEX more ON leases (holder)",
        "REVOKE ALL ON leases FROM postgres",
        "CREATE FUNCTION public.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE RULE more AS ON DELETE TO leases DO INSTEAD NOTHING",
        "UPDATE alembic_version SET version_num = 'former'",
        "INSERT INTO leases SELECT n::text, repeat('x', 900), now() FROM generate_series(1, 2000) AS n",
        "INSERT INTO leases (name, holder, until) VALUES ('one', 'x', now()); ANALYZE leases",
    ],
)
def test_what_is_more_than_rows_ends_it(lent: LentDatabases, statement: str) -> None:
    first = used(lent)
    # Its shape is known now, and is not looked at again before somebody writes to the catalogue.
    assert used(lent, ROW) == used(lent, statement) == first
    assert used(lent) != first


def test_a_setting_of_the_database_ends_it(lent: LentDatabases) -> None:
    first = used(lent)
    assert used(lent) == first
    database = first.rpartition("/")[2]
    assert used(lent, f"ALTER DATABASE {database} SET default_transaction_read_only = on") == first
    assert used(lent) != first


async def test_who_is_still_connected_is_sent_away(lent: LentDatabases) -> None:
    with lent.lending() as new:
        url = new(APP)
        connection = await asyncpg.connect(url)
        await connection.execute(f"BEGIN; {ROW}")
    with pytest.raises(asyncpg.PostgresError):
        await connection.execute("COMMIT")
    assert used(lent, ROW) == url
