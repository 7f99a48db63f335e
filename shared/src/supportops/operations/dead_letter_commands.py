"""`dead-letters list | show | replay | drop`: what a service's consumer could not handle, for every service alike.

A service that consumes nothing has the commands too, and at most events in them that the broker refused.
"""

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import fields
from itertools import batched
from typing import Annotated, Any

import typer

from supportops.config import BrokerCommandSettings
from supportops.errors import Retryable
from supportops.messaging import Broker, open_broker
from supportops.operations.dead_letters import (
    Letter,
    LetterFilter,
    drop,
    letters,
    refused_events,
    replay,
    with_value,
)
from supportops.operations.delivery_commands import demand_choice
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
from supportops.runtime.cli import AnyService, AsJson, DryRun, execute_with
from supportops.runtime.output import emit, progress
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

AT_ONCE = 100  # letters read, published and remembered together
MOST_REFUSED = 100_000
BROKER_SETTING = "KAFKA_BOOTSTRAP_SERVERS"

Ids = Annotated[
    list[str] | None, typer.Argument(help="Letters as `dead-letters list` names them, such as 0:17.")
]
ReasonText = Annotated[str | None, typer.Option("--error", help="Only those whose reason has these words.")]
Ticket = Annotated[str | None, typer.Option("--ticket", "--subject", help="Only those about this ticket.")]
Type = Annotated[str | None, typer.Option("--type", help="Only events of this type.")]
Job = Callable[[Broker, Store], Awaitable[int]]


def add_dead_letter_commands(app: typer.Typer, service: AnyService, group: str | None) -> None:
    """Add the group `dead-letters` to a service's command line; `group`: its consumer group."""
    commands = typer.Typer(
        no_args_is_help=True, help="Records that the consumer could not handle: look, replay, drop."
    )
    app.add_typer(commands, name="dead-letters")
    _add_looks(commands, service, group)
    _add_changes(commands, service, group)


def _add_looks(commands: typer.Typer, service: AnyService, group: str | None) -> None:
    @commands.command("list")
    def list_(  # noqa: PLR0913  # a command has as many parameters as it has options
        since: SinceText = None,
        error: ReasonText = None,
        ticket: Ticket = None,
        event_type: Type = None,
        handled: Annotated[
            bool, typer.Option("--handled", help="Also those that were replayed or dropped.")
        ] = False,
        limit: Limit = 100,
        as_json: AsJson = False,
    ) -> None:
        """Show dead letters with reason, stage and origin, and own events that the broker refused; no bodies."""

        async def show(broker: Broker, store: Store) -> int:
            since_moment = moment_of(since, store.clock.now())
            wanted = LetterFilter((), since_moment, error, ticket, event_type, handled)
            rows, refused = await _listed(_batches(broker, store, group, wanted), limit)
            emit(rows, as_json=as_json, title=f"Dead letters of {service.name}")
            if refused:
                again = f"mend their topics, then run {service.name} publish-again"
                typer.echo(f"{refused} events were refused by the broker: {again}", err=True)
            return CLEAN

        raise typer.Exit(_on_broker(service, show))

    @commands.command("show")
    def show_one(
        letter_id: Annotated[str, typer.Argument(metavar="LETTER", help="As `dead-letters list` names it.")],
        personal: Personal = False,
        as_json: AsJson = False,
    ) -> None:
        """Show one dead letter with its headers; exit code 1 when there is none of that name."""

        async def show(broker: Broker, store: Store) -> int:
            wanted = LetterFilter((letter_id,), handled=True)
            async with aclosing(_batches(broker, store, group, wanted)) as reading:
                async for letter, *_ in reading:
                    whole = await with_value(store, letter) if personal else letter
                    emit(_details(whole, personal=personal), as_json=as_json, title=letter.id)
                    return CLEAN
            typer.echo(f"{service.name}: there is no dead letter {letter_id!r}", err=True)
            return FAILED

        raise typer.Exit(_on_broker(service, show))


def _add_changes(commands: typer.Typer, service: AnyService, group: str | None) -> None:
    async def published(broker: Broker, store: Store, chosen: Sequence[Letter]) -> None:
        await replay(broker, store, group or "", chosen)

    async def dropped(_broker: Broker, store: Store, chosen: Sequence[Letter]) -> None:
        await drop(store, chosen)

    for verb, act, text in (
        ("replay", published, _REPLAY),
        ("drop", dropped, _DROP),
    ):
        commands.command(verb, help=text)(_change_command(service, group, verb, act))


_REPLAY = """Publish letters again for this service's group alone, byte for byte, once what killed them is mended.

Own events that the broker refused (`outbox:…`) are given to the relay once more, for everybody.
Exit code 1 when none of the named letters is there."""
_DROP = """Have letters shown no more: nothing is to become of them. Kafka forgets them by retention.

Own events that the broker refused (`outbox:…`) are deleted: nobody will ever read them.
Exit code 1 when none of the named letters is there."""


def _change_command(
    service: AnyService,
    group: str | None,
    verb: str,
    act: Callable[[Broker, Store, Sequence[Letter]], Awaitable[None]],
) -> Callable[..., None]:
    def command(  # noqa: PLR0913  # a command has as many parameters as it has options
        ids: Ids = None,
        everything: Everything = False,
        since: SinceText = None,
        error: ReasonText = None,
        ticket: Ticket = None,
        event_type: Type = None,
        yes: Yes = False,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        demand_choice(ids, everything)

        async def change(broker: Broker, store: Store) -> int:
            since_moment = moment_of(since, store.clock.now())
            wanted = LetterFilter(tuple(ids or ()), since_moment, error, ticket, event_type)
            number = await _count(broker, store, group, wanted)
            what = f"dead letters to {verb}"
            if (everything or dry_run) and not go_on(number, what, yes=yes, dry_run=dry_run):
                return CLEAN
            if not number:
                typer.echo(f"{service.name}: no such dead letter", err=True)
                return FAILED
            done: list[dict[str, Any]] = []
            with progress(verb) as report:
                async for some in _batches(broker, store, group, wanted):
                    await act(broker, store, some)
                    done += [{"letter": each.id, "origin": each.origin, verb: True} for each in some]
                    report(min(1.0, len(done) / number), f"{len(done)} of {number}")
            emit(done, as_json=as_json)
            return CLEAN

        raise typer.Exit(_on_broker(service, change))

    return command


def _on_broker(service: AnyService, job: Job) -> int:
    async def with_both(settings: BrokerCommandSettings) -> int:
        async with service.open_database(settings) as store, open_broker(settings.kafka) as broker:
            try:
                return await job(broker, store)
            except Retryable as error:
                if BROKER_SETTING in str(error):
                    raise
                raise Retryable(f"{error}; check {BROKER_SETTING}, and that the broker runs") from error

    return execute_with(service, BrokerCommandSettings, with_both)


async def _listed(batches: AsyncGenerator[list[Letter]], limit: int) -> tuple[list[dict[str, Any]], int]:
    """At most `limit` letters as rows, and how many of them the broker refused.

    Their values are let go at once: so many may be more than memory.
    """
    rows: list[dict[str, Any]] = []
    refused = 0
    async with aclosing(batches) as reading:
        async for some in reading:
            taken = some[: limit - len(rows)]
            rows += [_row(letter) for letter in taken]
            refused += sum(letter.is_own for letter in taken)
            if len(rows) >= limit:
                break
    return rows, refused


async def _count(broker: Broker, store: Store, group: str | None, wanted: LetterFilter) -> int:
    number = 0
    with progress("reading dead letters") as report:
        async for some in _batches(broker, store, group, wanted):
            number += len(some)
            report(None, f"{number} so far, at {some[-1].id}")
    return number


async def _batches(
    broker: Broker, store: Store, group: str | None, wanted: LetterFilter
) -> AsyncGenerator[list[Letter]]:
    """The letters that are wanted, own events that were refused first; a few at a time: a topic may hold more than
    memory does.
    """
    for own in batched(await refused_events(store, wanted, MOST_REFUSED), AT_ONCE):
        yield list(own)
    if group is None:
        return
    some: list[Letter] = []
    async with aclosing(letters(broker, store, group, wanted)) as reading:
        async for letter in reading:
            some.append(letter)
            if len(some) == AT_ONCE:
                yield some
                some = []
    if some:
        yield some


def _shown_fields(letter: Letter) -> dict[str, Any]:
    names = (each.name for each in fields(letter) if each.name != "record")
    return {name: getattr(letter, name) for name in names}


def _row(letter: Letter) -> dict[str, Any]:
    return _shown_fields(letter) | {"buried_at": letter.buried_at.isoformat(timespec="seconds")}


def _shown_header(name: str, value: bytes | None) -> str:
    return f"{name} (null)" if value is None else f"{name}: {value.decode('utf-8', 'backslashreplace')}"


def _details(letter: Letter, *, personal: bool) -> dict[str, Any]:
    """With headers, and, where personal data may be shown, the value: as text, and exactly (base64)."""
    record = letter.record
    headers = [_shown_header(*header) for header in record.headers]
    body: dict[str, Any] = {"value": HIDDEN}
    if personal:
        value = record.value or b""
        body = {
            "value": value.decode("utf-8", "backslashreplace"),
            "value_base64": base64.b64encode(value).decode(),
        }
    return _row(letter) | {"headers": headers} | body
