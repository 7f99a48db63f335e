"""What operators ask of csat on the command line: `explain`, `doctor`, `given-up`, `try-again`."""

from dataclasses import asdict
from typing import Annotated

import typer

from csat.operations.doctor import examine_csat
from csat.operations.timeline import timeline_of
from csat.operations.timeline_text import Line, document, lines_of, standing
from csat.policy.csat import CsatPolicy
from csat.settings import Settings
from supportops.delivery import dead as reviving
from supportops.operations.checks import report
from supportops.runtime.cli import AsJson, Service, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED

Words = Annotated[bool, typer.Option("--words", help="Show customers' comments too.")]
Destination = Annotated[
    list[str] | None,
    typer.Option(help="Only calls of this destination, such as zendesk.survey; may be repeated."),
]

_UNKNOWN = "no event of it arrived, or its history was removed by age or by `csat erase`"


def add_commands(app: typer.Typer, service: Service[Settings, CsatPolicy]) -> None:
    """Add the commands of this file to csat's command line."""

    @app.command()
    def explain(
        ticket: Annotated[str, typer.Argument(help="The id of a ticket in Zendesk.")],
        words: Words = False,
        as_json: AsJson = False,
    ) -> None:
        """Tell a ticket's CSAT story: events, decisions, calls with their answers, votes, issue.

        Exit code 1 when nothing is known of the ticket.
        """
        raise typer.Exit(
            execute(service, lambda settings: _explain(service, settings, ticket, words, as_json))
        )

    @app.command()
    def doctor(as_json: AsJson = False) -> None:
        """Check database, broker, Zendesk, GitLab, the survey page's public address, clocks; exit 1 when one fails.

        Reads only. What it cannot see from here is said.
        """

        async def look(settings: Settings) -> int:
            found = await examine_csat(settings, service.load_policy(settings))
            return report(found, as_json=as_json, title="What csat needs")

        raise typer.Exit(execute(service, look))

    @app.command("given-up")
    def given_up(destination: Destination = None, as_json: AsJson = False) -> None:
        """Show the calls that were given up on, and why."""
        raise typer.Exit(
            execute(service, lambda settings: _given_up(service, settings, destination or [], as_json))
        )

    @app.command("try-again")
    def try_again(
        keys: Annotated[list[str] | None, typer.Argument(help="Keys as `given-up` shows them.")] = None,
        everything: Annotated[bool, typer.Option("--all", help="All that were given up on.")] = False,
        destination: Destination = None,
        as_json: AsJson = False,
    ) -> None:
        """Try calls again that were given up on, once what stood in their way is mended; the running worker does it.

        Nothing is done twice: it is asked first whether it happened. A survey is decided about afresh, so that one
        that is too late by now is not sent. Exit code 1 when no key is one of a call that was given up on.
        """
        if not keys and not everything:
            raise typer.BadParameter("name keys, or say --all")
        wanted = None if everything else keys

        async def again(settings: Settings) -> int:
            return await _try_again(service, settings, destination or [], wanted, as_json)

        raise typer.Exit(execute(service, again))


def _row(line: Line) -> dict[str, object]:
    return {"at (UTC)": f"{line.at:%Y-%m-%d %H:%M:%S}", "what": line.what, "detail": line.detail}


async def _explain(
    service: Service[Settings, CsatPolicy], settings: Settings, ticket: str, words: bool, as_json: bool
) -> int:
    async with service.open_database(settings) as store, store.reading() as conn:
        timeline = await timeline_of(conn, ticket, store.clock.now())
    if as_json:
        emit(document(timeline, words=words), as_json=True)
    elif timeline.known:
        emit(standing(timeline), as_json=False, title=f"Ticket {ticket}: how it stands")
        typer.echo()
        emit([_row(line) for line in lines_of(timeline, words=words)], as_json=False, title="What happened")
    if not timeline.known:
        typer.echo(f"csat: nothing is known of ticket {ticket!r}: {_UNKNOWN}", err=True)
    return CLEAN if timeline.known else FAILED


async def _given_up(
    service: Service[Settings, CsatPolicy], settings: Settings, destinations: list[str], as_json: bool
) -> int:
    async with service.open_database(settings) as store:
        dead = await reviving.given_up(store, destinations)
    rows = [asdict(each) | {"at": each.at.isoformat(timespec="seconds")} for each in dead]
    emit(rows, as_json=as_json, title="Calls given up on")
    return CLEAN


async def _try_again(
    service: Service[Settings, CsatPolicy],
    settings: Settings,
    destinations: list[str],
    keys: list[str] | None,
    as_json: bool,
) -> int:
    async with service.open_database(settings) as store:
        queued = await reviving.revive(store, destinations, keys)
    rows = [{"destination": destination, "key": key, "queued": True} for destination, key in queued]
    emit(rows, as_json=as_json)
    return CLEAN if queued or keys is None else FAILED
