"""csat as its command line knows it. What a process works with is loaded when it starts (decision 190)."""

from typing import TYPE_CHECKING

from csat.settings import Settings, WebSettings
from supportops.loading import loading
from supportops.runtime.cli import Service

if TYPE_CHECKING:
    from csat.policy.csat import CsatPolicy
    from supportops.config.rules_file import Section


def policy() -> "Section[CsatPolicy]":
    """csat's section of the rules."""
    from csat.wiring import POLICY

    return POLICY


async def serve(settings: WebSettings) -> int:
    """The survey page and the API; its votes are published by a relay of its own."""
    with loading():
        from csat import wiring

    return await wiring.serve(settings)


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor."""
    with loading():
        from csat import wiring

    return await wiring.work(settings)


async def run(settings: Settings) -> int:
    """Both in one process."""
    with loading():
        from csat import wiring

    return await wiring.run(settings)


SERVICE = Service(
    name="csat",
    about="Asks for a rating a day after a ticket is solved, takes the votes and computes the CSAT KPI.",
    package="csat",
    settings=Settings,
    policy=policy,
    serve=serve,
    serve_settings=WebSettings,
    work=work,
    run=run,
)
