"""The page of integrity: what does not agree, with both ids and values, since when, and the command that mends it."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from sfdc_sync.integrity.findings import Findings, Row
from sfdc_sync.integrity.reports import REPORTS
from sfdc_sync.operations.integrity_commands import as_csv
from sfdc_sync.salesforce.names import folded
from sfdc_sync.salesforce.record_id import normalise
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout

INTEGRITY = "/integrity"
SHOWN = 300
"""Findings on the page; the file has all."""
SEVERITIES = ("high", "medium", "low")
STATES = ("open", "gone", "ignored", "all")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown; an empty text: everything. Words that are no choice are taken for that."""

    report: str = ""
    severity: str = ""
    state: str = "open"
    about: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """As an address says it."""
        report, severity, state = (query.get(name, "") for name in ("report", "severity", "state"))
        return cls(
            report if report in REPORTS else "",
            severity if severity in SEVERITIES else "",
            state if state in STATES else "open",
            query.get("about", "").strip()[:200],
        )

    def takes(self, row: Row) -> bool:
        """Whether a finding is among what is asked for."""
        if (self.report and row["report"] != self.report) or (
            self.severity and row["severity"] != self.severity
        ):
            return False
        if self.state != "all" and state_of(row) != self.state:
            return False
        ids = (row["account_id"], row["organization_id"])
        key = normalise(self.about) or self.about
        return not self.about or key in ids or folded(self.about) in folded(row["name"])


def state_of(row: Row) -> str:
    """Open, ignored (somebody has looked at it), or gone."""
    if row["gone_since"] is not None:
        return "gone"
    return "open" if row["ignored"] is None else "ignored"


class IntegrityPage:
    """/integrity, and the same as a file."""

    def __init__(self, store: Store, auth: OperatorAuth) -> None:
        self._findings = Findings(store)
        self._layout = PageLayout("sfdc_sync.operations", auth.site)

    async def show(self, request: Request) -> Response:
        """The findings that are asked for, the worst first."""
        asked = Asked.of(request.query_params)
        rows: list[Row] = []
        found = 0
        async for page in self._asked_for(asked):
            rows += page[: SHOWN - len(rows)]
            found += len(page)
        runs = await self._findings.runs(1)
        last = await self._findings.last_run()
        return self._layout.page(
            request,
            "integrity.html",
            rows=[{**row, "state": state_of(row)} for row in rows],
            found=found,
            asked=asked,
            reports=tuple(REPORTS),
            severities=SEVERITIES,
            states=STATES,
            last=last,
            failed=runs[0] if runs and runs[0]["state"] == "failed" else None,
            summary=orjson.loads(last["summary"]) if last else [],
        )

    async def file(self, request: Request) -> Response:
        """The same findings, all of them, as CSV, sent page by page."""
        headers = self._layout.headers | {"Content-Disposition": 'attachment; filename="integrity.csv"'}
        lines = self._lines(Asked.of(request.query_params))
        begin = await anext(lines)  # while the database is away there is an answer that says so
        sent = _begun(begin, lines)
        return StreamingResponse(sent, media_type="text/csv; charset=utf-8", headers=headers)

    async def _lines(self, asked: Asked) -> AsyncGenerator[str]:
        head = True
        async for page in self._asked_for(asked):
            yield as_csv(page, bom=True) if head else as_csv(page, head=False)
            head = False
        if head:
            yield as_csv([], bom=True)

    async def _asked_for(self, asked: Asked) -> AsyncIterator[list[Row]]:
        """Page by page; one may hold nothing of what is asked for."""
        pages = self._findings.pages(asked.report or None, gone=asked.state in ("gone", "all"))
        async for page in pages:
            yield [row for row in page if asked.takes(row)]


async def _begun(begin: str, rest: AsyncGenerator[str]) -> AsyncIterator[str]:
    yield begin
    async for some in rest:
        yield some


def mount_integrity(app: FastAPI, auth: OperatorAuth, page: IntegrityPage) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, INTEGRITY)
    async def show(request: Request) -> Response:
        return await page.show(request)

    @guarded_page(app, auth, INTEGRITY + ".csv")
    async def file(request: Request) -> Response:
        return await page.file(request)
