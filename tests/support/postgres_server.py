"""A local PostgreSQL from the machine's own binaries, loopback only."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil

from sandbox.demo import reaper
from tests.support.downloads import kept
from tests.support.eventually import eventually_now
from tests.support.processes import ChildProcess, free_port
from tests.support.servers import Unavailable

FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)


def binaries() -> Path:
    """The folder that holds `initdb` and `postgres`, the newest of several. Raises Unavailable."""
    found = [
        path
        for pattern in FOLDERS
        for path in Path("/").glob(pattern.lstrip("/"))
        if (path / "initdb").exists()
    ]
    if found:
        return max(found, key=lambda path: [int(part) if part.isdigit() else 0 for part in path.parts])
    on_path = shutil.which("initdb")
    if on_path is None:
        raise Unavailable("no PostgreSQL server binaries (initdb, postgres)")
    return Path(on_path).resolve().parent


SHORT_LIVED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
"""What is never read again after a crash need not survive one."""


def cluster(found: Path, user: str | None) -> Path:
    """What `initdb` makes, made once for all checkouts of this account, to be copied. Raises Unavailable.

    It belongs to `user`, or to whoever asks for it.
    """
    version = reaper.run([str(found / "initdb"), "--version"]).stdout.split()[2]
    return (
        kept(f"postgres-{version}-{user or os.geteuid()}", lambda folder: _make(found, folder, user)) / "data"
    )


def _make(found: Path, folder: Path, user: str | None) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    home = reaper.temporary_folder("supportops-cluster-")
    if user:  # who may not look into our folders
        shutil.chown(home, user=user, group=user)
    initdb = [str(found / "initdb"), "-D", str(home / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    made = reaper.run([*initdb, "--locale=C.UTF-8", "--no-sync"], user=user)
    if made.returncode != 0:
        raise Unavailable(f"initdb failed: {made.stdout[-1000:]}")
    _copy(home / "data", folder / "data")
    shutil.rmtree(home)


def _copy(source: Path, target: Path) -> None:
    """With owners and rights."""
    copied = reaper.run(["cp", "-Rp", str(source), str(target)])
    if copied.returncode != 0:
        raise Unavailable(f"a PostgreSQL cluster could not be copied: {copied.stdout[-1000:]}")


class PostgresServer:
    """A server of one's own in a temporary folder; superuser `postgres` without a password.

    PostgreSQL refuses to run as root: there it runs as the system user `postgres` that its package creates.
    `fsync`: off where hundreds of databases are copied from templates, and dropped: each costs a third then. Nobody
    crashes such a server, and nobody tidies it up.
    """

    def __init__(self, *, port: int | None = None, fsync: bool = True) -> None:
        self.home = reaper.temporary_folder("supportops-postgres-")
        self.port = port or free_port()
        self._fsync = fsync
        self.user = "postgres" if os.geteuid() == 0 else None
        self._child = ChildProcess([], log=self.home / "postgres.log", user=self.user)

    @property
    def address(self) -> str:
        """URL of the superuser."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def let_go(self) -> int:
        """Leave it running beyond this object; returns its process id, for whoever ends it."""
        return self._child.let_go()

    def start(self) -> None:
        """Copy a cluster once, start it, wait until it answers (a crash is recovered first)."""
        found = binaries()
        data = self.home / "data"
        if not data.exists():
            if self.user:
                shutil.chown(self.home, user=self.user, group=self.user)
            _copy(cluster(found, self.user), data)
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self.home}",
            "max_connections=200",
            *(() if self._fsync else SHORT_LIVED),
        ]
        self._child.command = [
            str(found / "postgres"),
            "-D",
            str(data),
            *(f"--{setting}" for setting in settings),
        ]
        self._child.start()
        eventually_now(lambda: self._up(found), within=60, every=0.1, about=f"PostgreSQL on port {self.port}")

    def _up(self, found: Path) -> bool:
        if not self._child.running:
            raise RuntimeError(f"PostgreSQL ended at its start:\n{self._child.tail()}")
        command = [str(found / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def kill(self) -> None:
        """SIGKILL to the server and its backends together; the next start replays the log."""
        if self._child.running:
            family = psutil.Process(self._child.pid).children(recursive=True)
            self._child.kill()
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            psutil.wait_procs(family, timeout=10)

    def stop(self) -> None:
        """Fast shutdown: SIGINT, because SIGTERM would wait for clients to leave."""
        self._child.end(signal.SIGINT, within=60)

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)
