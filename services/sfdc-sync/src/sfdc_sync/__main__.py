"""The command line of sfdc-sync."""

from sfdc_sync import wiring
from sfdc_sync.operations.commands import add_commands, add_verify
from sfdc_sync.operations.doctor import checks
from sfdc_sync.operations.explain import explain_subject
from sfdc_sync.operations.integrity_commands import add_check_command
from sfdc_sync.operations.organization_commands import add_sync_commands
from sfdc_sync.operations.sharing_commands import add_sharing_commands
from sfdc_sync.settings import Settings, WebSettings
from supportops.operations.commands import Operations, add_operations
from supportops.runtime.cli import Service, build_app
from supportops.web.auth.commands import add_login_commands


async def serve(settings: WebSettings) -> int:
    """The operators' pages."""
    from sfdc_sync import processes  # what it needs, commands do not load

    return await processes.serve(settings)


async def work(settings: Settings) -> int:
    """The worker."""
    from sfdc_sync import processes

    return await processes.work(settings)


async def run(settings: Settings) -> int:
    """Both."""
    from sfdc_sync import processes

    return await processes.run(settings)


SERVICE = Service(
    name="sfdc-sync",
    about="Keeps Salesforce's ticket records in step with Zendesk.",
    settings=Settings,
    package="sfdc_sync",
    policy=wiring.POLICY,
    serve=serve,
    serve_settings=WebSettings,
    work=work,
    run=run,
)
app = build_app(SERVICE)
add_operations(
    app,
    SERVICE,
    Operations(
        explain=explain_subject, checks=checks, group=wiring.GROUP, metavar="TICKET|ACCOUNT|ORGANIZATION"
    ),
)
add_commands(app, SERVICE)
add_verify(app, SERVICE, wiring.open_verification)
add_sharing_commands(app, SERVICE)
add_login_commands(app, SERVICE.name)
add_sync_commands(app, SERVICE, wiring.open_sync)
add_check_command(app, SERVICE, wiring.open_integrity, wiring.open_sync)


if __name__ == "__main__":
    app()
