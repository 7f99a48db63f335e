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
from supportops.operations.options import past_moment_of
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
        read: Annotated[bool, typer.Option(help="Ask Zendesk for facts that no rule looked at then.")] = True,
        as_json: AsJson = False,
    ) -> None:
        """Show which messages changed rules would have gained, lost and moved; exit 1 when they would leak.

        A leak: something confidential would come to a channel that is public, shared, or cannot be asked about; or a
        feed is marked for it that goes into such a channel; or forms are secret no more.
        """
        try:
            changed = service.policy().load(rules)
        except ConfigError as error:
            typer.echo(f"notifier: {error}", err=True)
            raise typer.Exit(UNUSABLE) from None

        async def compare(settings: Settings) -> int:
            in_force = service.load_policy(settings)
            async with open_context(settings, changed) as context:
                now, facts_now = context.store.clock.now(), context.lookups if read else None
                moment = past_moment_of(since, now)
                found = await backtest(context.store, changed, moment, in_force=in_force, facts_now=facts_now)
                leaks = await leaks_of(found, changed, in_force, context.channels)
            document = found.document() | {"leaks": leaks}
            emit(document, as_json=as_json, title=f"Rules {changed.version} since {since}")
            for channel, why in leaks.items():
                typer.echo(f"notifier: LEAK into {channel}: {why}", err=True)
            return FAILED if leaks else CLEAN

        raise typer.Exit(execute(service, compare))


async def leaks_of(
    found: Backtest, changed: NotifierPolicy, in_force: NotifierPolicy, channels: ChannelDirectory
) -> dict[str, str]:
    """The channels that would show something confidential and are not closed, each with why.

    Also those that would show it one day: what comes to a feed that is marked for it, and tickets of forms that were
    secret until now, need not have happened in the days that are looked at.
    """
    leaks = {}
    for channel, dangers in sorted(_dangers(found, changed, in_force).items()):
        if (why := await channels.why_open(channel)) is not None:
            leaks[channel] = f"{', '.join(dangers)}, and {why}"
    return leaks


def _dangers(found: Backtest, changed: NotifierPolicy, in_force: NotifierPolicy) -> dict[str, list[str]]:
    """By channel what confidential could come to it."""
    dangers: dict[str, list[str]] = {}
    for channel, count in found.leaks.items():
        dangers.setdefault(channel, []).append(f"{count} confidential messages")
    no_more = [word for word in in_force.never_forms if not changed.is_secret(word)]
    for feed in changed.feeds:
        marks = [mark for mark in ("private_comments", "secret_forms") if getattr(feed, mark)]
        said = [f"{feed.name} is marked {mark}" for mark in marks]
        said += [f"forms with {word!r} are secret no more" for word in no_more]
        if said:
            dangers.setdefault(feed.channel, []).extend(said)
    return {channel: list(dict.fromkeys(said)) for channel, said in dangers.items()}
