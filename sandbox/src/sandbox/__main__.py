"""`sandbox serve`: the stand-ins as a process."""

import gc
import shlex
from typing import Annotated, Any

import typer

from sandbox.demo import CSAT_KEY
from sandbox.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Stand-ins for Zendesk, Salesforce, Slack and GitLab in one process. Never a replacement for the real ones.",
)
_D = Settings()


@app.callback()
def main() -> None:
    """Stand-ins for Zendesk, Salesforce and Slack in one process."""


def _option(name: str, meaning: str) -> Any:
    return typer.Option(envvar=f"SANDBOX_{name}", help=meaning)


@app.command()
def serve(  # noqa: PLR0913 - each is an option of the command line
    host: Annotated[str, _option("HOST", "Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, _option("PORT", "Port to listen on.")] = 9400,
    public_url: Annotated[str, _option("PUBLIC_URL", "How others reach it; default http://HOST:PORT.")] = "",
    account_id: Annotated[int, _option("ACCOUNT_ID", "Zendesk account id in event bodies.")] = _D.account_id,
    zendesk_client: Annotated[
        str, _option("ZENDESK_CLIENT", "Identifier of Zendesk's OAuth client.")
    ] = _D.zendesk_client,
    zendesk_client_secret: Annotated[
        str, _option("ZENDESK_CLIENT_SECRET", "Secret of that client.")
    ] = _D.zendesk_client_key,
    zendesk_email: Annotated[
        str, _option("ZENDESK_EMAIL", "The integration user's e-mail.")
    ] = _D.zendesk_email,
    zendesk_token: Annotated[
        str, _option("ZENDESK_TOKEN", "API token (Basic email/token:TOKEN).")
    ] = _D.zendesk_key,
    webhook_secret: Annotated[
        str, _option("WEBHOOK_SECRET", "Signing secret of webhooks registered without one.")
    ] = _D.webhook_key,
    slack_token: Annotated[
        str, _option("SLACK_TOKEN", "Bot token that the Slack stand-in accepts.")
    ] = _D.slack_key,
    gitlab_token: Annotated[
        str, _option("GITLAB_TOKEN", "Token that the GitLab stand-in accepts.")
    ] = _D.gitlab_key,
    salesforce_client: Annotated[
        str, _option("SALESFORCE_CLIENT", "Consumer key of the External Client App.")
    ] = _D.salesforce_client,
    salesforce_secret: Annotated[
        str, _option("SALESFORCE_SECRET", "Consumer secret of the External Client App.")
    ] = _D.salesforce_key,
    log_level: Annotated[str, _option("LOG_LEVEL", "uvicorn's level: warning, info, debug.")] = "warning",
) -> None:
    """Listen until SIGTERM: /zendesk, /salesforce, /slack, /gitlab, /control, and a page at /."""
    gc.disable()  # what is loaded stays: to look for garbage in it is a third of the start
    from sandbox.server import serve as listen  # --help must not need uvicorn

    gc.freeze()
    gc.enable()

    settings = Settings(
        account_id=account_id,
        zendesk_email=zendesk_email,
        zendesk_client=zendesk_client,
        zendesk_client_key=zendesk_client_secret,
        zendesk_key=zendesk_token,
        webhook_key=webhook_secret,
        slack_key=slack_token,
        gitlab_key=gitlab_token,
        salesforce_client=salesforce_client,
        salesforce_key=salesforce_secret,
        public_url=public_url or f"http://{host}:{port}",
    )
    listen(settings, host, port, log_level)


@app.command()
def play(  # noqa: PLR0913 - each is an option of the command line
    ingest: Annotated[str, typer.Option(help="Base URL of ingest.")],
    csat: Annotated[str, typer.Option(help="Base URL of csat's HTTP side.")],
    sandbox: Annotated[str, typer.Option(help="Base URL of these stand-ins.")],
    webhook_url: Annotated[
        str, typer.Option(help="Ingest's hook as the stand-ins reach it; default INGEST/webhooks/zendesk.")
    ] = "",
    webhook_secret: Annotated[str, typer.Option(envvar="SANDBOX_WEBHOOK_SECRET")] = _D.webhook_key,
    csat_token: Annotated[
        str, typer.Option(envvar="CSAT_API_TOKEN", help="Bearer token of the KPI.")
    ] = CSAT_KEY,
    sfdc_sync: Annotated[
        str, typer.Option(help="Base URL of sfdc-sync's pages; without it nothing is shared.")
    ] = "",
    sfdc_sync_command: Annotated[
        str,
        typer.Option(help="What runs sfdc-sync's commands, such as `sfdc-sync`; without it no plan changes."),
    ] = "",
    notifier: Annotated[
        str,
        typer.Option(
            help="The notifier's HTTP side as the stand-ins reach it; without it no deadline comes."
        ),
    ] = "",
    patience: Annotated[float, typer.Option(help="Seconds to wait for any one effect.")] = 60.0,
    latest: Annotated[float, typer.Option(help="Seconds by which the breach notice may be late.")] = 1.0,
) -> None:
    """Play the demo's support day against running services and verify every effect; non-zero when one is wrong."""
    from sandbox.demo.acts.upgrade import Operator
    from sandbox.demo.run import play as play_day
    from sandbox.demo.world import Addresses, Limits

    addresses = Addresses(ingest, csat, sandbox, webhook_url, webhook_secret, csat_token, sfdc_sync, notifier)
    command = shlex.split(sfdc_sync_command)
    operator = Operator(command, patience=patience) if command else None
    raise typer.Exit(0 if play_day(addresses, Limits(patience, latest), operator) else 1)


if __name__ == "__main__":
    app()
