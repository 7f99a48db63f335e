"""The commands that operators find at every service under the same names, whatever the service does.

    add_operations(app, SERVICE, Operations(explain=explain, checks=checks, group=GROUP))

adds `doctor`, `explain`, `deliveries …` and `dead-letters …` to those of `build_app` (`settings`, `check-config`,
`migrate`, `serve`, `work`, `run`). What a service hands in is what only it knows: how to tell a subject's history, and
what to look at in the world around it.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from supportops.config import DatabaseCommandSettings, ServiceSettings
from supportops.config.rules_file import Rules
from supportops.delivery.dead import DEAD, revive
from supportops.delivery.listing import DeliveryFilter, list_deliveries
from supportops.operations.breaker_commands import destinations_check
from supportops.operations.checks import Check, examine, report
from supportops.operations.dead_letter_commands import add_dead_letter_commands
from supportops.operations.delivery_commands import (
    Bulk,
    add_delivery_commands,
    change,
    demand_choice,
)
from supportops.operations.infrastructure_checks import broker_check, database_check
from supportops.operations.on_database import on_database
from supportops.operations.timeline import Explain, Explanation
from supportops.runtime.cli import AsJson, Service, execute, execute_with
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

Words = Annotated[bool, typer.Option("--words", help="Show customers' words too.")]
Destinations = Annotated[
    list[str] | None, typer.Option("--destination", help="Only calls of this destination.")
]


@dataclass(frozen=True)
class Operations[S: ServiceSettings, P: Rules]:
    """What a service adds to the commands that all have.

    `checks`: what its doctor looks at beside database and broker; opened for the time of the examination. `group`: its
    consumer group, None where it has none. `metavar`: what `explain` takes, where that is not the subject alone.
    `old_names`: what `deliveries retry` was called before (hidden).
    """

    explain: Explain
    checks: Callable[[S, P], AbstractAsyncContextManager[Sequence[Check]]]
    group: str | None = None
    subject: str = "ticket"
    metavar: str = ""
    old_names: tuple[str, ...] = ()


def add_operations[S: ServiceSettings, P: Rules](
    app: typer.Typer, service: Service[S, P], operations: Operations[S, P]
) -> None:
    """Add the operators' commands to a service's command line."""
    _add_doctor(app, service, operations)
    _add_explain(app, service, operations)
    add_delivery_commands(app, service)
    add_dead_letter_commands(app, service, operations.group)
    _add_old_names(app, service, operations.old_names)


def _add_doctor[S: ServiceSettings, P: Rules](
    app: typer.Typer, service: Service[S, P], operations: Operations[S, P]
) -> None:
    @app.command()
    def doctor(as_json: AsJson = False) -> None:
        """Check database, broker, clocks and the vendors that this service uses; exit 1 when one fails.

        Reads only. Each finding says what to do about it; what cannot be seen from here is said.
        """

        async def look(settings: S) -> int:
            policy = service.load_policy(settings)
            async with operations.checks(settings, policy) as own:
                checks = [
                    database_check(settings.database, service.package),
                    broker_check(settings.kafka),
                    destinations_check(settings.database),
                    *own,
                ]
                found = await examine(checks, settings.secrets())
            return report(found, as_json=as_json, title=f"What {service.name} needs")

        raise typer.Exit(execute(service, look))


def _add_explain(app: typer.Typer, service: Service[Any, Any], operations: Operations[Any, Any]) -> None:
    @app.command()
    def explain(
        subject: Annotated[
            str, typer.Argument(metavar=operations.metavar or operations.subject.upper(), help="Its id.")
        ],
        words: Words = False,
        as_json: AsJson = False,
    ) -> None:
        """Tell what this service knows of one subject: what it heard, decided and did, calls with their answers.

        Needs the database only. Exit code 1 when nothing is known of it.
        """

        async def tell(settings: DatabaseCommandSettings) -> int:
            async with service.open_database(settings) as store, store.reading() as conn:
                told = await operations.explain(conn, subject, store.clock.now(), words)
            title = told.title or f"{operations.subject} {subject}"
            _print(told, title[:1].upper() + title[1:], as_json=as_json)
            if not told.known:
                unknown = (
                    f"nothing is known of {told.title or f'{operations.subject} {subject!r}'}: {_UNKNOWN}"
                )
                typer.echo(f"{service.name}: {unknown}", err=True)
            return CLEAN if told.known else FAILED

        raise typer.Exit(execute_with(service, DatabaseCommandSettings, tell))


_UNKNOWN = "no event of it arrived, or its history was removed by age or by an erasure"


def _print(told: Explanation, title: str, *, as_json: bool) -> None:
    if as_json:
        emit(told.document, as_json=True)
    elif told.known:
        emit(told.standing, as_json=False, title=f"{title}: how it stands")
        typer.echo()
        rows = [
            {"at (UTC)": f"{line.at:%Y-%m-%d %H:%M:%S}", "what": line.what, "detail": line.detail}
            for line in told.lines
        ]
        emit(rows, as_json=False, title="What happened")


def _add_old_names(app: typer.Typer, service: Service[Any, Any], names: Sequence[str]) -> None:
    """`given-up` and `try-again` (and what it was called here) as they were, for one release."""

    @app.command("given-up", hidden=True)
    def given_up(destination: Destinations = None, as_json: AsJson = False) -> None:
        """Show the calls that were given up on: now `deliveries list --state dead`."""

        async def show(store: Store) -> int:
            dead = await list_deliveries(store, _dead(destination), 100_000)
            rows = [{name: getattr(each, name) for name in _OLD_COLUMNS} for each in dead]
            rows = [row | {"at": each.finished_at} for row, each in zip(rows, dead, strict=True)]
            emit(rows, as_json=as_json, title="Calls given up on")
            return CLEAN

        raise typer.Exit(on_database(service, show))

    def try_again(
        keys: Annotated[list[str] | None, typer.Argument(help="Keys as `given-up` shows them.")] = None,
        everything: Annotated[bool, typer.Option("--all", help="All that were given up on.")] = False,
        destination: Destinations = None,
        as_json: AsJson = False,
    ) -> None:
        """Try calls again that were given up on, once that is mended: now `deliveries retry`."""
        demand_choice(keys, everything)

        async def again(store: Store) -> int:
            wanted = _dead(destination, keys)
            bulk = Bulk("retry", wanted, revive, everything, yes=True, dry_run=False, as_json=as_json)
            return await change(store, bulk)

        raise typer.Exit(on_database(service, again))

    for name in ("try-again", *names):
        app.command(name, hidden=True)(try_again)


_OLD_COLUMNS = ("destination", "key", "lane", "reason", "attempts")


def _dead(destinations: Sequence[str] | None, keys: Sequence[str] | None = None) -> DeliveryFilter:
    return DeliveryFilter(DEAD.states, tuple(destinations or ()), tuple(keys or ()))
