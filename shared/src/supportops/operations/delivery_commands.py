"""`deliveries list | show | retry | cancel | resume`: the calls to other people's servers, for every service alike."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, get_args

import typer

from supportops.delivery.dead import DEAD, cancel, revive
from supportops.delivery.listing import (
    ACTIVE,
    OPEN,
    DeliveryFilter,
    State,
    count_deliveries,
    delivery_details,
    list_deliveries,
)
from supportops.operations.breaker_commands import add_resume_command
from supportops.operations.on_database import on_database
from supportops.operations.options import (
    HIDDEN,
    Everything,
    Limit,
    Personal,
    SinceText,
    Yes,
    go_on,
    moment_of,
)
from supportops.runtime.cli import AnyService, AsJson, DryRun
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

Keys = Annotated[list[str] | None, typer.Argument(help="Keys as `deliveries list` shows them.")]
Destinations = Annotated[
    list[str] | None, typer.Option("--destination", help="Only calls of this destination; may be repeated.")
]
Lane = Annotated[
    str | None, typer.Option("--lane", "--ticket", help="Only calls of this lane: a ticket, a channel.")
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state", help="waiting, leased, dead (these by default), done, cancelled; may be repeated."
    ),
]
ReasonText = Annotated[
    str | None, typer.Option("--error", help="Only those whose last outcome has these words in its reason.")
]


@dataclass(frozen=True)
class Bulk:
    """A change of many: what it is called, what it concerns, and what does it; gives (destination, key) of each."""

    verb: str
    wanted: DeliveryFilter
    act: Callable[[Store, DeliveryFilter], Awaitable[Sequence[tuple[str, str]]]]
    everything: bool
    yes: bool
    dry_run: bool
    as_json: bool


def add_delivery_commands(app: typer.Typer, service: AnyService) -> None:
    """Add the group `deliveries` to a service's command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Calls to other people's servers: look, try again, cancel."
    )
    app.add_typer(group, name="deliveries")
    _add_looks(group, service)
    _add_retry(group, service)
    _add_cancel(group, service)
    add_resume_command(group, service)


def _add_looks(group: typer.Typer, service: AnyService) -> None:
    @group.command("list")
    def list_(  # noqa: PLR0913  # a command has as many parameters as it has options
        destination: Destinations = None,
        lane: Lane = None,
        state: States = None,
        since: SinceText = None,
        error: ReasonText = None,
        limit: Limit = 100,
        as_json: AsJson = False,
    ) -> None:
        """Show calls that wait, are in hand or were given up on, with the reason of their last outcome."""

        async def show(store: Store) -> int:
            wanted = _filter(store, destination, lane, since, error)
            found = await list_deliveries(store, replace(wanted, states=_states(state)), limit)
            emit([asdict(each) for each in found], as_json=as_json, title=f"Deliveries of {service.name}")
            return CLEAN

        raise typer.Exit(on_database(service, show))

    @group.command("show")
    def show_one(
        key: Annotated[str, typer.Argument(help="A key as `deliveries list` shows it.")],
        destination: Annotated[str | None, typer.Option(help="Only the call of this destination.")] = None,
        personal: Personal = False,
        as_json: AsJson = False,
    ) -> None:
        """Show everything that is kept of one call; exit code 1 when there is none with that key."""

        async def show(store: Store) -> int:
            rows = await delivery_details(store, key, destination)
            for row in rows if not personal else ():
                row["payload"] = HIDDEN
            if as_json:
                emit(rows, as_json=True)
            for row in rows if not as_json else ():
                emit(row, as_json=False, title=f"{row['destination']} {key}")
            if not rows:
                typer.echo(f"{service.name}: there is no delivery with the key {key!r}", err=True)
            return CLEAN if rows else FAILED

        raise typer.Exit(on_database(service, show))


def _add_retry(group: typer.Typer, service: AnyService) -> None:
    @group.command("retry")
    def retry(  # noqa: PLR0913  # a command has as many parameters as it has options
        keys: Keys = None,
        everything: Everything = False,
        destination: Destinations = None,
        lane: Lane = None,
        since: SinceText = None,
        error: ReasonText = None,
        yes: Yes = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Try calls again that were given up on, once what stood in their way is mended; the running worker does it.

        Nothing is done twice: it is asked first whether it happened. Exit code 1 when no key is one of such a call.
        """
        demand_choice(keys, everything)

        async def again(store: Store) -> int:
            wanted = replace(_filter(store, destination, lane, since, error, keys), states=DEAD.states)
            return await change(store, Bulk("retry", wanted, revive, everything, yes, dry_run, as_json))

        raise typer.Exit(on_database(service, again))


def _add_cancel(group: typer.Typer, service: AnyService) -> None:
    @group.command("cancel")
    def cancel_(  # noqa: PLR0913  # a command has as many parameters as it has options
        reason: Annotated[str, typer.Option("--reason", help="Why: it is kept with each call.")],
        keys: Keys = None,
        everything: Everything = False,
        destination: Destinations = None,
        lane: Lane = None,
        since: SinceText = None,
        error: ReasonText = None,
        yes: Yes = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Make sure that open calls are not started any more; one in flight ends, and what it did is recorded.

        Exit code 1 when no key is one of an open call.
        """
        demand_choice(keys, everything)
        if not reason.strip():
            raise typer.BadParameter("say why", param_hint="--reason")

        async def stop(store: Store) -> int:
            wanted = replace(_filter(store, destination, lane, since, error, keys), states=ACTIVE)
            act = _cancelling(f"by an operator: {reason.strip()}")
            return await change(store, Bulk("cancel", wanted, act, everything, yes, dry_run, as_json))

        raise typer.Exit(on_database(service, stop))


async def change(store: Store, bulk: Bulk) -> int:
    """Count, ask where many are meant, act, and print what was done."""
    if bulk.everything or bulk.dry_run:
        counts = await count_deliveries(store, bulk.wanted)
        total = sum(counts.values())
        what = ", ".join(f"{number} of {name}" for name, number in sorted(counts.items()))
        if not go_on(
            total,
            f"deliveries to {bulk.verb}{f': {what}' if what else ''}",
            yes=bulk.yes,
            dry_run=bulk.dry_run,
        ):
            emit([], as_json=True) if bulk.as_json else None
            return CLEAN
    done = await bulk.act(store, bulk.wanted)
    rows = [{"destination": destination, "key": key, bulk.verb: True} for destination, key in done]
    emit(rows, as_json=bulk.as_json)
    if done or bulk.everything:
        return CLEAN
    typer.echo(f"nothing to {bulk.verb} has such a key: `deliveries list` shows keys and states", err=True)
    return FAILED


def demand_choice(keys: Sequence[str] | None, everything: bool) -> None:
    """Raise typer.BadParameter unless keys or all are meant, and not both."""
    if bool(keys) == everything:
        raise typer.BadParameter("name keys, or say --all")


def _cancelling(reason: str) -> Callable[[Store, DeliveryFilter], Awaitable[list[tuple[str, str]]]]:
    return lambda store, wanted: cancel(store, wanted, reason)


def _filter(
    store: Store,
    destinations: Sequence[str] | None,
    lane: str | None,
    since: str | None,
    error: str | None,
    keys: Sequence[str] | None = None,
) -> DeliveryFilter:
    return DeliveryFilter(
        destinations=tuple(destinations or ()),
        lane=lane,
        since=moment_of(since, store.clock.now()),
        reason=error,
        keys=tuple(keys or ()),
    )


def _states(given: Sequence[str] | None) -> tuple[State, ...]:
    known: dict[str, State] = {state: state for state in get_args(State)}
    unknown = [each for each in given or () if each not in known]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r}: one of {', '.join(known)}", param_hint="--state")
    return tuple(known[each] for each in given or OPEN)
