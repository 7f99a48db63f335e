"""The command line of sfdc-sync: `work`, `run`, `migrate`, `settings`, `doctor`. It has no HTTP side."""

import typer

from sfdc_sync import wiring
from sfdc_sync.settings import Settings
from supportops.cli import AsJson, Service, build_app, execute
from supportops.output import emit
from supportops.runtime import CLEAN, FAILED

SERVICE = Service(
    name="sfdc-sync",
    about="Keeps Salesforce's ticket records in step with Zendesk.",
    settings=Settings,
    migrate=wiring.migrate,
    work=wiring.work,
    run=wiring.work,
)
app = build_app(SERVICE)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check login, object, external id and fields in Salesforce against the rules; exit 1 when one fails."""

    async def examine(settings: Settings) -> int:
        findings = await wiring.examine(settings)
        rows = [{"check": f.check, "verdict": f.verdict, "detail": f.detail} for f in findings]
        emit(rows, as_json=as_json, title="Salesforce, as the integration user sees it")
        return FAILED if any(finding.verdict == "failed" for finding in findings) else CLEAN

    raise typer.Exit(execute(SERVICE, examine))


if __name__ == "__main__":
    app()
