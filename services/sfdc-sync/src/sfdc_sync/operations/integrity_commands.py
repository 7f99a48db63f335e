"""`check`: the integrity reports by hand (docs/sfdc-sync.md#integrity)."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal

import typer

from sfdc_sync.integrity.checks import Checked, Integrity
from sfdc_sync.integrity.findings import Findings
from sfdc_sync.integrity.reports import BY_PRODUCT, REPORTS
from sfdc_sync.operations.organization_commands import CHANGES, OpenSync, run_sync, show_result
from sfdc_sync.organizations.model import FIELD, NAME
from sfdc_sync.organizations.runs import Repair
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.settings import Settings
from supportops.errors import SupportOpsError
from supportops.operations.on_database import on_database
from supportops.operations.options import whoami
from supportops.runtime.cli import AsJson, Service, execute
from supportops.runtime.output import Report, emit, progress
from supportops.runtime.supervisor import CLEAN, FAILED
from supportops.store import Store
from supportops.web.csv_text import csv_lines, to_csv

type Form = Literal["text", "json", "csv"]
type OpenIntegrity = Callable[[Settings], Callable[[Report], AbstractAsyncContextManager[Integrity]]]

COLUMNS = (
    "report", "severity", "finding", "name", "account_id", "organization_id", "salesforce_value", "zendesk_value",
    "tickets", "first_seen", "gone_since", "ignored", "remedy",
)  # fmt: skip
_SHORT = ("finding", "name", "salesforce_value", "zendesk_value", "tickets", "first_seen", "remedy")


def add_check_command(
    app: typer.Typer,
    service: Service[Settings, SfdcPolicy],
    open_integrity: OpenIntegrity,
    open_sync: OpenSync,
) -> None:
    """Add `check`."""

    @app.command()
    def check(  # a command has as many parameters as it has options
        report: Annotated[str | None, typer.Argument(help="One report; without it all.")] = None,
        form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
        as_json: AsJson = False,
        last: Annotated[
            bool, typer.Option("--last", help="What the last run found; nothing is read anew.")
        ] = False,
        gone: Annotated[bool, typer.Option("--gone", help="Also what was fixed.")] = False,
        repair: Annotated[str | None, typer.Option(help="Mend this one finding, `report:finding`.")] = None,
    ) -> None:
        """Compare accounts and organizations, and name everything that does not agree.

        Exit codes: 0 nothing, 1 an error, 2 findings.
        """
        if report is not None and report not in REPORTS:
            raise typer.BadParameter(f"no such report; there are: {', '.join(REPORTS)}")
        if form not in ("text", "json", "csv"):
            raise typer.BadParameter("text, json or csv", param_hint="--format")
        form = "json" if as_json else form
        if repair is not None:
            raise typer.Exit(_repair(service, repair, open_sync, as_json=form == "json"))
        if not last and (code := execute(service, lambda settings: _run(open_integrity(settings)))) != CLEAN:
            raise typer.Exit(code)

        async def show(store: Store) -> int:
            rows = await Findings(store).listed(report, gone=gone)
            _show(rows, form)
            return (
                CHANGES
                if any(row["gone_since"] is None and row["ignored"] is None for row in rows)
                else CLEAN
            )

        raise typer.Exit(on_database(service, show))


async def _run(opened: Callable[[Report], AbstractAsyncContextManager[Integrity]]) -> int:
    with progress("check") as report:
        async with opened(report) as integrity:
            try:
                checked = await integrity.run()
            except SupportOpsError as error:
                typer.echo(str(error), err=True)
                return FAILED
    _tell(checked)
    return CLEAN


def _tell(checked: Checked) -> None:
    for name in checked.not_judged:
        typer.echo(
            f"{name}: not judged: organizations.integrity.product names no field, or rows were unreadable",
            err=True,
        )


def _repair(
    service: Service[Settings, SfdcPolicy], finding: str, open_sync: OpenSync, *, as_json: bool
) -> int:
    report, _, key = finding.partition(":")

    async def look(store: Store) -> int:
        found.append(await Findings(store).one(report, key))
        return CLEAN

    found: list[Mapping[str, Any] | None] = []
    if (code := on_database(service, look)) != CLEAN:
        return code
    if found[0] is None or not found[0]["remedy"]:
        typer.echo(f"{finding}: no such finding is open, or no command mends it", err=True)
        return FAILED
    row = found[0]

    async def mend(settings: Settings) -> int:
        what = repair_of(row, service.load_policy(settings).organizations.plan.field)
        return await run_sync(
            open_sync(settings), lambda sync: show_result(sync.repair(what, whoami()), as_json=as_json)
        )

    return execute(service, mend)


def repair_of(row: Mapping[str, Any], plan_field: str) -> Repair:
    """What mends a finding that has a remedy."""
    keys = {"support_level_mismatch": FIELD + plan_field, "org_name_mismatch": NAME}
    return Repair(
        row["account_id"],
        row["organization_id"],
        keys.get(row["report"], ""),
        create=row["report"] in BY_PRODUCT,
    )


def _show(rows: Sequence[Mapping[str, Any]], form: str) -> None:
    if form == "json":
        emit([{name: row[name] for name in COLUMNS} for row in rows], as_json=True)
    elif form == "csv":
        sys.stdout.write(as_csv(rows))
    else:
        for name in REPORTS:
            if mine := [row for row in rows if row["report"] == name]:
                typer.echo(f"{name} ({REPORTS[name]}): {len(mine)}")
                emit([{column: row[column] for column in _SHORT} for row in mine], as_json=False)


def as_csv(rows: Sequence[Mapping[str, Any]], *, bom: bool = False, head: bool = True) -> str:
    """The findings for a spreadsheet; `bom` as for `to_csv`. Without `head`: lines that follow others."""
    lines = [[_cell(row[name]) for name in COLUMNS] for row in rows]
    return to_csv(COLUMNS, lines, bom=bom) if head else csv_lines(lines)


def _cell(value: object) -> object:
    return value if value is None or isinstance(value, int) else str(value)
