"""The command line of sfdc-sync: `work`, `run`, `migrate`, `settings`, `doctor`, `rewrite`. It has no HTTP side."""

from typing import Annotated

import typer

from sfdc_sync import wiring
from sfdc_sync.settings import Settings
from supportops.operations.checks import report
from supportops.runtime.cli import AsJson, Service, build_app, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED

SERVICE = Service(
    name="sfdc-sync",
    about="Keeps Salesforce's ticket records in step with Zendesk.",
    settings=Settings,
    package="sfdc_sync",
    policy=wiring.POLICY,
    work=wiring.work,
    run=wiring.work,
)
app = build_app(SERVICE)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check login, object, external id and fields in Salesforce against the rules; exit 1 when one fails."""

    async def examine(settings: Settings) -> int:
        findings = await wiring.examine(settings)
        return report(findings, as_json=as_json, title="Salesforce, as the integration user sees it")

    raise typer.Exit(execute(SERVICE, examine))


@app.command()
def rewrite(
    ticket_ids: Annotated[list[str] | None, typer.Argument(help="Zendesk's ticket ids.")] = None,
    given_up: Annotated[bool, typer.Option(help="Also those whose delivery was given up on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the records of these tickets once more, whatever Salesforce holds; the running worker does it."""

    async def again(settings: Settings) -> int:
        queued = await wiring.write_again(settings, ticket_ids or [], given_up=given_up)
        emit([{"ticket": ticket_id, "queued": True} for ticket_id in queued], as_json=as_json)
        return CLEAN if queued or given_up else FAILED

    raise typer.Exit(execute(SERVICE, again))


if __name__ == "__main__":
    app()
