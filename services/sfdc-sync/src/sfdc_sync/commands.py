"""The operators' commands of sfdc-sync."""

import typer

from sfdc_sync import wiring
from sfdc_sync.operations.commands import add_commands as add_record_commands
from sfdc_sync.operations.commands import add_verify
from sfdc_sync.operations.doctor import checks
from sfdc_sync.operations.explain import explain_subject
from sfdc_sync.operations.integrity_commands import add_check_command
from sfdc_sync.operations.organization_commands import add_sync_commands
from sfdc_sync.operations.sharing_commands import add_sharing_commands
from sfdc_sync.service import SERVICE
from supportops.operations.commands import Operations, add_operations
from supportops.web.auth.commands import add_login_commands

OPERATIONS = Operations(
    explain=explain_subject, checks=checks, group=wiring.GROUP, metavar="TICKET|ACCOUNT|ORGANIZATION"
)


def add_commands(app: typer.Typer) -> None:
    """Add them to sfdc-sync's command line."""
    add_operations(app, SERVICE, OPERATIONS)
    add_record_commands(app, SERVICE)
    add_verify(app, SERVICE, wiring.open_verification)
    add_sharing_commands(app, SERVICE)
    add_login_commands(app, SERVICE.name)
    add_sync_commands(app, SERVICE, wiring.open_sync)
    add_check_command(app, SERVICE, wiring.open_integrity, wiring.open_sync)
