"""`rewrite` and `verify`: what an operator asks of records."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from sfdc_sync.operations.verify import Verification
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.settings import Settings
from sfdc_sync.ticket_records import repository
from supportops.clock import SystemClock
from supportops.errors import SupportOpsError
from supportops.operations.on_database import on_database
from supportops.operations.options import past_moment_of
from supportops.runtime.cli import AnyService, AsJson, Service, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
"""Zendesk is younger; its export counts seconds since 1970 and knows none before."""
DIFFERENCES = 2
"""Exit code: something differs."""

type OpenVerification = Callable[[Settings], AbstractAsyncContextManager[Verification]]


def add_commands(app: typer.Typer, service: AnyService) -> None:
    """Add the commands of this file to sfdc-sync's command line."""

    @app.command()
    def rewrite(
        ticket_ids: Annotated[list[str] | None, typer.Argument(help="Zendesk's ticket ids.")] = None,
        given_up: Annotated[
            bool, typer.Option("--given-up", hidden=True, help="Now `deliveries retry --all`.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Write the records of these tickets once more, whatever Salesforce holds; the running worker does it.

        Exit code 1 when none of them is known. What was given up on: `deliveries retry`.
        """

        async def again(store: Store) -> int:
            async with store.transaction() as tx:
                wanted = {*(ticket_ids or ()), *(await repository.given_up(tx) if given_up else ())}
                queued = await repository.write_again(tx, wanted)
            emit([{"ticket": ticket_id, "queued": True} for ticket_id in queued], as_json=as_json)
            return CLEAN if queued or given_up else FAILED

        raise typer.Exit(on_database(service, again))


def add_verify(app: typer.Typer, service: Service[Settings, SfdcPolicy], opened: OpenVerification) -> None:
    """Add `verify`, which reads both sides."""

    @app.command()
    def verify(
        since: Annotated[
            str,
            typer.Option(help="Tickets that changed since then: a length of time (7d) or a moment in UTC."),
        ] = "7d",
        repair: Annotated[
            bool, typer.Option("--repair", help="Have the worker write exactly the records that differ.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Compare tickets with their records, both read afresh: each difference with both values and why.

        Exit codes: 0 nothing differs, 1 an error, 2 differences (also when they are being mended).
        """
        raise typer.Exit(
            execute(
                service, lambda settings: _verify(opened(settings), since, repair=repair, as_json=as_json)
            )
        )


async def _verify(
    opened: AbstractAsyncContextManager[Verification], since: str, *, repair: bool, as_json: bool
) -> int:
    start = _start(since)
    async with opened as verification:
        try:
            result = await verification.run(start, repair=repair)
        except SupportOpsError as error:
            typer.echo(str(error), err=True)
            return FAILED
    mended = set(result.mended)
    rows = [
        asdict(each) | ({"repair": "queued" if each.ticket_id in mended else "no"} if repair else {})
        for each in result.found
    ]
    emit(rows, as_json=as_json, title="Differences")
    words = f"{result.tickets} tickets compared, {len(result.found)} differences"
    older = (
        f"; {result.older} values changed after the last write and are written with the next"
        if result.older
        else ""
    )
    typer.echo(f"{words}{older}", err=True)
    return DIFFERENCES if result.found else CLEAN


def _start(since: str) -> datetime:
    """The moment that `--since` means; BadParameter for one that Zendesk's export does not know."""
    start = past_moment_of(since, SystemClock().now())
    if start < FIRST_MOMENT:
        raise typer.BadParameter(
            f"{since!r} is before {FIRST_MOMENT:%Y}, the first year there is", param_hint="--since"
        )
    return start
