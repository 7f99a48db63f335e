"""sfdc-sync as its command line knows it. What a process works with is loaded when it starts (decision 190)."""

from typing import TYPE_CHECKING

from sfdc_sync.settings import Settings, WebSettings
from supportops.loading import loading
from supportops.runtime.cli import Service

if TYPE_CHECKING:
    from sfdc_sync.policy.sfdc import SfdcPolicy
    from supportops.config.rules_file import Section


def policy() -> "Section[SfdcPolicy]":
    """sfdc-sync's section of the rules."""
    from sfdc_sync.wiring import POLICY

    return POLICY


async def serve(settings: WebSettings) -> int:
    """The operators' pages."""
    with loading():
        from sfdc_sync import processes

    return await processes.serve(settings)


async def work(settings: Settings) -> int:
    """The worker."""
    with loading():
        from sfdc_sync import processes

    return await processes.work(settings)


async def run(settings: Settings) -> int:
    """Both."""
    with loading():
        from sfdc_sync import processes

    return await processes.run(settings)


SERVICE = Service(
    name="sfdc-sync",
    about="Keeps Salesforce's ticket records in step with Zendesk.",
    settings=Settings,
    package="sfdc_sync",
    policy=policy,
    serve=serve,
    serve_settings=WebSettings,
    work=work,
    run=run,
)
