"""The real broker and database of a bench run: its own, or those named in the environment."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.demo import reaper
from tests.support import infra
from tests.support.databases import database_of, run_sql

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Servers:
    """Addresses of real servers."""

    kafka: str
    postgres: str

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        run_sql(self.postgres, f"CREATE DATABASE {name}")
        return database_of(self.postgres, name)


@contextmanager
def servers() -> Iterator[Servers]:
    """Apache Kafka and PostgreSQL, removed at the end; PostgreSQL may be the environment's.

    The broker is always a new one: topics and groups have fixed names, so that a row would otherwise begin with the
    backlog that the row before it left.
    """
    with ExitStack() as stack:
        kafka = _own(stack, "kafka")
        yield Servers(kafka, os.environ.get(infra.ENVIRONMENT["postgres"]) or _own(stack, "postgres"))


def _own(stack: ExitStack, kind: infra.Kind) -> str:
    server = infra.own_server(kind)
    stack.callback(server.remove)
    server.start()
    return server.address


def child(module: str, *arguments: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    """A measured process of its own: `python -m MODULE ARGUMENTS`, its output to be read by the caller."""
    program = [sys.executable, "-m", module, *arguments]
    with reaper.guarded(program, "2>/dev/null") as (command, register):
        return subprocess.Popen(  # nosec B603 # our own modules
            command,
            cwd=ROOT,
            env=os.environ | (env or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=register,
            text=True,
            start_new_session=True,
        )


def finish(process: "subprocess.Popen[str]", seconds: float = 180) -> str:
    """What the process printed; raises when it failed or took too long."""
    output, _ = process.communicate(timeout=seconds)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return output
