"""`notifier silence add | list | end`: nothing about a rule, a ticket or an organization for a while."""

import re
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import select
from uuid_utils import uuid7

from notifier.breaches.repository import look_at_held
from notifier.notices.payloads import INTEGRITY, MERGED, RATING, SUCCESS, TAM
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.alerts import ALERT
from notifier.posting.burst import release
from notifier.posting.silences import About, Silence, add, end, in_force
from notifier.tables import routing_versions
from supportops.config.durations import parse_duration
from supportops.operations.on_database import on_database
from supportops.operations.options import whoami
from supportops.runtime.cli import AnyService, AsJson
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

LONGEST = timedelta(days=30)
_ID = re.compile(r"[0-9]{1,20}")
KINDS = (ALERT, INTEGRITY, MERGED, RATING, SUCCESS, TAM)  # of notices, which have no rule of a name


def add_silence_commands(app: typer.Typer, service: AnyService) -> None:
    """Add the group `silence` to the notifier's command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Hold messages back for a while; they are decided anew then."
    )
    app.add_typer(group, name="silence")
    _add_begin(group, service)
    _add_others(group, service)


def _add_begin(group: typer.Typer, service: AnyService) -> None:
    @group.command("add")
    def begin(  # a command has as many parameters as it has options
        reason: Annotated[str, typer.Option(help="Why; shown with what was held back.")],
        length: Annotated[str, typer.Option("--for", help="How long, such as 90m or 2d; 30d at most.")],
        rule: Annotated[
            str | None,
            typer.Option(help="Name of a feed or a breach rule, or a kind of notice, such as alert."),
        ] = None,
        ticket: Annotated[str | None, typer.Option(help="A ticket's id.")] = None,
        organization: Annotated[str | None, typer.Option(help="An organization's id in Zendesk.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Begin a silence about one rule, ticket or organization: feed lines, notices and breach notices."""
        about, value = subject_of(rule, ticket, organization)
        if not (why := reason.strip()):
            raise typer.BadParameter("say why, for whoever misses the messages", param_hint="--reason")
        lasts = length_of(length)

        async def keep(store: Store) -> int:
            async with store.transaction() as tx:
                made = Silence(str(uuid7()), about, value, why[:500], whoami(), tx.now, tx.now + lasts)
                await add(tx, made)
            emit([asdict(made)], as_json=as_json, title="Silent from now on")
            if about == "rule":
                await _warn_of_unknown(store, value)
            return CLEAN

        raise typer.Exit(on_database(service, keep))


def _add_others(group: typer.Typer, service: AnyService) -> None:
    @group.command("list")
    def show(as_json: AsJson = False) -> None:
        """Show the silences in force."""

        async def look(store: Store) -> int:
            async with store.reading() as conn:
                found = await in_force(conn, store.clock.now())
            emit([asdict(each) for each in found], as_json=as_json, title="Silences in force")
            return CLEAN

        raise typer.Exit(on_database(service, look))

    @group.command("end")
    def stop(
        silence: Annotated[str, typer.Argument(help="Its id, as `silence list` shows it.")],
        as_json: AsJson = False,
    ) -> None:
        """End a silence now: what it held back is decided anew and posted in one message."""

        async def finish(store: Store) -> int:
            async with store.transaction() as tx:
                ended = await end(tx, silence)
                released = await release(tx, silence) if ended else 0
                looked = await look_at_held(tx, f"unsilenced:{silence}") if ended else 0
            if not ended:
                typer.echo(f"notifier: no silence {silence!r} is in force: `notifier silence list`", err=True)
                return FAILED
            if as_json:
                emit({"silence": silence, "posted": released, "tickets": looked}, as_json=True)
                return CLEAN
            tickets = f"; breach notices of {looked} tickets are decided anew" if looked else ""
            typer.echo(f"ended; {released} messages are posted now{tickets}")
            return CLEAN

        raise typer.Exit(on_database(service, finish))


async def _warn_of_unknown(store: Store, name: str) -> None:
    """Say so where the rules that a worker used last know no such name: a misspelt silence holds nothing back."""
    query = select(routing_versions.c.rules).order_by(routing_versions.c.first_used_at.desc()).limit(1)
    async with store.reading() as conn:
        rules = (await conn.execute(query)).scalar()
    if rules is None:
        return
    policy = NotifierPolicy.model_validate_json(rules)
    named = {*(each.name for each in policy.feeds), *(each.name for each in policy.breaches.rules), *KINDS}
    if name not in named:
        words = (
            f"nothing is called {name!r} in the rules that a worker used last, so nothing is held back by it"
        )
        typer.echo(f"notifier: {words}; they know: {', '.join(sorted(named))}", err=True)


def subject_of(rule: str | None, ticket: str | None, organization: str | None) -> tuple[About, str]:
    """The one thing that is silenced. Raises typer.BadParameter for none and for several."""
    subjects: list[tuple[About, str | None]] = [
        ("rule", rule),
        ("ticket", ticket),
        ("organization", organization),
    ]
    given = [(about, value) for about, value in subjects if value]
    if len(given) != 1:
        raise typer.BadParameter("name one of --rule, --ticket and --organization")
    about, value = given[0]
    if about != "rule" and not _ID.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no id of Zendesk: digits only", param_hint=f"--{about}")
    return about, value


def length_of(text: str) -> timedelta:
    """The length of a silence. Raises typer.BadParameter."""
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    if not timedelta() < length <= LONGEST:
        raise typer.BadParameter("must be more than 0s and at most 30d", param_hint="--for")
    return length
