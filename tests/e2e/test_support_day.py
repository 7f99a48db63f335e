"""The demo's support day on Apache Kafka and PostgreSQL, from webhook to outside effect, by real processes."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tests.architecture.tree import ROOT
from tests.support import infra
from tests.support.processes import clean_environment, python_module
from tests.support.servers import Server
from tests.support.system import API_TOKEN, SECRET, Plan, System, postgres_databases, running

# One worker of pytest-xdist plays the day for all.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("support day")]

# Words of the story's subjects and comments, and every credential: none of them may stand in a log.
NEVER_LOGGED = (
    "Runners are stuck",
    "restarted the queue",
    "contract runs out",
    "Quick and friendly",
    SECRET,
    API_TOKEN,
    "sandbox-zendesk-client-secret",
    "sandbox-secret",
    "xoxb-sandbox",
    "glpat-sandbox",
    "link-key-of-the-tests",
)


@dataclass(frozen=True)
class Played:
    """A day that is over: the play's exit code and words, the exit codes of the processes, where their logs are."""

    code: int
    said: str
    stopped: dict[str, int]
    logs: list[Path]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The day, played once; servers of its own, because the topics have fixed names."""
    kafka, postgres = infra.own_server("kafka"), infra.own_server("postgres")
    try:
        yield play(kafka, postgres, tmp_path_factory.mktemp("day"))
    finally:
        kafka.remove()
        postgres.remove()


def play(kafka: Server, postgres: Server, home: Path) -> Played:
    for server in (kafka, postgres):
        server.start()
    rules = yaml.safe_load((ROOT / "config/demo.yaml").read_text())
    plan = Plan(
        kafka.address, postgres_databases(postgres.address, "day"), home, rules, forked=("sandbox", "migrate")
    )
    with running(plan) as system:
        played = subprocess.run(
            python_module("sandbox", "play", *places(system), "--patience", "90"),
            env=clean_environment({}),
            capture_output=True,
            text=True,
        )
        stopped = system.stop()
    return Played(played.returncode, played.stdout + played.stderr, stopped, sorted(home.glob("*.log")))


def places(system: System) -> list[str]:
    addresses = ["--ingest", system.url("ingest"), "--csat", system.url("csat-web")]
    return [*addresses, "--sandbox", system.url("sandbox"), "--csat-token", API_TOKEN]


def test_every_effect_happens_exactly_once(day: Played) -> None:
    assert day.code == 0, day.said
    assert "each effect exactly once" in day.said


def test_every_process_stops_in_order(day: Played) -> None:
    services = {name: code for name, code in day.stopped.items() if name != "sandbox"}
    assert services == dict.fromkeys(("ingest", "csat-web", "csat-1", "sfdc_sync-1", "notifier-1"), 0)


@pytest.mark.parametrize("words", NEVER_LOGGED)
def test_no_log_holds_a_body_or_a_secret(day: Played, words: str) -> None:
    services = [log for log in day.logs if log.name != "sandbox.log"]
    assert len(services) >= 5
    assert [log.name for log in services if words in log.read_text()] == []


def lines(day: Played, event: str) -> list[dict[str, Any]]:
    """The lines of that name from all services."""
    texts = [log.read_text() for log in day.logs if log.name != "sandbox.log"]
    rows = [orjson.loads(line) for text in texts for line in text.splitlines() if line.startswith("{")]
    return [row for row in rows if row["event"] == event]


def test_a_ticket_can_be_followed_by_its_correlation_id_from_webhook_to_last_outcome(day: Played) -> None:
    received, attempted = lines(day, "event.received"), lines(day, "delivery.attempted")
    began = {row["correlation_id"] for row in received}
    assert received
    assert None not in began
    assert attempted
    assert [row for row in attempted if row["correlation_id"] is None] == []
    by_service = {
        service: {row["correlation_id"] for row in attempted if row["service"] == service}
        for service in ("csat", "sfdc-sync", "notifier")
    }
    # A solve ends as a survey and as a record, a comment as a message: each under the id that its webhook began.
    assert by_service["sfdc-sync"] <= began
    assert by_service["notifier"] <= began
    assert by_service["csat"] & by_service["sfdc-sync"]
    solves = {row["correlation_id"] for row in received if row["type"] == "support.ticket.solved.v1"}
    surveys = {row["correlation_id"] for row in attempted if row["destination"] == "zendesk.survey"}
    assert surveys
    assert surveys <= solves
