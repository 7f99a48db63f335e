"""What operators ask of csat on the command line: `explain`, `given-up`, `try-again`."""

from typing import Annotated

import typer

from csat import wiring
from csat.operators.telling import Line, document, lines_of, standing
from csat.settings import Settings
from supportops.cli import AsJson, Service, execute
from supportops.output import emit
from supportops.runtime import CLEAN, FAILED

Words = Annotated[bool, typer.Option("--words", help="Show customers' comments too.")]

_UNKNOWN = "no event of it arrived, or its history was removed by age or by `csat erase`"


def add_commands(app: typer.Typer, service: Service[Settings]) -> None:
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
        raise typer.Exit(execute(service, lambda settings: _explain(settings, ticket, words, as_json)))


def _row(line: Line) -> dict[str, object]:
    return {"at (UTC)": f"{line.at:%Y-%m-%d %H:%M:%S}", "what": line.what, "detail": line.detail}


async def _explain(settings: Settings, ticket: str, words: bool, as_json: bool) -> int:
    story = await wiring.story(settings, ticket)
    if as_json:
        emit(document(story, words=words), as_json=True)
    elif story.known:
        emit(standing(story), as_json=False, title=f"Ticket {ticket}: how it stands")
        typer.echo()
        emit([_row(line) for line in lines_of(story, words=words)], as_json=False, title="What happened")
    if not story.known:
        typer.echo(f"csat: nothing is known of ticket {ticket!r}: {_UNKNOWN}", err=True)
    return CLEAN if story.known else FAILED
