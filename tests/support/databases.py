"""Fresh databases for tests: copied from a template that was built once per run by the migrations."""

import asyncio
import shutil
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from sandbox.demo.processes import write_aside
from supportops.store import migrate
from tests.support.emptied import emptied, shape_of
from tests.support.infra import State


def on_the_side[T](function: Callable[[], T]) -> T:
    """Run it in a thread: fixtures may be used while this thread belongs to a test's event loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


def run_sql(url: str, statement: str) -> None:
    """One statement outside a transaction (CREATE DATABASE and its like)."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    on_the_side(lambda: asyncio.run(run()))


def database_of(server: str, name: str) -> str:
    """The URL of another database of the same server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


class PostgresDatabases:
    """Makes and drops databases of one server."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._made: list[str] = []

    def new(self, package: str = "") -> str:
        """A database of its own: empty, or migrated to the head of `package`'s history."""
        name = f"t_{uuid.uuid4().hex[:16]}"
        template = f" TEMPLATE {self._template(package)} STRATEGY FILE_COPY" if package else ""
        run_sql(self.server, f"CREATE DATABASE {name}{template}")
        self._made.append(name)
        return database_of(self.server, name)

    def _template(self, package: str) -> str:
        name = f"template_{package.replace('.', '_')}_{State.current().folder.name[-8:].lower()}"
        with State.current().locked(name) as record:
            if not record.exists():
                run_sql(self.server, f"CREATE DATABASE {name}")
                on_the_side(lambda: migrate.upgrade(database_of(self.server, name), package))
                write_aside(record, f'{{"database": "{name}"}}')
        return name

    def drop(self, url: str) -> None:
        """Drop one of them, whoever is still connected."""
        name = urlsplit(url).path.strip("/")
        run_sql(self.server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._made.remove(name)

    def drop_all(self) -> None:
        """Drop what `new` made."""
        for name in list(self._made):
            self.drop(database_of(self.server, name))


class LentDatabases:
    """Databases with the tables of a package, used by one test after the other and emptied in between."""

    def __init__(self, server: str) -> None:
        self._databases = PostgresDatabases(server)
        self._free: dict[str, list[str]] = defaultdict(list)
        self._shapes: dict[str, str | None] = {}

    @contextmanager
    def lending(self) -> Iterator[Callable[[str], str]]:
        """`new(package)`, as that of `PostgresDatabases`; what it gave is taken back at the end."""
        own, lent = PostgresDatabases(self._databases.server), list[tuple[str, str]]()

        def new(package: str = "") -> str:
            if not package:
                return own.new()
            url = self._free[package].pop() if self._free[package] else self._made(package)
            lent.append((package, url))
            return url

        yield new
        own.drop_all()
        for package, url in lent:
            self._take_back(package, url)

    def _take_back(self, package: str, url: str) -> None:
        if on_the_side(lambda: asyncio.run(emptied(url, self._shapes[package]))):
            self._free[package].append(url)
        else:
            self._databases.drop(url)

    def _made(self, package: str) -> str:
        url = self._databases.new(package)
        if package not in self._shapes:
            self._shapes[package] = on_the_side(lambda: asyncio.run(shape_of(url)))
        return url

    def drop_all(self) -> None:
        """Drop them all, lent or free."""
        self._databases.drop_all()


class SqliteDatabases:
    """Makes database files below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self, package: str = "") -> str:
        """A file of its own: absent yet, or migrated to the head of `package`'s history."""
        path = self.folder / f"{uuid.uuid4().hex[:16]}.db"
        if package:
            shutil.copyfile(self._template(package), path)
        return f"sqlite:///{path}"

    def _template(self, package: str) -> Path:
        path = State.current().folder / f"{package}.db"
        with State.current().locked(f"sqlite_{package}"):
            if not path.exists():
                building = path.with_suffix(".building")
                on_the_side(lambda: migrate.upgrade(f"sqlite:///{building}", package))
                building.rename(path)
        return path
