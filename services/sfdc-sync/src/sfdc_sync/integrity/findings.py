"""Findings in our own table: first seen, last seen, gone since; and the runs that judged them."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, select, update

from sfdc_sync.integrity.reports import REPORTS, Finding
from sfdc_sync.tables import integrity_findings, integrity_runs
from supportops.contracts import IntegrityReport
from supportops.store import Store, Transaction
from supportops.store.upsert import insert_for

_F, _R = integrity_findings, integrity_runs
SOME = 500

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A finding with the open tickets it concerns, and why it is ignored (None: it counts)."""

    finding: Finding
    tickets: int = 0
    ignored: str | None = None


class Findings:
    """Findings and the runs that judged them, on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def listed(self, report: str | None = None, *, gone: bool = False) -> list[Row]:
        """Findings as they are known; `gone`: also those that were fixed."""
        query = select(_F).order_by(_F.c.report, _F.c.finding)
        if not gone:
            query = query.where(_F.c.gone_since.is_(None))
        if report is not None:
            query = query.where(_F.c.report == report)
        return await self._rows(query)

    async def pages(self, report: str | None = None, *, gone: bool = False) -> AsyncIterator[list[Row]]:
        """The same, a page at a time and the worst reports first: there may be more than memory should hold."""
        for name in REPORTS if report is None else (report,):
            query = select(_F).where(_F.c.report == name).order_by(_F.c.finding).limit(SOME)
            if not gone:
                query = query.where(_F.c.gone_since.is_(None))
            page = await self._rows(query)
            while page:
                yield page
                after = page[-1]["finding"]
                page = await self._rows(query.where(_F.c.finding > after)) if len(page) == SOME else []

    async def one(self, report: str, key: str) -> Row | None:
        """One finding that is open."""
        where = and_(_F.c.report == report, _F.c.finding == key, _F.c.gone_since.is_(None))
        found = await self._rows(select(_F).where(where))
        return found[0] if found else None

    async def last_run(self) -> Row | None:
        """The run that ended last."""
        query = select(_R).where(_R.c.state == "done").order_by(_R.c.started_at.desc()).limit(1)
        found = await self._rows(query)
        return found[0] if found else None

    async def runs(self, limit: int) -> list[Row]:
        """The last runs, the newest first."""
        return await self._rows(select(_R).order_by(_R.c.started_at.desc()).limit(limit))

    async def _rows(self, query: Any) -> list[Row]:
        async with self._store.reading() as conn:
            return [dict(row) for row in (await conn.execute(query)).mappings()]


async def open_findings(tx: Transaction) -> dict[tuple[str, str], Row]:
    """Findings that were there last time, by report and key."""
    found = await tx.read(select(_F).where(_F.c.gone_since.is_(None)))
    return {(row["report"], row["finding"]): dict(row) for row in found.mappings()}


async def keep(
    tx: Transaction, found: Sequence[Weighed], known: Mapping[tuple[str, str], Row], judged: Collection[str]
) -> list[IntegrityReport]:
    """Write down what was found and what is gone; new, fixed and open of each report that was judged."""
    now = {(each.finding.report, each.finding.key): each for each in found}
    gone = [key for key in known if key[0] in judged and key not in now]
    rows = [_row(each, known.get(key), tx.now) for key, each in now.items()]
    insert = insert_for(tx.dialect, _F)
    values = {name: insert.excluded[name] for name in _row_names() if name not in ("report", "finding")}
    statement = insert.on_conflict_do_update(index_elements=["report", "finding"], set_=values)
    for start in range(0, len(rows), SOME):
        await tx.execute(statement, rows[start : start + SOME])
    mine = and_(_F.c.report == bindparam("b_report"), _F.c.finding == bindparam("b_finding"))
    if gone:
        parameters = [{"b_report": report, "b_finding": key} for report, key in gone]
        await tx.execute(update(_F).where(mine).values(gone_since=tx.now), parameters)
    return summary(found, known, gone, judged)


def summary(
    found: Sequence[Weighed],
    known: Mapping[tuple[str, str], Row],
    gone: Sequence[tuple[str, str]],
    judged: Collection[str],
) -> list[IntegrityReport]:
    """A row per report that was judged, in the reports' order. What is ignored is neither new nor open nor fixed."""
    counted: dict[str, list[Weighed]] = defaultdict(list)
    for each in found:
        counted[each.finding.report].append(each)
    reports = []
    for name in (each for each in REPORTS if each in judged):
        live = [each for each in counted[name] if each.ignored is None]
        new = [each for each in live if not _counted_before(known.get((name, each.finding.key)))]
        fixed = [key for key in gone if key[0] == name and _counted_before(known[key])]
        reports.append(
            IntegrityReport(
                name=name,
                severity=REPORTS[name],
                new=len(new),
                fixed=len(fixed),
                open=len(live),
                tickets=sum(each.tickets for each in live),
                ignored=len(counted[name]) - len(live),
            )
        )
    return reports


def _counted_before(row: Row | None) -> bool:
    return row is not None and row["ignored"] is None


def _row(each: Weighed, before: Row | None, now: datetime) -> dict[str, Any]:
    finding = each.finding
    return {
        "report": finding.report,
        "finding": finding.key,
        "severity": finding.severity,
        "account_id": finding.account_id,
        "organization_id": finding.organization_id,
        "name": finding.name,
        "salesforce_value": finding.salesforce or None,
        "zendesk_value": finding.zendesk or None,
        "tickets": each.tickets,
        "remedy": finding.remedy or None,
        "ignored": each.ignored,
        "first_seen": before["first_seen"] if before is not None else now,
        "last_seen": now,
        "gone_since": None,
    }


def _row_names() -> list[str]:
    return [column.name for column in _F.columns]


def run_row(
    run_id: str,
    state: str,
    started_at: datetime,
    tx: Transaction,
    reports: Sequence[IntegrityReport],
    reason: str = "",
) -> dict[str, Any]:
    """A run that has ended."""
    return {
        "run_id": run_id,
        "state": state,
        "started_at": started_at,
        "finished_at": tx.now,
        "summary": orjson.dumps([each.model_dump() for each in reports]).decode(),
        "reason": reason[:2_000] or None,
    }
