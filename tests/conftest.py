"""Fixtures only. Servers come from the ladder in tests/support/infra.py."""

import gc
import os
import signal
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from xdist.remote import Producer

from sandbox.demo import reaper
from supportops.clock import ManualClock
from supportops.runtime import supervisor
from tests.support import compiled_statements, distribution, infra
from tests.support.databases import LentDatabases, SqliteDatabases, run_sql
from tests.support.examples import load_profile
from tests.support.forks import ForkedChild
from tests.support.kept_connections import KEPT
from tests.support.sandbox import SandboxProcess
from tests.support.servers import Server, Unavailable

NEVER = 24 * 3600.0
"""Seconds after which a command that was called in this process may end it, for a thread that is left: such as one of
the next test's. Programs of tests have the real limit.
"""
CHOICES = pytest.StashKey[dict[infra.Kind, infra.Choice]]()
STATE = pytest.StashKey[infra.State]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the rungs; the controlling process opens the run's state folder for its workers."""
    load_profile()
    compiled_statements.share()
    hear_interrupts()
    keep_loggers_catchable()
    supervisor.CLOSING = NEVER
    spare_searches()
    os.environ.setdefault("SUPPORTOPS_MODE", "test")  # made-up secrets, stand-ins for every account
    if (worker := getattr(config, "workerinput", None)) is not None:
        reaper.announce(os.getpid())
        distribution.collect_from_another_end(
            config, int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        )
    else:
        config.stash[STATE] = infra.State.begin()
        for name, choice in (("kafka", infra.choose("kafka")), ("postgres", infra.choose("postgres"))):
            if problem := infra.demand(choice, ci=infra.ci()):
                pytest.exit(problem, returncode=3)
            os.environ[f"SUPPORTOPS_TEST_RUNG_{name.upper()}"] = choice.rung
            if (name, choice.rung) == (
                "postgres",
                "local",
            ):  # it has no TLS: each connection would ask for it first
                os.environ.setdefault("PGSSLMODE", "disable")
    config.stash[CHOICES] = {kind: _chosen(kind) for kind in ("kafka", "postgres")}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collected tests stay to the end: the garbage collector need not walk over them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers of pytest-xdist share the tests in an order of their own."""
    if hasattr(config, "workerinput"):
        distribution.mix(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> distribution.Distribution | None:
    """In place of `--dist loadgroup`, which it extends."""
    return distribution.Distribution(config, log) if config.getoption("dist") == "loadgroup" else None


def hear_interrupts() -> None:
    """A session that a shell started in the background ignores Ctrl-C, and so would all that it starts: the tests
    that interrupt somebody would wait for ever.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def spare_searches() -> None:
    """httpx asks several times a request whether trio runs, by an import of a package that is not there; an import that
    fails looks through all folders each time: an eighth of the processor time of tests that speak HTTP.
    """
    if find_spec("sniffio") is None:
        sys.modules["sniffio"] = cast(Any, None)


def keep_loggers_catchable() -> None:
    """A logger that was used after a command's `configure` would keep its processors: `capture_logs` of a later test
    in this process would hear nothing of it. And structlog's own tracebacks, with every local variable, fill a quarter
    of a million lines in half a minute: here they are plain, also after a test has put the defaults back.
    """
    configure, reset_defaults = structlog.configure, structlog.reset_defaults
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)

    def uncached(**options: Any) -> None:
        configure(**options | {"cache_logger_on_first_use": False})

    def plainly() -> None:
        reset_defaults()
        uncached(processors=[*structlog.get_config()["processors"][:-1], plain])

    structlog.configure, structlog.reset_defaults = cast(Any, uncached), plainly
    plainly()


def _chosen(kind: infra.Kind) -> infra.Choice:
    rung = os.environ[f"SUPPORTOPS_TEST_RUNG_{kind.upper()}"]
    rungs: dict[str, infra.Rung] = {
        "environment": "environment",
        "containers": "containers",
        "local": "local",
        "embedded": "embedded",
        "none": "none",
    }
    return infra.Choice(kind, rungs[rung])


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The rungs of this run, for whoever reads its log."""
    return [choice.words() for choice in config.stash[CHOICES].values()]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the run started."""
    KEPT.close_all()
    state = config.stash.get(STATE, None)
    if state is not None:
        _drop_templates(config, state)
        state.end()


def _drop_templates(config: pytest.Config, state: infra.State) -> None:
    choices = config.stash.get(CHOICES, None)
    if (
        choices and (choice := choices["postgres"]).rung == "environment"
    ):  # a server that outlives us gets no leftovers
        for record in state.folder.glob("template_*.json"):
            run_sql(state.address(choice), f"DROP DATABASE IF EXISTS {record.stem} WITH (FORCE)")


@pytest.fixture(scope="session")
def broker_choice(pytestconfig: pytest.Config) -> infra.Choice:
    """The rung of the broker."""
    return pytestconfig.stash[CHOICES]["kafka"]


@pytest.fixture(scope="session")
def kafka_address(broker_choice: infra.Choice) -> str:
    """Bootstrap address of the run's broker. Tests share it: topics and groups need fresh names."""
    return infra.State.current().address(broker_choice)


@pytest.fixture(scope="session")
def kafka_flavour(broker_choice: infra.Choice) -> str:
    """KAFKA_FLAVOUR for that broker."""
    return "apache" if broker_choice.real else "embedded"


@pytest.fixture(scope="session")
def postgres_server_url(pytestconfig: pytest.Config) -> str:
    """The superuser's URL of the run's PostgreSQL; skips where there is none (never in CI)."""
    choice = pytestconfig.stash[CHOICES]["postgres"]
    if not choice.real:
        pytest.skip("no PostgreSQL on this machine")
    return infra.State.current().address(choice)


@pytest.fixture(scope="session")
def lent_databases(postgres_server_url: str) -> Iterator[LentDatabases]:
    """Those that the tests of this process use one after the other."""
    databases = LentDatabases(postgres_server_url)
    yield databases
    databases.drop_all()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `both_databases` run on SQLite and on PostgreSQL."""
    if "dialect" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("dialect", ["sqlite", "postgres"])


@pytest.fixture
def dialect(pytestconfig: pytest.Config) -> str:
    """PostgreSQL, SQLite where there is none. The engine and one path of each feature run on both."""
    return "postgres" if pytestconfig.stash[CHOICES]["postgres"].real else "sqlite"


@pytest.fixture
def new_database(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """`new_database("csat")`: URL of a fresh database with csat's tables; `new_database("")`: empty."""
    if dialect == "sqlite":
        yield SqliteDatabases(tmp_path).new
        return
    with request.getfixturevalue("lent_databases").lending() as new:
        yield new


@pytest.fixture
def database_url(new_database: Callable[[str], str]) -> str:
    """A fresh, empty database."""
    return new_database("")


@pytest.fixture
def new_postgres(lent_databases: LentDatabases) -> Iterator[Callable[[str], str]]:
    """Like `new_database`, on PostgreSQL only."""
    with lent_databases.lending() as new:
        yield new


@pytest.fixture
def postgres_url(new_postgres: Callable[[str], str]) -> str:
    """A fresh, empty database on PostgreSQL."""
    return new_postgres("")


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The stand-ins as a real process, one for each worker of pytest-xdist."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox"), ForkedChild) as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """A sandbox without memory of other tests: seeds, no faults, the limits of a fresh start."""
    sandbox_process.reset()
    return sandbox_process


@pytest.fixture
def sandbox_url(sandbox: SandboxProcess) -> str:
    """Its address."""
    return sandbox.url


@pytest.fixture
def topic_suffix() -> str:
    """Makes topic and group names of one test its own: f"orders.{topic_suffix}"."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands on a Monday morning until it is advanced."""
    return ManualClock(datetime(2026, 11, 2, 9, 0, tzinfo=UTC))


@pytest.fixture
def own_server() -> Iterator[Callable[[infra.Kind], Server]]:
    """`own_server("kafka")`: a started real server of the test's own, to be killed; removed afterwards."""
    with ExitStack() as stack:

        def start(kind: infra.Kind) -> Server:
            try:
                server = infra.own_server(kind)
            except Unavailable as error:
                if infra.ci():
                    pytest.fail(str(error))
                pytest.skip(str(error))
            stack.callback(server.remove)
            server.start()
            return server

        yield start
