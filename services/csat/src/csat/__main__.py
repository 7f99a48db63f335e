"""The command line of csat: `serve`, `work`, `run`, `migrate`, `settings`, `explain`."""

from typing import Annotated

import typer

from csat import wiring
from csat.settings import Settings
from supportops.cli import AsJson, Service, build_app, execute
from supportops.output import emit
from supportops.runtime import CLEAN, FAILED

SERVICE = Service(
    name="csat",
    about="Asks for a rating a day after a ticket is solved, takes the votes and computes the CSAT KPI.",
    settings=Settings,
    migrate=wiring.migrate,
    serve=wiring.serve,
    work=wiring.work,
    run=wiring.run,
)
app = build_app(SERVICE)


@app.command()
def explain(
    ticket: Annotated[str, typer.Argument(help="The id of a ticket in Zendesk.")], as_json: AsJson = False
) -> None:
    """Tell a ticket's CSAT story: when its survey is due, what was decided and why, calls, the vote."""

    async def tell(settings: Settings) -> int:
        story = await wiring.story(settings, ticket)
        rows = [
            {"at": at.isoformat(timespec="seconds"), "what": what, "detail": more} for at, what, more in story
        ]
        emit(rows, as_json=as_json, title=f"Ticket {ticket}")
        return CLEAN if story else FAILED

    raise typer.Exit(execute(SERVICE, tell))


if __name__ == "__main__":
    app()
