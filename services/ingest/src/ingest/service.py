"""ingest as its command line knows it. What a process works with is loaded when it starts (decision 190)."""

from typing import TYPE_CHECKING

from ingest.settings import Settings
from supportops.loading import loading
from supportops.runtime.cli import Service

if TYPE_CHECKING:
    from ingest.policy import IngestPolicy
    from supportops.config.rules_file import Section


def policy() -> "Section[IngestPolicy]":
    """ingest's section of the rules."""
    from ingest.wiring import POLICY

    return POLICY


async def serve(settings: Settings) -> int:
    """HTTP side and workers in one process."""
    with loading():
        from ingest import wiring

    return await wiring.serve(settings)


SERVICE = Service(
    name="ingest",
    about="Takes Zendesk's webhooks, keeps every byte, and publishes events to Kafka.",
    package="ingest",
    settings=Settings,
    policy=policy,
    serve=serve,
    run=serve,
)
