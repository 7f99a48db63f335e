"""`sync`: accounts to organizations by hand (docs/sfdc-sync.md#organizations)."""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from sfdc_sync.organizations.repository import Repository, Row
from sfdc_sync.organizations.runs import OrganizationSync, RunResult, Stopped, lost_sharing
from sfdc_sync.organizations.saved_plan import (
    ALREADY,
    KEPT,
    MOVED,
    PlanDocument,
    changes_by_field,
    parsed,
    written,
)
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.settings import Settings
from supportops.errors import SupportOpsError
from supportops.operations.on_database import on_database
from supportops.operations.options import Yes, whoami
from supportops.runtime.cli import UNUSABLE, AsJson, Service, execute
from supportops.runtime.output import Report, emit, progress
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store

STATES = ("planned", "done", "refused", MOVED, ALREADY, KEPT, "held")
CHANGES = 2
"""Exit code: there is something to do."""

type Opened = Callable[[Report], AbstractAsyncContextManager[OrganizationSync]]
type OpenSync = Callable[[Settings], Opened]
type Job = Callable[[OrganizationSync], Awaitable[int]]

Create = Annotated[bool, typer.Option("--create", help="Make organizations for accounts that have none.")]


def add_sync_commands(app: typer.Typer, service: Service[Settings, SfdcPolicy], open_sync: OpenSync) -> None:
    """Add `sync` and what belongs to it."""
    group = typer.Typer(invoke_without_command=True, help=_ABOUT)

    def with_sync(job: Job) -> int:
        return execute(service, lambda settings: run_sync(open_sync(settings), job))

    _add_runs(group, with_sync)
    _add_undo_and_delta(group, with_sync)
    _add_lists(group, service)
    _add_rows(group, service)
    _add_brake_and_pin(group, service)
    app.add_typer(group, name="sync")


async def run_sync(opened: Opened, job: Job) -> int:
    """Do `job` with everything open and a progress bar; the exit code."""
    with progress("sync") as report:
        async with opened(report) as sync:
            try:
                return await job(sync)
            except SupportOpsError as error:
                typer.echo(str(error), err=True)
                return FAILED


def _add_runs(group: typer.Typer, with_sync: Callable[[Job], int]) -> None:
    @group.callback()
    def sync(
        context: typer.Context,
        full: Annotated[bool, typer.Option("--full", help="Compare everything and correct it.")] = False,
        plan: Annotated[Path | None, typer.Option(help="Write what would be done to this file.")] = None,
        apply: Annotated[Path | None, typer.Option(help="Do what still holds of this plan.")] = None,
        create: Create = False,
        as_json: AsJson = False,
    ) -> None:
        """Bring Zendesk's organizations in line with Salesforce's accounts.

        Exit codes: 0 nothing (left) to do, 1 an error, a refused row or the brake, 2 a plan with changes.
        """
        if context.invoked_subcommand is not None:
            return
        if sum(map(bool, (full, plan, apply))) != 1:
            raise typer.BadParameter("give one of --full, --plan FILE and --apply FILE, or a command")
        if plan is not None:
            _writable(plan)
            raise typer.Exit(with_sync(lambda found: _plan(found, plan, create=create, as_json=as_json)))
        if apply is not None:
            document = _document(apply)
            raise typer.Exit(
                with_sync(lambda found: show_result(found.apply(document, whoami()), as_json=as_json))
            )
        raise typer.Exit(
            with_sync(lambda found: show_result(found.full("bulk", whoami(), create=create), as_json=as_json))
        )


def _add_undo_and_delta(group: typer.Typer, with_sync: Callable[[Job], int]) -> None:
    @group.command()
    def undo(
        run_id: Annotated[str, typer.Argument(help="The run: see `sync runs`.")], as_json: AsJson = False
    ) -> None:
        """Put back what a run changed and nobody has touched since. What it created stays."""
        raise typer.Exit(with_sync(lambda found: show_result(found.undo(run_id, whoami()), as_json=as_json)))

    @group.command()
    def delta(as_json: AsJson = False) -> None:
        """What the worker does every hour: what changed since the last run."""
        raise typer.Exit(with_sync(lambda found: show_result(found.delta(whoami()), as_json=as_json)))


def _add_lists(group: typer.Typer, service: Service[Settings, SfdcPolicy]) -> None:
    @group.command()
    def marked(as_json: AsJson = False) -> None:
        """Organizations without an account, marked for review. Nothing is ever deleted."""

        async def show(store: Store) -> int:
            rows = await Repository(store).marked()
            emit(
                [_shown(row, "organization_id", "name", "account_id", "seen_at") for row in rows],
                as_json=as_json,
            )
            return CLEAN

        raise typer.Exit(on_database(service, show))

    @group.command()
    def runs(
        limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 20,
        as_json: AsJson = False,
    ) -> None:
        """The last runs, the newest first."""

        async def show(store: Store) -> int:
            names = (
                "run_id",
                "kind",
                "state",
                "started_by",
                "started_at",
                "finished_at",
                "counts",
                "stopped_by",
                "reason",
            )
            rows = await Repository(store).runs(limit)
            emit([_shown(row, *names) for row in rows], as_json=as_json)
            return CLEAN

        raise typer.Exit(on_database(service, show))


def _add_rows(group: typer.Typer, service: Service[Settings, SfdcPolicy]) -> None:
    @group.command()
    def rows(
        about: Annotated[str, typer.Argument(help="Id of a run, an organization or an account.")],
        state: Annotated[str | None, typer.Option(help="Only rows in this state.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """What runs did about it in the last 30 days; exit code 1 when that is nothing."""
        if state is not None and state not in STATES:
            raise typer.BadParameter(f"{state!r}: one of {', '.join(STATES)}", param_hint="--state")

        async def show(store: Store) -> int:
            found = await Repository(store).rows_about(about, state)
            names = (
                "at",
                "run_id",
                "action",
                "rule",
                "organization_id",
                "account_id",
                "name",
                "changes",
                "state",
                "reason",
            )
            emit([_shown(row, *names) for row in found], as_json=as_json)
            if not found:
                typer.echo(f"no run of the last 30 days has a row about {about!r}: see `sync runs`", err=True)
            return CLEAN if found else FAILED

        raise typer.Exit(on_database(service, show))


def _add_brake_and_pin(group: typer.Typer, service: Service[Settings, SfdcPolicy]) -> None:
    @group.command("release-brake")
    def release_brake(
        reason: Annotated[str, typer.Option(help="Why the next run may go past the brake.")],
        by: Annotated[str | None, typer.Option(help="Who says so; default: who is logged in here.")] = None,
        as_json: AsJson = False,
    ) -> None:
        """Lift the brake for one run: the next that it would stop, within a day. Then it is armed again."""
        if len(reason.strip()) < 5:
            raise typer.BadParameter("say why, in a few words", param_hint="--reason")

        async def release(store: Store) -> int:
            who = by or whoami()
            await Repository(store).release_brake(who, reason.strip())
            if as_json:
                emit({"lifted": True, "by": who, "reason": reason.strip()}, as_json=True)
            else:
                typer.echo("lifted for the next run that it would stop, within a day")
            return CLEAN

        raise typer.Exit(on_database(service, release))

    @group.command()
    def pin(yes: Yes = False, as_json: AsJson = False) -> None:
        """Forget which Salesforce org was read: the next run remembers the one that it finds."""
        if not yes:
            typer.confirm("Read another Salesforce org from now on?", abort=True, err=True)

        async def forget(store: Store) -> int:
            await Repository(store).unpin("salesforce")
            if as_json:
                emit({"forgotten": "salesforce"}, as_json=True)
            return CLEAN

        raise typer.Exit(on_database(service, forget))


async def _plan(sync: OrganizationSync, file: Path, *, create: bool, as_json: bool) -> int:
    document = await sync.plan(whoami(), create=create)
    _save(document, file)
    emit(summary(document), as_json=as_json, title=f"Plan, written to {file}")
    return CHANGES if document.plan.writes else CLEAN


def _save(document: PlanDocument, file: Path) -> None:
    file.write_bytes(written(document))


async def show_result(work: Awaitable[RunResult], *, as_json: bool) -> int:
    """Print how a run ended; the exit code."""
    try:
        result = await work
    except Stopped as stopped:
        if as_json:
            emit(
                {"run_id": stopped.run_id, "state": "stopped", "brake": list(map(str, stopped.tripped))},
                as_json=True,
            )
        raise
    shown = {"run_id": result.run_id, "state": result.state, **result.counts}
    lists = {"left alone": result.moved, "lost sharing": result.sharing}
    emit(shown | {name: list(lines) for name, lines in lists.items() if lines}, as_json=as_json, title="Run")
    return FAILED if result.refused else CLEAN


def summary(document: PlanDocument) -> dict[str, object]:
    """What is told of a plan on the command line; the file has the rest."""
    told: dict[str, object] = dict(document.plan.counts)
    told |= {f"changes of {key}": count for key, count in changes_by_field(document.plan).items()}
    told |= {f"lost sharing {at}": each for at, each in enumerate(lost_sharing(document.plan), 1)}
    return told | {f"brake {at}": each for at, each in enumerate(document.would_stop, 1)}


def _writable(file: Path) -> None:
    """Raises typer.BadParameter where no plan can be written: a run over everything comes before it."""
    if file.is_dir():
        raise typer.BadParameter(f"{file} is a folder: name a file", param_hint="--plan")
    if not file.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}: make it first", param_hint="--plan")
    if not os.access(file if file.exists() else file.parent, os.W_OK):
        raise typer.BadParameter(f"{file} may not be written by {whoami()}", param_hint="--plan")


def _document(file: Path) -> PlanDocument:
    try:
        return parsed(file.read_bytes())
    except (OSError, SupportOpsError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        typer.echo(f"{file}: {told}", err=True)
        raise typer.Exit(UNUSABLE) from error


def _shown(row: Row, *names: str) -> dict[str, object]:
    return {name: row[name] for name in names}


_ABOUT = "Bring Zendesk's organizations in line with Salesforce's accounts."
