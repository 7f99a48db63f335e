"""The operators' commands of ingest."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

import typer

from ingest import wiring
from ingest.operations import spool as spool_operations
from ingest.operations.doctor import checks
from ingest.operations.explain import explain_ticket
from ingest.service import SERVICE
from ingest.settings import Settings
from ingest.webhooks import repository
from ingest.webhooks.parse import Account, Disposition
from ingest.webhooks.repository import Replay, WebhookFilter
from ingest.webhooks.spool import Spool
from supportops.clock import SystemClock
from supportops.contracts import GROUPS
from supportops.operations.commands import Operations, add_operations
from supportops.operations.on_database import on_database
from supportops.operations.options import SinceText, moment_of
from supportops.runtime.cli import AsJson, DryRun, execute
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store
from supportops.web.auth.commands import add_login_commands

parked = typer.Typer(no_args_is_help=True, help="Bodies of ours that could not be read: look, mend, replay.")
spool = typer.Typer(no_args_is_help=True, help="Bodies on the local disk while the database is away.")

UntilText = Annotated[
    str | None, typer.Option("--until", help="Nothing from then on: a length of time or a moment, as above.")
]
Ticket = Annotated[str | None, typer.Option(help="Only webhooks of this ticket.")]
Key = Annotated[str, typer.Argument(help="The key of a webhook, as `parked list` shows it.")]
Job = Callable[[Store, Account], Awaitable[int]]


def add_commands(app: typer.Typer) -> None:
    """Add them to ingest's command line."""
    add_login_commands(app, SERVICE.name)
    add_operations(app, SERVICE, Operations(explain=explain_ticket, checks=checks))
    app.add_typer(parked, name="parked")
    app.add_typer(spool, name="spool")
    app.command()(counts)
    app.command()(replay)


def _run(job: Job) -> None:
    async def with_log(settings: Settings) -> int:
        account = wiring.account_of(settings.ingest, SERVICE.load_policy(settings))
        async with SERVICE.open_database(settings) as store:
            return await job(store, account)

    raise typer.Exit(execute(SERVICE, with_log))


def counts(as_json: AsJson = False) -> None:
    """How many webhooks there are, by disposition and type."""

    async def job(store: Store) -> int:
        async with store.reading() as conn:
            emit(await repository.counts(conn), as_json=as_json, title="Webhooks by disposition and type")
        return CLEAN

    raise typer.Exit(on_database(SERVICE, job))


@spool.command("list")
def spool_list(as_json: AsJson = False) -> None:
    """Segments that wait for the database, and those set aside because some of their bytes could not be read."""

    async def with_log(settings: Settings) -> int:
        rows = spool_operations.listed(Spool(settings.ingest.spool_dir))
        emit(rows, as_json=as_json, title=f"Segments in {settings.ingest.spool_dir}")
        return CLEAN

    raise typer.Exit(execute(SERVICE, with_log))


@parked.command("list")
def parked_list(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Which bodies are parked, and why."""

    async def job(store: Store) -> int:
        async with store.reading() as conn:
            rows = await repository.listed(conn, WebhookFilter(disposition="parked"), limit)
        emit(rows, as_json=as_json, title="Parked webhooks")
        return CLEAN

    raise typer.Exit(on_database(SERVICE, job))


@parked.command("show")
def parked_show(key: Key, as_json: AsJson = False) -> None:
    """One webhook with its headers and its body (personal data: for the eyes of who mends it)."""

    async def job(store: Store) -> int:
        async with store.reading() as conn:
            row = await repository.one(conn, key)
        if row is None:
            typer.echo(f"ingest: there is no webhook with the key {key!r}", err=True)
            return FAILED
        emit(row | {"body": row["body"].decode("utf-8", "backslashreplace")}, as_json=as_json, title=key)
        return CLEAN

    raise typer.Exit(on_database(SERVICE, job))


@parked.command("replay")
def parked_replay(
    key: Annotated[str | None, typer.Argument(help="One webhook; without it all that are parked.")] = None,
    as_trigger: Annotated[
        bool,
        typer.Option("--as-trigger", help="Read them as bodies of triggers that posted to the other path."),
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Read parked bodies again, after a fix; what can be read now is published."""
    wanted = WebhookFilter(disposition="parked", key=key)
    _replay(wanted, Replay(road="trigger" if as_trigger else None, dry_run=dry_run), as_json)


def replay(  # noqa: PLR0913  # a command has as many parameters as it has options
    since: SinceText = None,
    until: UntilText = None,
    ticket: Ticket = None,
    disposition: Annotated[
        str | None,
        typer.Option(help="Only webhooks that were `ignored`, `parked` or (--reprocess) `published`."),
    ] = None,
    reprocess: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Also what was published: this consumer group alone takes it."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Read stored bodies again and publish what can be read: those ignored or parked so far, or, with
    --reprocess,
    all of them for one consumer group."""
    now = SystemClock().now()
    moments = moment_of(since, now), moment_of(until, now, "--until")
    wanted = WebhookFilter(*moments, ticket, _disposition(disposition))
    if wanted == WebhookFilter():
        raise typer.BadParameter("say which webhooks: --since, --until, --ticket or --disposition")
    if reprocess is not None and reprocess not in GROUPS:
        raise typer.BadParameter(f"unknown group {reprocess!r}; there are {', '.join(GROUPS)}")
    if wanted.disposition == "published" and reprocess is None:
        raise typer.BadParameter("published webhooks are only replayed with --reprocess GROUP")
    _replay(wanted, Replay(reprocess, dry_run=dry_run), as_json)


def _replay(wanted: WebhookFilter, how: Replay, as_json: bool) -> None:
    async def job(store: Store, account: Account) -> int:
        done = await repository.replay(store, account, wanted, how)
        report: dict[str, Any] = asdict(done) | ({"dry_run": True} if how.dry_run else {})
        emit(report, as_json=as_json, title="Would be replayed" if how.dry_run else "Replayed")
        return CLEAN

    _run(job)


def _disposition(text: str | None) -> Disposition | None:
    for known in ("published", "ignored", "parked"):
        if text == known:
            return known
    if text is None:
        return None
    raise typer.BadParameter(f"unknown disposition {text!r}: published, ignored or parked")
