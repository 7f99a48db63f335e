"""The command line of a service: `serve`, `work`, `run`, `migrate`, `settings`, `check-config`, and its own commands.

    SERVICE = Service(name="csat", package="csat", about="…", settings=Settings, policy=lambda: wiring.POLICY,
                      serve=wiring.serve, work=wiring.work, run=wiring.run)
    app = build_app(SERVICE)

    @app.command()
    def kpi(as_json: AsJson = False) -> None: ...   # a service's own command

Exit codes: those of `supportops.runtime.supervisor`; 1 for a command that failed, also because database or broker is
away or not migrated; 2 for settings, rules or arguments that cannot be used (one message, no traceback).

A command reads the settings that it needs and no others: one that looks into the database alone works on a machine
that knows nothing but `DATABASE_URL` (`execute_with(service, DatabaseCommandSettings, …)`).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, Self

import typer

from supportops.clock import SystemClock
from supportops.config import (
    ConfigSettings,
    DatabaseCommandSettings,
    DatabaseSettings,
    LogSettings,
    ServiceSettings,
    SettingsError,
    describe,
)
from supportops.config.rules_file import ConfigError, Rules, Section
from supportops.observability import logging
from supportops.runtime import supervisor
from supportops.runtime.check_config import check_config_command
from supportops.runtime.command_line import CommandLine, ensure_stdout, is_output_failure
from supportops.runtime.failures import in_one_line
from supportops.runtime.output import emit
from supportops.store import Store, open_store
from supportops.store.migrate import current_head, upgrade
from supportops.store.outbox import publish_again
from supportops.store.tables import ENGINE

UNUSABLE = 2

log = logging.get_logger("supportops.runtime.cli")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
"""The `--json` option, spelt alike in every command."""

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many it would be, change nothing.")]
"""The same for `--dry-run`."""

type Command[S] = Callable[[S], int | Awaitable[int]]
"""What a command does with its settings; the exit code."""


class CommandSettings(Protocol):
    """The settings that a command declares: those of its service, or a smaller group of blocks."""

    @property
    def log(self) -> LogSettings: ...
    @classmethod
    def load(cls) -> Self: ...
    def summary(self) -> dict[str, str]: ...
    def secrets(self) -> tuple[str, ...]: ...


class WithDatabase(Protocol):
    """Settings that name a database."""

    @property
    def database(self) -> DatabaseSettings: ...


class WithRules(Protocol):
    """Settings that name the file of the organization's rules."""

    @property
    def config(self) -> ConfigSettings: ...


type AnyService = Service[Any, Any]


@dataclass(frozen=True, slots=True)
class Service[S: ServiceSettings, P: Rules]:
    """A service as its command line knows it; `package` holds its migrations, `policy` tells its section of the rules.

    Its functions take the settings and return an exit code, plain or async.
    """

    name: str
    package: str
    about: str
    settings: type[S]
    policy: Callable[[], Section[P]]
    serve: Command[Any] | None = None
    work: Command[S] | None = None
    run: Command[S] | None = None
    serve_settings: type[CommandSettings] | None = None
    """What `serve` reads where that is less than all: it faces the internet, and holds no vendor's credential."""

    def load_policy(self, settings: WithRules) -> P:
        """The organization's rules in force. Raises ConfigError."""
        return self.policy().load(settings.config.file)

    def open_database(self, settings: WithDatabase) -> AbstractAsyncContextManager[Store]:
        """What the operators' commands work on; a running worker does the rest."""
        return open_store(settings.database, clock=SystemClock(), patient=True)

    def migrate(self, settings: WithDatabase) -> int:
        """Bring the database to the newest revision; safe to run again."""
        upgrade(settings.database.address(), self.package)
        return supervisor.CLEAN


_HELP = {
    "serve": "Run the HTTP side.",
    "work": "Run consumers, relay, courier and periodic jobs; start as many as the load asks for.",
    "run": "Run everything in one process (the demo, small installations).",
}
_MIGRATE = "Bring the database up to date; safe to run again, and by several at the same time."


def build_app[S: ServiceSettings, P: Rules](
    service: Service[S, P], more: Callable[[typer.Typer], None] | None = None
) -> CommandLine:
    """The command line of one service. `more` adds the service's own commands, as soon as one of them is wanted."""
    ensure_stdout()
    app = CommandLine(
        service.name,
        more,
        help=service.about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if sys.stdout.isatty() else None,
    )
    app.callback()(_no_options)
    for name, text in _HELP.items():
        command: Command[Any] | None = getattr(service, name)
        needs = service.serve_settings if name == "serve" else None
        if command is not None:
            app.command(name, help=text)(_as_command(service, needs or service.settings, command))
    app.command("migrate", help=_MIGRATE)(_migrate_command(service))
    app.command("settings", help="Show every setting with its value in force, its default and its meaning.")(
        _settings_command(service)
    )
    app.command("publish-again", help="Publish events that the broker had refused, after its mend.")(
        _publish_again_command(service)
    )
    app.command("check-config", help="Say everything that is wrong with settings and rules; exit code 2.")(
        check_config_command(service.name, service.settings, service.policy)
    )
    return app


def execute[S: ServiceSettings, P: Rules](
    service: Service[S, P], command: Command[S], *, announce: bool = False
) -> int:
    """Run `command` with all settings of its service; see `execute_with`."""
    return execute_with(service, service.settings, command, announce=announce)


def execute_with[T: CommandSettings](
    service: AnyService, needs: type[T], command: Command[T], *, announce: bool = False
) -> int:
    """Load the settings that the command `needs`, set up logging and run it; the exit code.

    Mistakes and outages become one message on stderr, of what we did wrong ourselves the traceback is shown.
    `announce`: begin with a log line of the settings in force, as the commands that keep running do.
    """
    try:
        settings = needs.load()
        # A command says itself what went wrong: libraries would only say it before, in their own words.
        logging.configure(
            settings.log, service=service.name, secrets=settings.secrets(), hear_libraries=announce
        )
        if announce:
            log.info("service.started", settings=settings.summary())
        return _finish(command(settings), service.name)
    except Exception as error:
        if (code := _said(error, service.name)) is not None:
            return code
        raise


def _no_options() -> None:
    """Keeps sub-commands as they are, also when a service has only one."""


def _as_command[T: CommandSettings](
    service: AnyService, needs: type[T], command: Command[T]
) -> Callable[[], None]:
    def call() -> None:
        raise typer.Exit(execute_with(service, needs, command, announce=True))

    return call


def _migrate_command(service: AnyService) -> Callable[[bool], None]:
    def migrate(settings: DatabaseCommandSettings, as_json: bool) -> int:
        code = service.migrate(settings)
        if as_json:
            emit({"service": service.name, "revision": current_head(service.package)}, as_json=True)
        return code

    def call(as_json: AsJson = False) -> None:
        raise typer.Exit(
            execute_with(service, DatabaseCommandSettings, lambda s: migrate(s, as_json), announce=True)
        )

    return call


def _settings_command[S: ServiceSettings, P: Rules](service: Service[S, P]) -> Callable[[bool], None]:
    def call(as_json: AsJson = False) -> None:
        try:
            in_force, problems = service.settings.load().summary(), ""
        except SettingsError as error:
            in_force, problems = service.settings.readable(), str(error)
        rows = [
            {
                "name": each.name,
                "value": in_force.get(each.name, "?"),
                "default": "(must be set)" if each.default is None else each.default,
                "allowed": each.allowed,
                "meaning": each.meaning,
            }
            for each in describe(service.settings)
        ]
        emit(rows, as_json=as_json, title=f"Settings of {service.name}")
        if problems:
            typer.echo(f"{service.name}: {problems}", err=True)
            raise typer.Exit(UNUSABLE)

    return call


def _publish_again_command(service: AnyService) -> Callable[[bool, bool], None]:
    async def release(settings: DatabaseCommandSettings, dry_run: bool, as_json: bool) -> int:
        async with (
            service.open_database(settings) as store,
            store.rehearsal() if dry_run else store.transaction() as tx,
        ):
            count = await publish_again(tx.conn, ENGINE.outbox, tx.now)
        title = "Would be given to the relay once more" if dry_run else "Given to the relay once more"
        emit([{"events": count} | ({"dry_run": True} if dry_run else {})], as_json=as_json, title=title)
        return supervisor.CLEAN

    def call(dry_run: DryRun = False, as_json: AsJson = False) -> None:
        raise typer.Exit(
            execute_with(service, DatabaseCommandSettings, lambda s: release(s, dry_run, as_json))
        )

    return call


def _finish(result: int | Awaitable[int], service: str) -> int:
    if isinstance(result, int):
        return result
    return supervisor.run(_awaited(result, service))


async def _awaited(result: Awaitable[int], service: str) -> int:
    """The exit code; what went wrong is said before the loop closes, which may take long (`supervisor.run`)."""
    try:
        return await result
    except asyncio.CancelledError:
        typer.echo(f"{service}: interrupted", err=True)
        raise
    except Exception as error:
        if (code := _said(error, service)) is not None:
            return code
        raise


def _said(error: Exception, service: str) -> int | None:
    """Say `error` in one line; the exit code. None, and nothing said, of a mistake of ours: its traceback is wanted."""
    if is_output_failure(error):  # not the database's doing: `CommandLine` says whose
        return None
    usage = isinstance(error, SettingsError | ConfigError)
    words = str(error) if usage else in_one_line(error, service)
    if words is None:
        return None
    typer.echo(f"{service}: {words}", err=True)
    return UNUSABLE if usage else supervisor.FAILED
