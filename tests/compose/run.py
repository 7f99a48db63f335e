"""`make compose-test`: the compose stack for real. Builds, starts, plays the demo's day, scales in its middle,
plays it again on the scaled stack, and checks that everything stops in order.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from sandbox.demo import reaper
from tests.support.eventually import eventually_now
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
SCALE = ("--scale", "csat=3", "--scale", "notifier=2")
SCALE_AT = "Runners are stuck"  # the first line of the story: containers start while it goes on
RUNNING = {"ingest": 1, "csat": 3, "csat-web": 1, "sfdc-sync": 1, "notifier": 2, "notifier-web": 1}


class Stack:
    """One compose project of its own, on free ports, with passwords of its own."""

    def __init__(self) -> None:
        self.ports = {
            name: free_port() for name in ("INGEST_PORT", "CSAT_PORT", "NOTIFIER_PORT", "SANDBOX_PORT")
        }
        self.kpi_token = secrets.token_hex(16)
        own = {name: str(port) for name, port in self.ports.items()} | {
            "CONFIG_NAME": "demo.yaml",
            "CSAT_BASE_URL": self.url("CSAT_PORT"),
            "CSAT_API_TOKEN": self.kpi_token,
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            "CSAT_DATABASE_PASSWORD": secrets.token_hex(16),
            "DATABASE_OWNER_PASSWORD": secrets.token_hex(16),
            "KAFKA_SASL_PASSWORD": secrets.token_hex(16),
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

    def healthy(self) -> dict[str, int]:
        """How many containers of each service are healthy. Raises Failed when one ended with an error."""
        counts: dict[str, int] = {}
        for container in self.containers():
            if container["State"] == "exited" and container["ExitCode"] != 0:
                raise Failed(f"{container['Name']} ended with {container['ExitCode']}")
            if container["Health"] == "healthy":
                counts[container["Service"]] = counts.get(container["Service"], 0) + 1
        return counts

    def play(self, *, scale: bool) -> None:
        """The demo's day against the published ports; with `scale` more workers join while it goes on."""
        command = [sys.executable, "-m", "sandbox", "play"]
        command += ["--ingest", self.url("INGEST_PORT"), "--csat", self.url("CSAT_PORT")]
        command += ["--sandbox", self.url("SANDBOX_PORT"), "--csat-token", self.kpi_token]
        command += ["--webhook-url", "http://ingest:8000/webhooks/zendesk", "--patience", "120"]
        scaling = threading.Thread(target=self.compose, args=("up", "-d", "--no-recreate", *SCALE))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                typer.echo(line.rstrip())
                if scale and SCALE_AT in line and not scaling.ident:
                    typer.echo("           == three csat workers and two notifiers from now on")
                    scaling.start()
        if scaling.ident:
            scaling.join()
        if child.returncode != 0:
            raise Failed("the day did not go as it should")


class Failed(Exception):
    """The test failed; the message says at what."""


def what_is_missing_is_named() -> None:
    """Without the profile and without values, nothing starts and one message names all of them."""
    command = ["docker", "compose", "-p", f"supportops-test-{os.getpid()}-bare", "--env-file", os.devnull]
    done = subprocess.run(
        [*command, "run", "--rm", "--no-deps", "preflight"], cwd=ROOT, capture_output=True, text=True
    )
    subprocess.run([*command, "down", "--timeout", "5"], cwd=ROOT, capture_output=True, check=True)
    said = done.stdout + done.stderr
    if done.returncode == 0 or "ZENDESK_CLIENT_SECRET" not in said or "SLACK_TOKEN" not in said:
        raise Failed(f"the preflight did not say what is missing: {said[-1000:]}")


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
        eventually_now(lambda: wanted.items() <= stack.healthy().items(), within=120, every=1, about="health")
        yield stack
    except BaseException:
        typer.echo(stack.compose("logs", "--no-color", "--tail", "40"), err=True)
        raise
    finally:
        typer.echo("== taking it down")
        stack.compose("down", "--volumes", "--timeout", "30")


def engine_answers() -> bool:
    """Whether there is an engine and the compose plug-in."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            if subprocess.run(command, capture_output=True, timeout=30).returncode != 0:
                return False
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return False
    return True


def main() -> int:
    """0 when everything was as it should be."""
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # ended from outside, it still takes the stack down
    if not engine_answers():
        typer.echo(
            "compose-test needs a Docker engine with the compose plug-in, and none answers here", err=True
        )
        return 2
    try:
        what_is_missing_is_named()
        with running() as stack:
            stack.play(scale=True)
            eventually_now(
                lambda: RUNNING.items() <= stack.healthy().items(),
                within=60,
                every=1,
                about="the replicas' health",
            )
            typer.echo("== the same day again, on the scaled stack")
            stack.play(scale=False)
            typer.echo("== stopping")
            stack.compose("stop", "--timeout", "30")
            ended = {c["Name"]: c["ExitCode"] for c in stack.containers() if c["Service"] in RUNNING}
            if any(ended.values()):
                raise Failed(f"not every service stopped in order: {ended}")
    except (Failed, AssertionError) as error:
        typer.echo(f"compose-test: {error}", err=True)
        return 1
    typer.echo("compose-test: 2 days played, 8 processes stopped in order, nothing lost, nothing doubled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
