"""Destinations whose breaker is open: `doctor` names them, `deliveries resume` closes one by hand."""

from collections.abc import Iterable
from typing import Annotated

import typer

from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.delivery.outages.readiness import holds_somebody_up, standing
from supportops.delivery.outages.rows import breakers_of, resume
from supportops.operations.checks import Check, Finding
from supportops.operations.on_database import on_database
from supportops.runtime.cli import AnyService, AsJson
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store, open_store

_REMEDY = "See its `deliveries list`; once it is mended, `deliveries resume DESTINATION` spares the wait."


def add_resume_command(group: typer.Typer, service: AnyService) -> None:
    """Add `resume` to the group `deliveries`."""

    @group.command("resume")
    def resume_one(
        destination: Annotated[str, typer.Argument(help="As `doctor` and `/readyz` name it.")],
        as_json: AsJson = False,
    ) -> None:
        """Let a destination that waits be called again at once; exit code 1 when nothing held it."""

        async def close(store: Store) -> int:
            before = await resume(store, destination)
            if before is None:
                typer.echo(f"{service.name}: nothing holds {destination!r}", err=True)
                return FAILED
            was = standing(before, store.clock.now())
            emit([{"destination": destination, "resumed": True, "it was": was}], as_json=as_json)
            return CLEAN

        raise typer.Exit(on_database(service, close))


def destinations_check(settings: DatabaseSettings) -> Check:
    """What the breakers say: which destinations wait or refuse everything, since when and why."""

    async def look() -> Iterable[Finding]:
        async with open_store(settings, clock=SystemClock()) as store:
            now = store.clock.now()
            held = [each for each in await breakers_of(store) if await holds_somebody_up(store, each, now)]
        found = [
            Finding(f"destination {each.destination}", "failed", standing(each, now), _REMEDY)
            for each in held
        ]
        return found or [Finding("destinations", "ok", "none waits")]

    return Check("destinations", look, "See the check `database`.")
