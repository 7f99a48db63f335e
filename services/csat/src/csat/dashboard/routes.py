"""The dashboard's routes: the page, and its tables as CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from csat.dashboard import csv_export, formatting, urls, view_model
from csat.dashboard.freshness import freshness
from csat.dashboard.urls import PAGE, SHEET
from csat.kpi import queries, row_queries
from csat.kpi.filters import DIMENSIONS, STEPS, BadView, Dimension, Step, View, label, today_in
from csat.policy.kpi import KpiPolicy
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout
from supportops.web.site import Site

COMMENTS = 20
COMMENT_SHOWN = 600


@dataclass(frozen=True)
class DashboardQuery:
    """What the parameters of an address ask for."""

    view: View
    step: Step


FILTERS = (
    formatting.percent,
    formatting.number,
    formatting.interval,
    formatting.verdict,
    formatting.moment,
    formatting.day,
)


class Dashboard:
    """The numbers on one page."""

    def __init__(self, store: Store, policy: KpiPolicy, site: Site) -> None:
        self._store = store
        self._policy = policy
        self._layout = PageLayout("csat.dashboard", site, FILTERS)

    async def show(self, request: Request) -> Response:
        """The page about the view that the address names; 422 when it names none."""
        try:
            asked = self.asked(request.query_params)
        except BadView as error:
            return self._layout.page(request, "bad_view.html", 422, problem=str(error))
        async with self._store.reading() as conn:
            values = await self._values(conn, asked)
        return self._layout.page(request, "dashboard.html", **values)

    async def sheet(self, request: Request) -> Response:
        """One of the page's tables as CSV (parameter `table`); 422 when there is none of this name."""
        try:
            asked = self.asked(request.query_params, "table")
            table = csv_export.known(request.query_params.get("table", "totals"))
        except BadView as error:
            return self._layout.page(request, "bad_view.html", 422, problem=str(error))
        async with self._store.reading() as conn:
            made = await csv_export.sheet(conn, asked.view, asked.step, table, self._policy)
        headers = self._layout.headers | {"Content-Disposition": f'attachment; filename="{made.name}"'}
        return Response(made.text, media_type="text/csv; charset=utf-8", headers=headers)

    def asked(self, params: Mapping[str, str], *beside: str) -> DashboardQuery:
        """View and step of these parameters. BadView."""
        step = params.get("step") or STEPS[0]
        if step not in STEPS:
            raise BadView("step", f"must be one of {', '.join(STEPS)}")
        today = today_in(self._policy.zone, self._store.clock.now())
        view = View.parse(params, today=today, beside=("step", *beside))
        return DashboardQuery(view, step)

    async def _values(self, conn: AsyncConnection, asked: DashboardQuery) -> dict[str, Any]:
        view, step, policy = asked.view, asked.step, self._policy
        found = await queries.everything(conn, view, step)
        return {
            "fresh": await freshness(conn, self._store.clock.now()),
            "comments": await row_queries.comments(conn, view, COMMENTS),
            "totals": found.totals,
            "cards": view_model.cards(found.totals, policy),
            "panels": view_model.panels(found.trend, step, policy),
            "tables": view_model.breakdowns(found.breakdowns, view, step, policy),
            "chips": view_model.chips(view, step),
            "choices": _choices(found.choices, view),
            **self._frame(view, step),
        }

    def _frame(self, view: View, step: Step) -> dict[str, Any]:
        """What surrounds the numbers: the range, the filters, the ways elsewhere."""
        today = today_in(self._policy.zone, self._store.clock.now())
        return {
            "view": view,
            "step": step,
            "steps": [(each, urls.page(view, each)) for each in STEPS],
            "ranges": urls.ranges(view, today, step),
            "days": formatting.days(view.since, view.until),
            "unfinished": view.until > today,
            "zone": self._policy.time_zone,
            "sheet": lambda table: urls.sheet(view, step, table),
            "ticket": urls.ticket,
            "cut": lambda text: formatting.cut(text, COMMENT_SHOWN),
            "small": formatting.SMALL,
        }


def mount_dashboard(app: FastAPI, auth: OperatorAuth, dashboard: Dashboard) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, PAGE)
    async def show(request: Request) -> Response:
        begin = perf_counter()
        page = await dashboard.show(request)
        auth.metrics.observe("dashboard_answer_seconds", perf_counter() - begin, kind="page")
        return page

    @guarded_page(app, auth, SHEET)
    async def sheet(request: Request) -> Response:
        begin = perf_counter()
        made = await dashboard.sheet(request)
        auth.metrics.observe("dashboard_answer_seconds", perf_counter() - begin, kind="csv")
        return made


@dataclass(frozen=True)
class Choice:
    """One filter of the form: what there is to choose, and what is chosen ("" for all)."""

    name: str
    title: str
    values: Sequence[str]
    chosen: str


def _choices(found: queries.Choices, view: View) -> list[Choice]:
    return [_choice(name, found[name], view.chosen(name)) for name in DIMENSIONS]


def _choice(name: Dimension, values: Sequence[str], chosen: str | None) -> Choice:
    all_values = dict.fromkeys([*values, *([] if chosen is None else [chosen])])
    return Choice(
        name,
        view_model.TITLES[name],
        [label(value) for value in all_values],
        "" if chosen is None else label(chosen),
    )
