"""`notifier backtest`: changed routing rules against what really happened, before they are put in force."""

from pathlib import Path
from typing import Annotated

import typer

from notifier.operations.backtest import Backtest, backtest
from notifier.operations.preview_commands import OpenContext
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.channels import ChannelDirectory
from notifier.settings import Settings
from supportops.config.rules_file import ConfigError
from supportops.operations.options import moment_of
from supportops.runtime.cli import UNUSABLE, AsJson, Service, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED


def add_backtest_command(
    app: typer.Typer, service: Service[Settings, NotifierPolicy], open_context: OpenContext
) -> None:
    """Add `backtest` to the notifier's command line."""

    @app.command("backtest")
    def command(
        rules: Annotated[Path, typer.Option(help="The changed rules' file.")],
        since: Annotated[
            str, typer.Option(help="How far back: a length of time or a moment in UTC.")
        ] = "14d",
        as_json: AsJson = False,
    ) -> None:
        """Show which messages changed rules would have gained, lost and moved; exit 1 when they would leak.

        A leak: something confidential would come to a channel that is public, shared, or cannot be asked about.
        """
        try:
            changed = service.policy.load(rules)
        except ConfigError as error:
            typer.echo(f"notifier: {error}", err=True)
            raise typer.Exit(UNUSABLE) from None

        async def compare(settings: Settings) -> int:
            async with open_context(settings, service.load_policy(settings)) as context:
                moment = moment_of(since, context.store.clock.now())
                async with context.store.reading() as conn:
                    found = await backtest(conn, changed, moment or context.store.clock.now())
                leaks = await leaks_of(found, context.channels)
            document = found.document() | {"leaks": leaks}
            emit(document, as_json=as_json, title=f"Rules {changed.version} since {since}")
            for channel, why in leaks.items():
                typer.echo(f"notifier: LEAK into {channel}: {why}", err=True)
            return FAILED if leaks else CLEAN

        raise typer.Exit(execute(service, compare))


async def leaks_of(found: Backtest, channels: ChannelDirectory) -> dict[str, str]:
    """The channels that would newly get something confidential and are not closed, each with why."""
    leaks = {}
    for channel, count in sorted(found.leaks.items()):
        if (why := await channels.why_open(channel)) is not None:
            leaks[channel] = f"{count} confidential messages, and {why}"
    return leaks
