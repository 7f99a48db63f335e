"""A service built from the code blocks of docs/adding-a-service.md: migrated, started, and sent one event."""

import json
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from sandbox.clients import tls
from supportops.contracts import Topic, all_topics
from supportops.store.tables import ENGINE
from tests.architecture.tree import ROOT
from tests.support.commands import run_command
from tests.support.engine import broker_on, solved
from tests.support.eventually import eventually
from tests.support.processes import ChildProcess, clean_environment, free_port, python_module
from tests.support.records import record_of

PAGE = ROOT / "docs/adding-a-service.md"
FILE = re.compile(r"^### `(archive/[\w/]+\.py)`\n+```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder that holds the package `archive`, as the page writes it."""
    files = dict(FILE.findall(PAGE.read_text(encoding="utf-8")))
    assert len(files) >= 10, sorted(files)
    for name, text in files.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        (path.parent / "__init__.py").touch() if "migrations" not in name else None
    return tmp_path / "src"


@pytest.fixture
def environment(package: Path, tmp_path: Path, kafka_address: str, kafka_flavour: str) -> dict[str, str]:
    """What the service is started with."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("archive: {wait: 10ms}\n")
    return clean_environment(
        {
            "PYTHONPATH": str(package),
            "CONFIG_FILE": str(rules),
            "DATABASE_URL": f"sqlite:///{tmp_path / 'archive.db'}",
            "KAFKA_BOOTSTRAP_SERVERS": kafka_address,
            "KAFKA_FLAVOUR": kafka_flavour,
            "ARCHIVE_FILE": str(tmp_path / "lines.txt"),
            "SIDE_PORT": str(free_port()),
        }
    )


@pytest.fixture
async def topics(kafka_address: str, kafka_flavour: str) -> tuple[Topic, ...]:
    """The house's topics, and the new group's dead letters."""
    wanted = all_topics(("archive",))
    async with broker_on(kafka_address, kafka_flavour) as broker:
        await broker.ensure_topics(wanted)
    return wanted


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`archive ARGUMENTS` as a process."""
    return run_command("archive", *arguments, environment=environment)


def columns_of(file: Path) -> set[tuple[str, str]]:
    """The columns of a SQLite database, each with its table."""
    query = """SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"""
    with closing(sqlite3.connect(file)) as database:
        return set(database.execute(query))


@pytest.mark.usefixtures("topics")
async def test_the_pages_own_service_handles_an_event(
    environment: dict[str, str], tmp_path: Path, kafka_address: str, kafka_flavour: str
) -> None:
    early = command(environment, "work")
    assert early.returncode == 1
    assert "run `archive migrate`" in early.stderr
    assert command(environment, "check-config").returncode == 0
    assert command(environment, "migrate").returncode == 0
    columns = {
        (table.name, column.name)
        for table in ENGINE.inbox.metadata.tables.values()
        for column in table.columns
    }
    assert columns - columns_of(tmp_path / "archive.db") == set(), "a revision is not on the page"
    side = f"http://127.0.0.1:{environment['SIDE_PORT']}"
    worker = ChildProcess(
        python_module("archive", "work"),
        log=tmp_path / "work.log",
        environment=environment,
        ready_url=f"{side}/readyz",
    )
    event = solved(4711, event_id=f"added-{tmp_path.name}")
    lines = tmp_path / "lines.txt"
    worker.start()
    try:
        async with broker_on(kafka_address, kafka_flavour) as broker:
            await broker.publish([record_of(event)])
        line = f"4711 {event.solved_at.isoformat()}"
        await eventually(lambda: lines.exists() and line in lines.read_text().splitlines(), within=60)
        async with httpx.AsyncClient(base_url=side, verify=tls()) as http:
            assert "supportops_" in (await http.get("/metrics")).text
    finally:
        assert worker.stop(within=30) == 0, worker.tail()
    attempts = [json.loads(row) for row in worker.log.read_text().splitlines() if "delivery.attempted" in row]
    assert event.id in [row["correlation_id"] for row in attempts]
    told = json.loads(command(environment, "explain", "4711", "--json").stdout)
    assert [each["state"] for each in told["deliveries"]] == ["done"]
    assert json.loads(command(environment, "deliveries", "list", "--json").stdout) == []
    assert json.loads(command(environment, "dead-letters", "list", "--json").stdout) == []
    findings = json.loads(command(environment, "doctor", "--json").stdout)
    assert {each["check"] for each in findings if each["verdict"] == "ok"} >= {
        "database",
        "migrations",
        "folder",
    }
