"""One compose project: built, started, asked about and taken down."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from sandbox.demo import reaper
from sandbox.demo.world import Addresses
from tests.support.eventually import eventually_now
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "deploy/sandbox-secrets"
OF_ITS_OWN = (
    "csat_api_token",
    "postgres_password",
    "csat_database_password",
    "database_owner_password",
    "kafka_sasl_password",
)
"""Secrets that nobody has published: what is taken from another place than its file would not fit."""
SCALE = ("--scale", "csat=3", "--scale", "notifier=2")
LATEST = 5.0
"""Seconds by which a breach notice may be late: containers start beside it, all on the cores that there are. That it
comes to the second is what `make demo-check` holds it to.
"""
SCALE_AT = "Runners are stuck"  # the first line of the story: containers start while it goes on
RUNNING = {
    "ingest": 1,
    "csat": 3,
    "csat-web": 1,
    "sfdc-sync": 1,
    "sfdc-sync-web": 1,
    "notifier": 2,
    "notifier-web": 1,
}
STOPPED_ON_PURPOSE = {"kafka", "postgres"}


class Failed(Exception):
    """The test failed; the message says at what."""


class Stack:
    """One compose project of its own, on free ports, with passwords of its own."""

    def __init__(self) -> None:
        self.ports = {
            name: free_port()
            for name in ("INGEST_PORT", "CSAT_PORT", "NOTIFIER_PORT", "SFDC_SYNC_PORT", "SANDBOX_PORT")
        }
        self.secrets = reaper.temporary_folder("supportops-compose-")
        _write_secrets(self.secrets)
        own = {name: str(port) for name, port in self.ports.items()} | {
            "CONFIG_NAME": "demo.yaml",
            "CSAT_BASE_URL": self.url("CSAT_PORT"),
            "SECRETS_DIR": str(self.secrets),
        }
        self._environment = os.environ | own
        project = f"supportops-test-{os.getpid()}"
        self._command = ["docker", "compose", "-p", project, "--env-file", "deploy/sandbox.env"]
        self._command += ["--profile", "sandbox"]
        down = f"docker compose -p {project} down --volumes --timeout 5"
        reaper.run_at_end(
            ["/bin/sh", "-c", f"cd / && {down}"]
        )  # by its labels: the file would ask for values

    def url(self, port: str) -> str:
        """Base URL of a published port."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def addresses(self) -> Addresses:
        """Where the parts answer, from outside; what the stand-ins call, as they reach it."""
        return Addresses(
            self.url("INGEST_PORT"),
            self.url("CSAT_PORT"),
            self.url("SANDBOX_PORT"),
            webhook_url="http://ingest:8000/webhooks/zendesk",
            sfdc_sync=self.url("SFDC_SYNC_PORT"),
            notifier="http://notifier-web:8000",
            csat_token=(self.secrets / "csat_api_token").read_text().strip(),
        )

    def compose(self, *arguments: str) -> str:
        """Run a compose command; its output is shown when it fails."""
        done = subprocess.run(
            [*self._command, *arguments], env=self._environment, cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise Failed(f"docker compose {' '.join(arguments)}:\n{(done.stdout + done.stderr)[-4000:]}")
        return done.stdout

    def containers(self) -> list[dict[str, Any]]:
        """All containers of the project, ended ones too."""
        return [
            json.loads(line) for line in self.compose("ps", "-a", "--format", "json").splitlines() if line
        ]

    def health(self) -> dict[str, list[str]]:
        """The health of each service's running containers. Raises Failed when one ended with an error."""
        found: dict[str, list[str]] = {}
        for container in self.containers():
            ended = container["State"] == "exited" and container["ExitCode"] != 0
            if ended and container["Service"] not in STOPPED_ON_PURPOSE:
                raise Failed(f"{container['Name']} ended with {container['ExitCode']}")
            if container["State"] == "running":
                found.setdefault(container["Service"], []).append(container["Health"])
        return found

    def all_are(self, health: str, services: dict[str, int]) -> bool:
        """Whether at least so many containers of each service run, and each of them is `healthy`, `unhealthy` …"""
        found = self.health()
        return all(
            len(found.get(name, ())) >= wanted and set(found[name]) == {health}
            for name, wanted in services.items()
        )

    def restarts(self) -> dict[str, int]:
        """How often the engine had to start a container of ours again, where it had to."""
        names = [container["Name"] for container in self.containers() if container["Service"] in RUNNING]
        asked = ["docker", "inspect", "--format", "{{.RestartCount}}", *names]
        counts = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        return {name: int(count) for name, count in zip(names, counts, strict=True) if int(count)}

    def play(self, *, scale: bool) -> None:
        """The demo's day against the published ports; with `scale` more workers join while it goes on."""
        at = self.addresses()
        command = [sys.executable, "-m", "sandbox", "play"]
        command += ["--ingest", at.ingest, "--csat", at.csat, "--sandbox", at.sandbox]
        command += ["--csat-token", at.csat_token, "--webhook-url", at.webhook_url, "--patience", "120"]
        command += ["--latest", str(LATEST)]
        command += ["--sfdc-sync", at.sfdc_sync, "--notifier", at.notifier]
        command += [
            "--sfdc-sync-command",
            shlex.join([*self._command, "exec", "-T", "sfdc-sync", "sfdc-sync"]),
        ]
        scaling = threading.Thread(target=self.compose, args=("up", "-d", "--no-recreate", *SCALE))
        with subprocess.Popen(
            command, env=self._environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as child:
            for line in child.stdout or ():
                typer.echo(line.rstrip())
                if scale and SCALE_AT in line and not scaling.ident:
                    typer.echo("           == three csat workers and two notifiers from now on")
                    scaling.start()
        if scaling.ident:
            scaling.join()
        if child.returncode != 0:
            raise Failed("the day did not go as it should")


def _write_secrets(folder: Path) -> None:
    """The stand-ins' published ones, and ours made up."""
    for file in PUBLISHED.iterdir():
        shutil.copy(file, folder)
    for name in OF_ITS_OWN:
        (folder / name).write_text(secrets.token_hex(16))
    for file in folder.iterdir():
        file.chmod(0o644)  # whatever the umask: the containers' users read them


@contextmanager
def running() -> Iterator[Stack]:
    """A built and started stack; taken down with its volumes, its logs shown when something went wrong."""
    stack = Stack()
    try:
        typer.echo("== building")
        stack.compose("build")
        typer.echo("== starting")
        stack.compose("up", "-d")
        wanted = dict.fromkeys(RUNNING, 1)
        eventually_now(lambda: stack.all_are("healthy", wanted), within=120, every=1, about="health")
        yield stack
    except BaseException:
        typer.echo(stack.compose("logs", "--no-color", "--tail", "40"), err=True)
        raise
    finally:
        typer.echo("== taking it down")
        stack.compose("down", "--volumes", "--timeout", "30")
