"""`csat kpi` shows the numbers, `csat recount` counts them anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from csat.kpi.aggregation import recount
from csat.kpi.api import KpiReply, Numbers, Share, kpi_reply
from csat.kpi.filters import DIMENSIONS, NONE, BadView, Dimension, Step, View, label, today_in
from csat.policy.csat import CsatPolicy
from csat.policy.kpi import KpiPolicy
from csat.settings import Settings
from supportops.config import RulesCommandSettings
from supportops.runtime.cli import AsJson, Service, execute_with
from supportops.runtime.output import emit, progress
from supportops.runtime.supervisor import CLEAN
from supportops.store import Store
from supportops.web.csv_text import to_csv

type Line = dict[str, Any]

Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter", help=f"Only these tickets, such as plan=Premium or plan={NONE}; may be repeated."
    ),
]


@dataclass(frozen=True)
class KpiRequest:
    """What of the numbers is asked for, and how it is printed."""

    params: dict[str, str]
    by: Dimension | None
    step: Step | None
    as_json: bool
    as_csv: bool


def add_kpi_commands(app: typer.Typer, service: Service[Settings, CsatPolicy]) -> None:
    """Add the commands of this file to csat's command line."""

    @app.command()
    def kpi(  # noqa: PLR0913  # a command has as many parameters as it has options
        by: Annotated[Dimension | None, typer.Option(help="Break the numbers down by this.")] = None,
        since: Annotated[str, typer.Option(help="First day of the solve; else 13 weeks before.")] = "",
        until: Annotated[str, typer.Option(help="The day after the last one; else tomorrow.")] = "",
        filters: Filters = None,
        trend: Annotated[Step | None, typer.Option(help="Show them by week or by month.")] = None,
        as_json: AsJson = False,
        as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    ) -> None:
        """Show KPI, response rate and offered rate, each with its 95 % interval (rules C2 and C9)."""
        if as_csv and (as_json or (by is not None and trend is not None)):
            raise typer.BadParameter("--csv prints one table: with --by or with --trend, without --json")
        params = {"since": since, "until": until} | _filters(filters or [])
        wanted = KpiRequest(params, by, trend, as_json, as_csv)

        async def show(settings: RulesCommandSettings) -> int:
            policy = service.load_policy(settings).numbers
            async with service.open_database(settings) as store:
                return await _show(store, policy, wanted)

        raise typer.Exit(execute_with(service, RulesCommandSettings, show))

    @app.command("recount")
    def count_anew(as_json: AsJson = False) -> None:
        """Count all numbers anew from what is known of each ticket; needed after numbers.time_zone was changed.

        Nothing is lost and the worker may go on; until it is done, the dashboard shows too little.
        """

        async def anew(settings: RulesCommandSettings) -> int:
            zone = service.load_policy(settings).numbers.zone
            async with service.open_database(settings) as store:
                number = await _recount(store, zone)
            if as_json:
                emit({"tickets": number}, as_json=True)
            else:
                typer.echo(f"counted {number:,} tickets")
            return CLEAN

        raise typer.Exit(execute_with(service, RulesCommandSettings, anew))


def _filters(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in DIMENSIONS:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE with one of {', '.join(DIMENSIONS)}")
        if name in found:
            raise typer.BadParameter(f"{name} can be one value only")
        found[name] = value or NONE
    return found


async def _show(store: Store, policy: KpiPolicy, wanted: KpiRequest) -> int:
    try:
        view = View.parse(wanted.params, today=today_in(policy.zone, store.clock.now()))
    except BadView as error:
        raise typer.BadParameter(str(error)) from error
    async with store.reading() as conn:
        reply = await kpi_reply(conn, view, policy, wanted.by, wanted.step)
    if wanted.as_json:
        emit(reply.model_dump(mode="json"), as_json=True)
        return CLEAN
    for title, lines in _tables(reply):
        if wanted.as_csv:
            typer.echo(to_csv(list(lines[0]), [list(line.values()) for line in lines]), nl=False)
        else:
            emit([_readable(line) for line in lines], as_json=False, title=title)
    return CLEAN


def _tables(reply: KpiReply) -> list[tuple[str, list[Line]]]:
    """What was asked for, as lines: by value and by period, else the totals."""
    days = f"Solved from {reply.since} to before {reply.until} ({reply.time_zone})"
    tables = []
    if reply.by is not None and reply.breakdown:
        lines = [{reply.by: label(part.value)} | _line(part) for part in reply.breakdown]
        tables.append((days, lines))
    if reply.step is not None:
        tables.append((days, [{reply.step: part.first_day} | _line(part) for part in reply.trend]))
    return tables or [(days, [_line(reply.totals)])]


def _line(numbers: Numbers) -> Line:
    line: Line = {name: getattr(numbers, name) for name in ("solved", "decided", "asked", "good", "bad")}
    for name in ("kpi", "response_rate", "offered_rate"):
        share: Share = getattr(numbers, name)
        known = share.value is not None
        line |= {name: share.value, f"{name}_low": share.low if known else None}
        line[f"{name}_high"] = share.high if known else None
    return line


def _readable(line: Line) -> Line:
    """Shares as per cent with their interval in one column, for people."""
    shown = {name: value for name, value in line.items() if not name.endswith(("_low", "_high"))}
    for name in ("kpi", "response_rate", "offered_rate"):
        value, low, high = line[name], line[f"{name}_low"], line[f"{name}_high"]
        shown[name] = "-" if value is None else f"{value:.1%} ({low:.1%} to {high:.1%})"
    return shown


async def _recount(store: Store, zone: ZoneInfo) -> int:
    with progress("recount") as report:

        def counted(done: int, total: int) -> None:
            report(min(done / max(total, 1), 1.0), f"{done:,} of {total:,} tickets")

        return await recount(store, zone, counted)
