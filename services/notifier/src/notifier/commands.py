"""The operators' commands of the notifier."""

import typer

from notifier import wiring
from notifier.operations.backtest_commands import add_backtest_command
from notifier.operations.doctor import checks
from notifier.operations.explain import explain_ticket
from notifier.operations.preview_commands import add_preview_command
from notifier.operations.promises import add_promises
from notifier.operations.silence_commands import add_silence_commands
from notifier.service import SERVICE
from supportops.operations.commands import Operations, add_operations
from supportops.web.auth.commands import add_login_commands

OPERATIONS = Operations(explain=explain_ticket, checks=checks, group=wiring.GROUP, old_names=("post-again",))


def add_commands(app: typer.Typer) -> None:
    """Add them to the notifier's command line."""
    add_login_commands(app, SERVICE.name)
    add_operations(app, SERVICE, OPERATIONS)
    add_silence_commands(app, SERVICE)
    add_preview_command(app, SERVICE, wiring.open_for_command)
    add_backtest_command(app, SERVICE, wiring.open_for_command)
    add_promises(app, SERVICE)
