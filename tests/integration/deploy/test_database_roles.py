"""deploy/postgres/init-databases.sh: the role that serves and works reads and writes rows, and owns nothing."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from supportops.store import migrate
from tests.architecture.tree import ROOT
from tests.support.databases import database_of, on_the_side, run_sql

SCRIPT = ROOT / "deploy/postgres/init-databases.sh"
PASSWORD = "of-the-one-that-works"
OWNERS_PASSWORD = "of-the-one-that-migrates"
REFUSED = (
    "CREATE TABLE another (id int)",
    "CREATE SCHEMA another",
    "CREATE TEMP TABLE another (id int)",
    "ALTER TABLE deliveries ADD COLUMN another int",
    "DROP TABLE deliveries",
    "TRUNCATE deliveries",
    "CREATE ROLE another",
    "CREATE INDEX another ON deliveries (state)",
)

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def name(postgres_server_url: str) -> Iterator[str]:
    """A service that nobody else has, whose database and roles go afterwards."""
    if shutil.which("psql") is None:
        pytest.skip("no psql on this machine")
    name = f"s{uuid.uuid4().hex[:12]}"
    yield name
    run_sql(postgres_server_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    for role in (name, f"{name}_owner"):
        run_sql(postgres_server_url, f"DROP ROLE IF EXISTS {role}")


def run_script(server: str, name: str, passwords: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the script for one service, with these variables besides the server's."""
    parts = urlsplit(server)
    environment = os.environ | {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username or "postgres",
        "PGPASSWORD": parts.password or "",
        "SERVICES": name,
    }
    command = ["bash", str(SCRIPT)]
    return subprocess.run(command, env=environment | passwords, capture_output=True, text=True)


def made(server: str, name: str, password: str = PASSWORD) -> None:
    """Make a service's database and roles."""
    variable = f"{name.upper()}_DATABASE_PASSWORD"
    done = run_script(server, name, {variable: password, "DATABASE_OWNER_PASSWORD": OWNERS_PASSWORD})
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def as_role(server: str, name: str, role: str, password: str) -> str:
    """The database's URL for one of its roles."""
    parts = urlsplit(database_of(server, name))
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port or 5432}"))


def migrated(server: str, name: str, role: str, password: str) -> None:
    """Bring it to csat's head, as a role."""
    on_the_side(lambda: migrate.upgrade(as_role(server, name, role, password), "csat"))


def test_the_owner_migrates_and_the_other_role_writes_rows_and_changes_no_schema(
    postgres_server_url: str, name: str
) -> None:
    made(postgres_server_url, name)
    migrated(postgres_server_url, name, f"{name}_owner", OWNERS_PASSWORD)
    working = as_role(postgres_server_url, name, name, PASSWORD)
    for rows in ("SELECT * FROM deliveries", "DELETE FROM deliveries", "UPDATE outbox SET key = key"):
        run_sql(working, rows)
    run_sql(working, "SELECT pg_notify('supportops_deliveries', '')")
    assert [statement for statement in REFUSED if not is_refused(working, statement)] == []


def is_refused(url: str, statement: str) -> bool:
    """Whether the role lacks the right to it."""
    try:
        run_sql(url, statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


def test_a_database_of_an_older_release_changes_hands(postgres_server_url: str, name: str) -> None:
    """Until then the one role owned its database, and had migrated it."""
    run_sql(postgres_server_url, f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    run_sql(postgres_server_url, f"CREATE DATABASE {name} OWNER {name}")
    migrated(postgres_server_url, name, name, PASSWORD)
    made(postgres_server_url, name)
    working = as_role(postgres_server_url, name, name, PASSWORD)
    run_sql(working, "SELECT * FROM deliveries")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run_sql(working, "DROP TABLE deliveries")
    run_sql(
        as_role(postgres_server_url, name, f"{name}_owner", OWNERS_PASSWORD),
        "ALTER TABLE deliveries ADD COLUMN another int",
    )


def test_a_second_run_sets_the_new_password(postgres_server_url: str, name: str) -> None:
    made(postgres_server_url, name)
    made(postgres_server_url, name, password="of-next-year")
    run_sql(as_role(postgres_server_url, name, name, "of-next-year"), "SELECT 1")


def test_passwords_come_from_files_as_in_compose(postgres_server_url: str, name: str, tmp_path: Path) -> None:
    """A line's end belongs to no password; a role whose password is nowhere is named, and nothing is made."""
    variable = f"{name.upper()}_DATABASE_PASSWORD"
    (tmp_path / "owner").write_text(f"{OWNERS_PASSWORD}\n")
    (tmp_path / "own").write_text(f"{PASSWORD}\n")
    owner = {"DATABASE_OWNER_PASSWORD_FILE": str(tmp_path / "owner")}
    refused = run_script(postgres_server_url, name, owner)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{variable} (or {variable}_FILE) is missing" in refused.stderr
    done = run_script(postgres_server_url, name, owner | {f"{variable}_FILE": str(tmp_path / "own")})
    assert done.returncode == 0, done.stderr
    migrated(postgres_server_url, name, f"{name}_owner", OWNERS_PASSWORD)
    run_sql(as_role(postgres_server_url, name, name, PASSWORD), "SELECT * FROM deliveries")


def test_a_role_reaches_no_other_database(postgres_server_url: str, name: str, postgres_url: str) -> None:
    made(postgres_server_url, name)
    other = urlsplit(postgres_url).path.removeprefix("/")
    run_sql(postgres_server_url, f"REVOKE ALL ON DATABASE {other} FROM PUBLIC")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        run_sql(as_role(postgres_server_url, other, name, PASSWORD), "SELECT 1")
