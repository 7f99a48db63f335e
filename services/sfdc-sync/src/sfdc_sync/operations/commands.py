"""`rewrite`: what only sfdc-sync can do for an operator."""

from typing import Annotated

import typer

from sfdc_sync.operations import requeue
from supportops.operations.on_database import on_database
from supportops.runtime.cli import AnyService, AsJson
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store


def add_commands(app: typer.Typer, service: AnyService) -> None:
    """Add the commands of this file to sfdc-sync's command line."""

    @app.command()
    def rewrite(
        ticket_ids: Annotated[list[str] | None, typer.Argument(help="Zendesk's ticket ids.")] = None,
        given_up: Annotated[
            bool, typer.Option("--given-up", hidden=True, help="Now `deliveries retry --all`.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Write the records of these tickets once more, whatever Salesforce holds; the running worker does it.

        Exit code 1 when none of them is known. What was given up on: `deliveries retry`.
        """

        async def again(store: Store) -> int:
            async with store.transaction() as tx:
                wanted = {*(ticket_ids or ()), *(await requeue.given_up(tx) if given_up else ())}
                queued = await requeue.write_again(tx, wanted)
            emit([{"ticket": ticket_id, "queued": True} for ticket_id in queued], as_json=as_json)
            return CLEAN if queued or given_up else FAILED

        raise typer.Exit(on_database(service, again))
