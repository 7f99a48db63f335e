"""The ladder: where the broker and the database of a test run come from.

Each is taken from the first rung that is there: the environment (SUPPORTOPS_TEST_KAFKA=host:port,
SUPPORTOPS_TEST_POSTGRES=postgresql://superuser@host/db), containers, this machine's own JVM and PostgreSQL
binaries, and last the embedded broker and SQLite. With CI=true the last rung is refused.

The first test that needs a server starts it; a lock in the run's state folder makes that one server for all
workers of pytest-xdist, and the controlling process removes it at the end.
"""

import fcntl
import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from sandbox.demo import reaper
from sandbox.demo.processes import write_aside
from tests.support import containers, embedded, kafka_files, kafka_server, postgres_server
from tests.support.servers import Server, Unavailable

Kind = Literal["kafka", "postgres"]
Rung = Literal["environment", "containers", "local", "embedded", "none"]

Check = Callable[[Kind, Rung], None]

STATE = "SUPPORTOPS_TEST_STATE"
ENVIRONMENT: dict[Kind, str] = {"kafka": "SUPPORTOPS_TEST_KAFKA", "postgres": "SUPPORTOPS_TEST_POSTGRES"}
WORDS: dict[tuple[Kind, Rung], str] = {
    ("kafka", "containers"): "Apache Kafka in a container",
    ("kafka", "local"): "Apache Kafka on this machine's JVM",
    ("kafka", "embedded"): "the embedded broker (Tansu): not the real thing",
    ("postgres", "containers"): "PostgreSQL in a container",
    ("postgres", "local"): "PostgreSQL from this machine's binaries",
    ("postgres", "none"): "none: tests on PostgreSQL are skipped, SQLite only",
}


@dataclass(frozen=True)
class Choice:
    """Which rung a kind of server is taken from, and why not from a higher one."""

    kind: Kind
    rung: Rung
    refused: tuple[str, ...] = ()

    @property
    def real(self) -> bool:
        """Whether it is what runs in production."""
        return self.rung in ("environment", "containers", "local")

    def words(self) -> str:
        """One line for the header of the run."""
        if self.rung == "environment":
            return (
                f"{self.kind}: {os.environ[ENVIRONMENT[self.kind]].rpartition('@')[2]} (from the environment)"
            )
        return f"{self.kind}: {WORDS[self.kind, self.rung]}"


def ci() -> bool:
    """Whether this run must be on the real servers."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def choose(kind: Kind, environment: Mapping[str, str] = os.environ, check: Check | None = None) -> Choice:
    """Walk down the ladder. Cheap enough for every start of pytest."""
    if environment.get(ENVIRONMENT[kind]):
        return Choice(kind, "environment")
    return _first(kind, ("containers", "local"), check or _check)


def _first(kind: Kind, rungs: Sequence[Rung], check: Check, refused: tuple[str, ...] = ()) -> Choice:
    for rung in rungs:
        try:
            check(kind, rung)
        except Unavailable as error:
            refused = (*refused, f"{rung}: {error}")
        else:
            return Choice(kind, rung, refused)
    return Choice(kind, "embedded" if kind == "kafka" else "none", refused)


def _check(kind: Kind, rung: Rung) -> None:
    """Raises Unavailable when the rung is not there."""
    if rung == "containers":
        containers.require_image(containers.images()[f"{kind.upper()}_IMAGE"])
    elif kind == "postgres":
        postgres_server.binaries()
    else:
        kafka_files.java()
        kafka_files.jars()


def demand(choice: Choice, *, ci: bool) -> str:
    """What is wrong with this choice in CI; empty when nothing is."""
    if choice.real or not ci:
        return ""
    return f"CI=true demands a real {choice.kind}, and there is none:\n  " + "\n  ".join(
        (f"environment: {ENVIRONMENT[choice.kind]} is not set", *choice.refused)
    )


def new_server(choice: Choice, *, shared: bool = False) -> Server:
    """A server that is not started yet, of the kind and rung chosen. `shared`: by a run's tests, and never killed."""
    if choice.kind == "kafka":
        if choice.rung == "containers":
            return containers.KafkaContainer()
        return kafka_server.KafkaServer() if choice.rung == "local" else embedded.EmbeddedKafka()
    if choice.rung == "containers":
        return containers.PostgresContainer()
    return postgres_server.PostgresServer(fsync=not shared)


def own_server(kind: Kind) -> Server:
    """A real server of the caller's own, to be killed at will; not started. Raises Unavailable.

    The environment's server belongs to others, so it never serves here. Local binaries come first:
    they start faster.
    """
    choice = _first(kind, ("local", "containers"), _check)
    if not choice.real:
        raise Unavailable(f"no {kind} of one's own can be had: " + "; ".join(choice.refused))
    return new_server(choice)


def _start(choice: Choice) -> Server:
    """A started server. A container that does not come up is given up for the next rung, with a warning."""
    try:
        server = new_server(choice, shared=True)
        server.start()
    except Unavailable as error:
        lower = _first(choice.kind, ("local",), _check, (*choice.refused, f"{choice.rung}: {error}"))
        if problem := demand(lower, ci=ci()):
            raise Unavailable(problem) from error
        warnings.warn(UserWarning(f"{choice.words()} failed ({error}); now {lower.words()}"), stacklevel=2)
        return _start(lower)
    return server


class State:
    """The run's folder: what was started, by whichever worker came first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def begin(cls) -> "State":
        """Make the folder and name it in the environment, which workers inherit."""
        folder = reaper.temporary_folder("supportops-test-")
        os.environ[STATE] = str(folder)
        return cls(folder)

    @classmethod
    def current(cls) -> "State":
        """The folder that the controlling process made."""
        return cls(Path(os.environ[STATE]))

    @contextmanager
    def locked(self, name: str) -> Iterator[Path]:
        """Hold the lock of `name`; yields the file that records it."""
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.folder / f"{name}.json"

    def address(self, choice: Choice) -> str:
        """The address of the run's server, started when nobody did."""
        if choice.rung == "environment":
            return os.environ[ENVIRONMENT[choice.kind]]
        with self.locked(choice.kind) as record:
            if not record.exists():
                server = _start(choice)
                write_aside(record, json.dumps(_let_go(server)))
            return str(json.loads(record.read_text())["address"])

    def end(self) -> None:
        """Remove every server of this run, and the folder."""
        for record in self.folder.glob("*.json"):
            how = json.loads(record.read_text())
            if container := how.get("container"):
                containers.remove(container)
            if pid := how.get("pid"):
                _kill_family(pid)
            if home := how.get("home"):
                shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.environ.pop(STATE, None)


def _let_go(server: Server) -> dict[str, object]:
    """What `end` needs to know of a server that now outlives the test that started it."""
    if isinstance(server, containers.ContainerServer):
        return {"address": server.address, "container": server.container_id}
    assert isinstance(
        server, kafka_server.KafkaServer | postgres_server.PostgresServer | embedded.EmbeddedKafka
    )
    return {"address": server.address, "pid": server.let_go(), "home": str(server.home)}


def _kill_family(pid: int) -> None:
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (*parent.children(recursive=True), parent):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
