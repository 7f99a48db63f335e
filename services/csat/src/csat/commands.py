"""The operators' commands of csat."""

import typer

from csat import wiring
from csat.kpi.commands import add_kpi_commands
from csat.operations.doctor import checks
from csat.operations.timeline_text import explain_ticket
from csat.ratings.commands import add_history_commands
from csat.service import SERVICE
from supportops.operations.commands import Operations, add_operations
from supportops.web.auth.commands import add_login_commands


def add_commands(app: typer.Typer) -> None:
    """Add them to csat's command line."""
    add_operations(app, SERVICE, Operations(explain=explain_ticket, checks=checks, group=wiring.GROUP))
    add_history_commands(app, SERVICE, wiring.backfill)
    add_login_commands(app, SERVICE.name)
    add_kpi_commands(app, SERVICE)
