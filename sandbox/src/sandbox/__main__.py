"""`sandbox serve`: the stand-ins as a process."""

from typing import Annotated

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


@app.command()
def serve(  # noqa: PLR0913 - each is an option of the command line
    host: Annotated[str, typer.Option(envvar="SANDBOX_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="SANDBOX_PORT", help="Port to listen on.")] = 9400,
    public_url: Annotated[
        str, typer.Option(envvar="SANDBOX_PUBLIC_URL", help="How others reach it; default http://HOST:PORT.")
    ] = "",
    account_id: Annotated[
        int, typer.Option(envvar="SANDBOX_ACCOUNT_ID", help="Zendesk account id in event bodies.")
    ] = _D.account_id,
    zendesk_email: Annotated[
        str, typer.Option(envvar="SANDBOX_ZENDESK_EMAIL", help="The integration user's e-mail.")
    ] = _D.zendesk_email,
    zendesk_token: Annotated[
        str,
        typer.Option(envvar="SANDBOX_ZENDESK_TOKEN", help="API token (Basic email/token:TOKEN, or Bearer)."),
    ] = _D.zendesk_key,
    webhook_secret: Annotated[
        str,
        typer.Option(
            envvar="SANDBOX_WEBHOOK_SECRET", help="Signing secret of webhooks registered without one."
        ),
    ] = _D.webhook_key,
    slack_token: Annotated[
        str, typer.Option(envvar="SANDBOX_SLACK_TOKEN", help="Bot token that the Slack stand-in accepts.")
    ] = _D.slack_key,
    gitlab_token: Annotated[
        str, typer.Option(envvar="SANDBOX_GITLAB_TOKEN", help="Token that the GitLab stand-in accepts.")
    ] = _D.gitlab_key,
    salesforce_client: Annotated[
        str, typer.Option(envvar="SANDBOX_SALESFORCE_CLIENT", help="Client id of the connected app.")
    ] = _D.salesforce_client,
    salesforce_secret: Annotated[
        str, typer.Option(envvar="SANDBOX_SALESFORCE_SECRET", help="Client secret of the connected app.")
    ] = _D.salesforce_key,
    log_level: Annotated[
        str, typer.Option(envvar="SANDBOX_LOG_LEVEL", help="uvicorn's level: warning, info, debug.")
    ] = "warning",
) -> None:
    """Listen until SIGTERM: /zendesk, /salesforce, /slack, /gitlab, /control, and a page at /."""
    from sandbox.server import serve as listen  # --help must not need uvicorn

    settings = Settings(
        account_id=account_id,
        zendesk_email=zendesk_email,
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
    patience: Annotated[float, typer.Option(help="Seconds to wait for any one effect.")] = 60.0,
) -> None:
    """Play the demo's support day against running services and verify every effect; non-zero when one is wrong."""
    from sandbox.demo.run import play as play_day
    from sandbox.demo.world import Addresses

    addresses = Addresses(ingest, csat, sandbox, webhook_url, webhook_secret, csat_token)
    raise typer.Exit(0 if play_day(addresses, patience) else 1)


if __name__ == "__main__":
    app()
