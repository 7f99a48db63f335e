"""What operators do about the past on the command line: `backfill` brings it in, `erase` takes a person out of it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

import typer

from csat.policy.csat import CsatPolicy
from csat.ratings.erase import ELSEWHERE, Erased, erase
from csat.settings import Settings
from supportops.config import DatabaseCommandSettings
from supportops.runtime.cli import AsJson, Service, execute, execute_with
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN

DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and count everything, write nothing.")]
DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


class BringIn(Protocol):
    """Reads history from Zendesk into the database; what it counted, by name."""

    async def __call__(
        self, settings: Settings, since: datetime, until: datetime | None, *, dry_run: bool
    ) -> dict[str, int]: ...


def add_history_commands(
    app: typer.Typer, service: Service[Settings, CsatPolicy], bring_in_history: BringIn
) -> None:
    """Add the commands of this file to csat's command line."""
    _add_backfill(app, service, bring_in_history)
    _add_erase(app, service)


def _add_backfill(
    app: typer.Typer, service: Service[Settings, CsatPolicy], bring_in_history: BringIn
) -> None:
    @app.command()
    def backfill(
        since: Annotated[
            datetime, typer.Option(formats=DAYS, help="What was solved or rated from then on (UTC).")
        ],
        until: Annotated[
            datetime | None, typer.Option(formats=DAYS, help="… and before then (UTC); default: now.")
        ] = None,
        dry_run: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        """Bring history in from Zendesk for the numbers: ratings, and solved tickets by the incremental export.

        Nobody is surveyed and nobody is told. Stopped in the middle, the same command goes on where it was; run once
        more it adds nothing twice. Plan, region and names are what they are now: Zendesk does not keep the past ones.
        """
        begin = since.replace(tzinfo=UTC)
        end = until.replace(tzinfo=UTC) if until is not None else None
        if begin > datetime.now(UTC) - timedelta(minutes=2):
            raise typer.BadParameter("must be in the past, by two minutes at least", param_hint="--since")
        if end is not None and end <= begin:
            raise typer.BadParameter("must be later than --since", param_hint="--until")

        async def bring_in(settings: Settings) -> int:
            counts = await bring_in_history(settings, begin, end, dry_run=dry_run)
            emit(_counted(counts, dry_run), as_json=as_json, title="Backfill")
            return CLEAN

        raise typer.Exit(execute(service, bring_in))


def _add_erase(app: typer.Typer, service: Service[Settings, CsatPolicy]) -> None:
    @app.command("erase")
    def erase_person(
        requester: Annotated[str, typer.Option(help="The person's user id in Zendesk.")],
        dry_run: DryRun = False,
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Remove one person's data from csat's database: comments, ids, links, surveys that are still to come.

        The numbers stay what they are. Says what was removed, and where else the person may be found.
        """
        if not (requester.isascii() and requester.isdigit()):
            raise typer.BadParameter("must be an id: digits only", param_hint="--requester")
        if not (dry_run or yes):
            typer.confirm(
                f"Remove what csat holds of requester {requester}? There is no way back.", abort=True
            )

        async def erase_them(settings: DatabaseCommandSettings) -> int:
            async with service.open_database(settings) as store:
                erased = await erase(store, requester, dry_run=dry_run)
            _show(erased, dry_run=dry_run, as_json=as_json)
            return CLEAN

        raise typer.Exit(execute_with(service, DatabaseCommandSettings, erase_them))


def _counted(counts: dict[str, int], dry_run: bool) -> dict[str, object]:
    names = ("ratings_read", "ratings_added", "tickets_read", "tickets_added")
    return {**{name: counts.get(name, 0) for name in names}, "dry_run": dry_run}


def _show(erased: Erased, *, dry_run: bool, as_json: bool) -> None:
    removed = [{"what": what, "rows": rows} for what, rows in erased.removed.items() if rows]
    elsewhere = [*(f"GitLab: {url}" for url in erased.issues), *ELSEWHERE]
    if as_json:
        document = {
            "requester_id": erased.requester_id,
            "dry_run": dry_run,
            "tickets": erased.tickets,
            "removed": removed,
            "opt_out_kept": erased.opted_out,
            "in_flight": erased.in_flight,
            "elsewhere": elsewhere,
        }
        emit(document, as_json=True)
        return
    would = "would be removed" if dry_run else "removed"
    if removed:
        emit(removed, as_json=False, title=f"Requester {erased.requester_id}: {would}")
    else:
        typer.echo(f"nothing of requester {erased.requester_id} is there")
    if erased.opted_out:
        typer.echo("kept: the bare id, since the person asked not to be surveyed any more")
    if erased.in_flight:
        typer.echo(f"{erased.in_flight} calls are being made right now: run this again in a minute")
    typer.echo("look also at:")
    for place in elsewhere:
        typer.echo(f"  - {place}")
