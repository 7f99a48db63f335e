"""The whole system as real processes: sandbox, ingest, and the three consumers, on a broker and databases given.

Used by the end-to-end tests, the bad days and the benchmarks. Every process can be killed and started again.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from sandbox.clients import tls
from tests.support.databases import database_of, run_sql
from tests.support.forks import ForkedChild
from tests.support.processes import ChildProcess, free_port, python_module
from tests.support.sandbox import ZENDESK_CLIENT

SECRET = "sandbox-webhook-secret"
API_TOKEN = "csat-api-token-of-the-tests"
INTEGRATION_USER = "8447388090001"
PACKAGES = ("ingest", "csat", "sfdc_sync", "notifier")


@dataclass(frozen=True)
class Plan:
    """What to run. `workers`: replicas of each worker. `rules`: the organization's rules, by section. `named_members`:
    a worker that was killed takes its partitions again at once; else its group waits ten seconds for it. `forked`: the
    packages whose processes do not start from nothing (`tests.support.forks`), and `migrate` for all migrations.
    """

    kafka: str
    databases: Mapping[str, str]
    home: Path
    rules: Mapping[str, Any]
    workers: Mapping[str, int] = field(default_factory=lambda: {"csat": 1, "sfdc_sync": 1, "notifier": 1})
    flavour: str = "apache"
    environment: Mapping[str, str] = field(default_factory=dict)
    named_members: bool = False
    forked: Collection[str] = ()


class System:
    """The processes of one run, by name: `sandbox`, `ingest`, `csat-web`, `csat-1`, `sfdc_sync-1`, `notifier-1` …"""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.children: dict[str, ChildProcess] = {}
        self._ports: dict[str, int] = {}
        plan.home.mkdir(parents=True, exist_ok=True)
        self._rules = plan.home / "rules.yaml"
        self._rules.write_text(yaml.safe_dump(dict(plan.rules)))
        self.control = httpx.Client(base_url=self.url("sandbox"), timeout=60, verify=tls())

    def url(self, name: str) -> str:
        """The HTTP side of a process."""
        return f"http://127.0.0.1:{self._port(name)}"

    def side_url(self, name: str) -> str:
        """The side port of a process."""
        return f"http://127.0.0.1:{self._port(f'{name}.side')}"

    def start(self) -> None:
        """Migrate, start everything, wait until it is ready, and let the sandbox send its webhooks to ingest."""
        self._add(
            "sandbox", python_module("sandbox", "serve", "--port", str(self._port("sandbox"))), "/healthz"
        )
        self.migrate()
        self._add_service("ingest", "ingest", "serve")
        if "csat" in self.plan.workers:
            self._add_service("csat-web", "csat", "serve")
        for package, count in self.plan.workers.items():
            for number in range(1, count + 1):
                self._add_service(f"{package}-{number}", package, "work")
        for child in self.children.values():
            child.wait_ready(within=60)

    def migrate(self) -> None:
        """Bring the databases of the services that run up to date, side by side."""
        running = [
            self._kind("migrate")(
                python_module(package, "migrate"),
                log=self.plan.home / f"{package}-migrate.log",
                environment=self._environment(package, package),
            )
            for package in ("ingest", *self.plan.workers)
        ]
        for child in running:
            child.start()
        for child in running:
            assert child.ended(within=60) == 0, child.tail()

    def register_webhook(self, **options: Any) -> None:
        """Have the sandbox post to ingest; `options` as in docs/sandbox.md, for instance `modes`."""
        target = {"url": f"{self.url('ingest')}/webhooks/zendesk", "secret": SECRET, **options}
        self.control.post("/control/zendesk/webhooks", json=target).raise_for_status()

    def burst(self, tickets: int, actions: str, rate: float) -> str:
        """Let people act on that many tickets; returns the id of the burst."""
        body = {"tickets": tickets, "actions": actions, "rate": rate}
        answer = self.control.post("/control/zendesk/burst", json=body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def get(self, path: str, **parameters: Any) -> Any:
        """What the sandbox's control API answers."""
        answer = self.control.get(path, params=parameters)
        answer.raise_for_status()
        return answer.json()

    def ledger(self, kind: str = "") -> list[dict[str, Any]]:
        """The outside effects so far."""
        entries: list[dict[str, Any]] = self.get("/control/ledger", kind=kind)["entries"]
        return entries

    def fault(self, **fault: Any) -> None:
        """Let a stand-in misbehave; see docs/sandbox.md."""
        self.control.post("/control/faults", json=fault).raise_for_status()

    def kpi(self) -> dict[str, Any]:
        """csat's numbers in all: solved, decided, asked, good, bad, and the figures."""
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        answer = httpx.get(f"{self.url('csat-web')}/api/kpi", headers=headers, timeout=10, verify=tls())
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()["totals"]
        return result

    def restart(self, name: str) -> None:
        """SIGKILL, and start again at once, as a supervisor would; does not wait until it is ready."""
        child = self.children[name]
        child.kill()
        child.start_only()

    def keep_alive(self) -> list[str]:
        """Start again what ended by itself, as a supervisor would; returns the names."""
        ended = [
            name for name, child in self.children.items() if child.process is not None and not child.running
        ]
        for name in ended:
            self.children[name].start_only()
        return ended

    def stop(self) -> dict[str, int]:
        """SIGTERM to all but the sandbox, then the sandbox; the exit codes."""
        codes = {}
        for name, child in self.children.items():
            if name != "sandbox":
                child.ask_to_stop()
        for name in sorted(self.children, key=lambda name: name == "sandbox"):
            child = self.children[name]
            codes[name] = child.stop(within=40) if name == "sandbox" else child.ended(within=40)
        self.control.close()
        return codes

    def end(self) -> None:
        """Kill whatever still runs."""
        for child in self.children.values():
            if child.running:
                child.kill()
        self.control.close()

    # -- how each process is started -------------------------------------------------------------------------------

    def _kind(self, package: str) -> type[ChildProcess]:
        return ForkedChild if package in self.plan.forked else ChildProcess

    def _port(self, name: str) -> int:
        while name not in self._ports:
            if (port := free_port()) not in self._ports.values():  # the kernel may name one twice
                self._ports[name] = port
        return self._ports[name]

    def _add_service(self, name: str, package: str, command: str) -> None:
        self._add(name, python_module(package, command), "/readyz", self._environment(name, package))

    def _add(
        self, name: str, command: list[str], ready: str, environment: Mapping[str, str] | None = None
    ) -> None:
        base = self.url(name) if name == "sandbox" else self.side_url(name)
        child = self._kind(command[2])(
            command,
            log=self.plan.home / f"{name}.log",
            environment=environment or {},
            ready_url=f"{base}{ready}",
        )
        self.children[name] = child
        child.start_only()

    def _environment(self, name: str, package: str) -> dict[str, str]:
        sandbox = self.url("sandbox")
        common = {
            "KAFKA_BOOTSTRAP_SERVERS": self.plan.kafka,
            "KAFKA_FLAVOUR": self.plan.flavour,
            "DATABASE_URL": self.plan.databases[package],
            "CONFIG_FILE": str(self._rules),
            "HTTP_PORT": str(self._port(name)),
            "SIDE_PORT": str(self._port(f"{name}.side")),
            "SHUTDOWN_GRACE": "20s",
            "ZENDESK_BASE_URL": f"{sandbox}/zendesk",
            **ZENDESK_CLIENT,
            "ZENDESK_RATE_LIMIT": "100000",
        }
        if self.plan.named_members:
            common["KAFKA_GROUP_INSTANCE_ID"] = name
        return common | self._own(package) | dict(self.plan.environment)

    def _own(self, package: str) -> dict[str, str]:
        sandbox = self.url("sandbox")
        own = {
            "ingest": {
                "INGEST_ACCOUNT_ID": "22129848",
                "INGEST_WEBHOOK_SECRETS": SECRET,
                "INGEST_INTEGRATION_USER_IDS": INTEGRATION_USER,
                "INGEST_SPOOL_DIR": str(self.plan.home / "spool"),
            },
            "csat": {
                "CSAT_LINK_KEYS": "link-key-of-the-tests-0123456789abcdef",
                "CSAT_API_TOKEN": API_TOKEN,
                "CSAT_BASE_URL": self.url("csat-web"),
                "GITLAB_BASE_URL": f"{sandbox}/gitlab",
                "GITLAB_TOKEN": "glpat-sandbox",
            },
            "sfdc_sync": {
                "SALESFORCE_SANDBOX_URL": f"{sandbox}/salesforce",
                "SALESFORCE_CLIENT_ID": "sandbox-client",
                "SALESFORCE_CLIENT_SECRET": "sandbox-secret",
            },
            "notifier": {"SLACK_BASE_URL": f"{sandbox}/slack/api", "SLACK_TOKEN": "xoxb-sandbox"},
        }
        return own[package]


def postgres_databases(server: str, prefix: str) -> dict[str, str]:
    """An empty database for each service on a PostgreSQL server."""
    databases = {}
    for package in PACKAGES:
        name = f"{prefix}_{package}"
        run_sql(server, f"CREATE DATABASE {name}")
        databases[package] = database_of(server, name)
    return databases


@contextmanager
def running(plan: Plan) -> Iterator[System]:
    """A system for the length of a block; nothing is left running."""
    system = System(plan)
    try:
        system.start()
        yield system
    finally:
        system.end()
