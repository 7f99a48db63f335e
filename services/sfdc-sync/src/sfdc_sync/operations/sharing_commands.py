"""`sharing …`: requests for shared organizations, asked for, approved, undone and checked. They need the database only;
what is to be read or written in Zendesk is done by the running worker.
"""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.settings import ImportSettings
from sfdc_sync.sharing import audit_log, repository, requests
from sfdc_sync.sharing import text as sharing_text
from sfdc_sync.sharing.repository import Actor, Stored
from sfdc_sync.sharing.rules import issue
from sfdc_sync.sharing.rules.lifecycle import State
from sfdc_sync.sharing.rules.options import Option
from sfdc_sync.sharing.rules.template import LONGEST, Draft, UnusableIssue
from supportops.clock import SystemClock
from supportops.config.gitlab_settings import GitLabSettings
from supportops.observability.metrics import Metrics
from supportops.operations.on_database import on_database
from supportops.runtime.cli import AnyService, AsJson, execute_with
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store, Transaction
from supportops.vendors.gitlab import open_gitlab

By = Annotated[
    str, typer.Option("--by", help="Your name; of whoever approves, another one than of whoever asked.")
]
Number = Annotated[int, typer.Argument(min=1, help="The request's number.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the audit log.")]
HERE = "command line"
_DIFFERENT = 2
"""Exit code when something was found that is not as it should be."""


def add_sharing_commands(app: typer.Typer, service: AnyService) -> None:
    """Add the group `sharing` to sfdc-sync's command line."""
    group = typer.Typer(no_args_is_help=True, help="Who of an organization sees whose tickets.")
    app.add_typer(group, name="sharing")
    _add_asking(group, service)
    _add_deciding(group, service)
    _add_looking(group, service)
    _add_proving(group, service)


def _add_asking(group: typer.Typer, service: AnyService) -> None:
    @group.command()
    def request(
        organization: Annotated[str, typer.Argument(help="Zendesk's id of the organization.")],
        ticket: Annotated[str, typer.Option("--ticket", help="The customer's ticket, as evidence.")],
        option: Annotated[Option, typer.Option("--option", help="What is asked for.")],
        by: By,
        user: Annotated[
            list[str] | None,
            typer.Option("--user", help="Id or e-mail address of a selected user, for the last two options."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Ask for an option; the worker reads next what the request rests on, and `sharing show` tells it."""
        draft = Draft(organization, ticket, option, tuple(user or ()))

        async def ask(tx: Transaction) -> int:
            return await requests.ask(tx, issue.checked(draft), Actor(by, HERE))

        _in_transaction(service, ask, as_json=as_json)

    @group.command("import")
    def import_issue(
        source: Annotated[
            str,
            typer.Argument(
                help="The issue's address or PROJECT#7, read from GITLAB_BASE_URL; or a file with its description or "
                "its JSON from GitLab's API; -: stdin."
            ),
        ],
        by: Annotated[
            str, typer.Option("--by", help="Who asks, where the file does not name its author.")
        ] = "",
        as_json: AsJson = False,
    ) -> None:
        """Ask for what a GitLab issue of the template Shared Organization Request says."""

        async def run(settings: ImportSettings) -> int:
            found = await _issue(source, by, settings.gitlab)

            async def ask(tx: Transaction) -> int:
                return await requests.ask(tx, found.draft, Actor(found.author, "import"), found.address)

            async with service.open_database(settings) as store:
                return await _asked(store, ask, as_json=as_json)

        raise typer.Exit(execute_with(service, ImportSettings, run))


async def _issue(source: str, by: str, settings: GitLabSettings) -> issue.Issue:
    """The request in an issue of GitLab, a file, or what is piped in."""
    reference = None if _is_file(source) else issue.reference_of(source, settings.base_url)
    if reference is None:
        return issue.read(_content(Path(source)), by)
    if settings.base_url is None or settings.token is None:
        raise UnusableIssue([issue.NO_GITLAB])
    parts = (settings.base_url, settings.token, reference.project)
    async with open_gitlab(*parts, clock=SystemClock(), metrics=Metrics()) as gitlab:
        return issue.of_api(await gitlab.document(reference.iid))


def _is_file(source: str) -> bool:
    return source == "-" or Path(source).is_file()


def _content(file: Path) -> bytes:
    """The first bytes of a file, more than any issue has; `-` is standard input. Raises OSError with its name."""
    if str(file) == "-":
        return sys.stdin.buffer.read(4 * LONGEST)
    with file.open("rb") as opened:
        return opened.read(4 * LONGEST)


def _add_deciding(group: typer.Typer, service: AnyService) -> None:
    @group.command()
    def approve(number: Number, by: By, as_json: AsJson = False) -> None:
        """Say yes to what `sharing show` tells; not for whoever asked."""
        _decide(service, lambda tx: requests.approve(tx, number, Actor(by, HERE)), as_json=as_json)

    @group.command()
    def refuse(number: Number, by: By, reason: Reason, as_json: AsJson = False) -> None:
        """Say no, and why."""
        _decide(service, lambda tx: requests.refuse(tx, number, Actor(by, HERE), reason), as_json=as_json)

    @group.command()
    def undo(number: Number, by: By, reason: Reason, as_json: AsJson = False) -> None:
        """Put back what was before; what somebody has changed by hand since is left alone and named."""
        _decide(service, lambda tx: requests.undo(tx, number, Actor(by, HERE), reason), as_json=as_json)

    @group.command("look-again")
    def look_again(number: Number, by: By, as_json: AsJson = False) -> None:
        """Have a request that waits for its approval read once more."""
        _decide(service, lambda tx: requests.look_again(tx, number, Actor(by, HERE)), as_json=as_json)


def _add_looking(group: typer.Typer, service: AnyService) -> None:
    @group.command("list")
    def list_requests(
        state: Annotated[
            list[State] | None, typer.Option("--state", help="Only those in this state.")
        ] = None,
        organization: Annotated[str, typer.Option("--organization", help="Only of this one, by id.")] = "",
        limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 100,
        as_json: AsJson = False,
    ) -> None:
        """Requests, the newest first."""

        async def show(store: Store) -> int:
            async with store.reading() as conn:
                found = await repository.listed(conn, state or (), organization, limit)
            emit([sharing_text.row(each) for each in found], as_json=as_json, title="Sharing requests")
            return CLEAN

        raise typer.Exit(on_database(service, show))

    @group.command()
    def show(number: Number, as_json: AsJson = False) -> None:
        """A request: who may see what now and then, what was before, who did what; exit code 1 without it."""

        async def tell(store: Store) -> int:
            async with store.reading() as conn:
                told = await sharing_text.document(conn, number, store.clock.now())
            if told is None:
                typer.echo(f"{service.name}: there is no request {number}", err=True)
                return FAILED
            if as_json:
                emit(told, as_json=True)
            else:
                sharing_text.show(told)
            return CLEAN

        raise typer.Exit(on_database(service, tell))


def _add_proving(group: typer.Typer, service: AnyService) -> None:
    @group.command()
    def drift(
        now: Annotated[
            bool, typer.Option("--now", help="Have the worker compare all that is in force.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """What somebody has changed by hand since, as of the last comparison; exit code 2 when there is something."""

        async def tell(store: Store) -> int:
            async with store.reading() as conn:
                in_force = await repository.newest_in_force(conn)
                found = await repository.drift_of(conn)
            if now:
                async with store.transaction() as tx:
                    for organization_id, number in in_force.items():
                        requests.watch(tx, number, organization_id)
                typer.echo(f"{len(in_force)} are compared now; ask again in a moment", err=True)
            emit(found, as_json=as_json, title="Not as it was set")
            return _DIFFERENT if found else CLEAN

        raise typer.Exit(on_database(service, tell))

    @group.command()
    def audit(
        request: Annotated[int | None, typer.Option("--request", min=1, help="Only of this request.")] = None,
        verify: Annotated[
            bool, typer.Option("--verify", help="Prove that no entry was changed or removed.")
        ] = False,
        expect: Annotated[
            str | None,
            typer.Option("--expect", help="With --verify: a hash noted before that must be in the log."),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """The audit log; with --verify exit code 2 when it is not whole."""

        async def tell(store: Store) -> int:
            async with store.reading() as conn:
                if verify or expect is not None:
                    return await _prove(conn, expect, as_json=as_json)
                rows = [sharing_text.entry(*each) async for each in audit_log.entries(conn, request)]
            emit(rows, as_json=as_json, title="Audit log of sharing")
            return CLEAN

        raise typer.Exit(on_database(service, tell))


async def _prove(conn: AsyncConnection, expect: str | None, *, as_json: bool) -> int:
    wrong = await audit_log.verify(conn, expect)
    number, digest = await audit_log.head(conn)
    emit([{"entries": number, "hash": digest, "whole": wrong is None, "wrong": wrong or ""}], as_json=as_json)
    return CLEAN if wrong is None else _DIFFERENT


def _in_transaction(
    service: AnyService, ask: Callable[[Transaction], Awaitable[int]], *, as_json: bool
) -> None:
    raise typer.Exit(on_database(service, lambda store: _asked(store, ask, as_json=as_json)))


async def _asked(store: Store, ask: Callable[[Transaction], Awaitable[int]], *, as_json: bool) -> int:
    async with store.transaction() as tx:
        number = await ask(tx)
    emit([{"request": number, "state": State.CHECKING}], as_json=as_json)
    return CLEAN


def _decide(
    service: AnyService, decide: Callable[[Transaction], Awaitable[Stored]], *, as_json: bool
) -> None:
    async def run(store: Store) -> int:
        async with store.transaction() as tx:
            number = (await decide(tx)).request.number
        async with store.reading() as conn:
            after = await repository.find(conn, number)
        emit([sharing_text.row(after)] if after else [], as_json=as_json)
        return CLEAN

    raise typer.Exit(on_database(service, run))
