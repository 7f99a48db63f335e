"""The notifier as its command line knows it. What a process works with is loaded when it starts (decision 190)."""

from typing import TYPE_CHECKING

from notifier.settings import Settings, WebSettings
from supportops.loading import loading
from supportops.runtime.cli import Service

if TYPE_CHECKING:
    from notifier.policy.notifier import NotifierPolicy
    from supportops.config.rules_file import Section


def policy() -> "Section[NotifierPolicy]":
    """The notifier's section of the rules."""
    from notifier.wiring import POLICY

    return POLICY


async def serve(settings: WebSettings) -> int:
    """The HTTP side."""
    with loading():
        from notifier import wiring

    return await wiring.serve(settings)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor."""
    with loading():
        from notifier import wiring

    return await wiring.work(settings)


async def run(settings: Settings) -> int:
    """Both in one process."""
    with loading():
        from notifier import wiring

    return await wiring.run(settings)


SERVICE = Service(
    name="notifier",
    about="Tells the right Slack channel at the right second.",
    settings=Settings,
    serve=serve,
    serve_settings=WebSettings,
    work=work,
    run=run,
    package="notifier",
    policy=policy,
)
