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
from tests.support.emptied import Lent, Template, emptied, template_of
from tests.support.infra import State
from tests.support.kept_connections import KEPT


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


def _name(url: str) -> str:
    return urlsplit(url).path.strip("/")


class PostgresDatabases:
    """Makes and drops databases of one server, by a connection that is kept."""

    def __init__(self, server: str) -> None:
        self.server = server
        self._made: list[str] = []

    def new(self, package: str = "") -> str:
        """A database of its own: empty, or migrated to the head of `package`'s history."""
        template = f" TEMPLATE {self._template(package)} STRATEGY FILE_COPY" if package else ""
        return self._create(template)

    def copy(self, url: str) -> str:
        """A database as the one at `url` is now; nobody may be connected there."""
        KEPT.close(url)
        return self._create(f" TEMPLATE {_name(url)}")

    def _create(self, template: str) -> str:
        name = f"t_{uuid.uuid4().hex[:16]}"
        self._execute(f"CREATE DATABASE {name}{template}")
        self._made.append(name)
        return database_of(self.server, name)

    def _execute(self, statement: str) -> None:
        KEPT.use(self.server, lambda connection: connection.execute(statement))

    def _template(self, package: str) -> str:
        name = f"template_{package.replace('.', '_')}_{State.current().folder.name[-8:].lower()}"
        with State.current().locked(name) as record:
            if not record.exists():
                self._execute(f"CREATE DATABASE {name}")
                on_the_side(lambda: migrate.upgrade(database_of(self.server, name), package))
                write_aside(record, f'{{"database": "{name}"}}')
        return name

    def drop(self, url: str) -> None:
        """Drop one of them, whoever is still connected."""
        KEPT.close(url)
        self._execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")
        self._made.remove(_name(url))

    def drop_all(self) -> None:
        """Drop what `new` made."""
        for name in list(self._made):
            self.drop(database_of(self.server, name))


class LentDatabases:
    """Databases with the tables of a package, used by one test after the other and emptied in between."""

    def __init__(self, server: str) -> None:
        self._databases = PostgresDatabases(server)
        self._free: dict[str, list[Lent]] = defaultdict(list)
        self._templates: dict[str, Template] = {}

    @contextmanager
    def lending(self) -> Iterator[Callable[[str], str]]:
        """`new(package)`, as that of `PostgresDatabases`; what it gave is taken back at the end."""
        own, gone = PostgresDatabases(self._databases.server), list[tuple[str, Lent]]()

        def new(package: str = "") -> str:
            if not package:
                return own.new()
            lent = self._free[package].pop() if self._free[package] else self._made(package)
            gone.append((package, lent))
            return lent.url

        yield new
        own.drop_all()
        for package, lent in gone:
            self._take_back(package, lent)

    def _take_back(self, package: str, lent: Lent) -> None:
        template = self._templates[package]
        if KEPT.use(lent.url, lambda connection: emptied(connection, lent, template)):
            self._free[package].append(lent)
        else:
            self._databases.drop(lent.url)

    def _made(self, package: str) -> Lent:
        url = self._databases.new(package)
        if package not in self._templates:
            self._templates[package] = KEPT.use(url, template_of)
        return Lent(url)

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
