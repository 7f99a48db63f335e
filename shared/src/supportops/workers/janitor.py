"""The janitor: removes what is past its retention, in small bites."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import BindParameter, Column, ColumnElement, Table, bindparam, delete, select

from supportops.contracts import TOPICS
from supportops.observability.metrics import Recorder
from supportops.store import Store
from supportops.store.lanes import forget_idle
from supportops.store.tables import ENGINE, THROTTLES
from supportops.workers.periodic import Periodic

BITE = 2_000  # rows per transaction, so that nobody waits long for a lock


@dataclass(frozen=True)
class Retention:
    """Rows of `table` whose `moment` column is older than `keep` are removed; a null moment is kept.

    `only`: a condition that limits the rule to some of the rows.
    """

    table: Table
    moment: Column[Any]
    keep: timedelta
    only: ColumnElement[bool] | None = None


def engine_retention(keep: timedelta = timedelta(days=14)) -> tuple[Retention, ...]:
    """How long the engine keeps its own rows.

    The inbox as long as a topic can hold an event that might be read again, and a day; finished deliveries a month: a
    replayed event must find their keys.
    """
    inbox, deliveries, rates, ended = ENGINE.inbox, ENGINE.deliveries, ENGINE.rates, ENGINE.ended_sessions
    longest_topic = max(topic.retention for topic in TOPICS)
    marks = ENGINE.dead_letter_marks
    return (
        Retention(inbox, inbox.c.seen_at, longest_topic + timedelta(days=1)),
        Retention(deliveries, deliveries.c.finished_at, max(keep, timedelta(days=30))),
        Retention(rates, rates.c.free_at, timedelta(), rates.c.name.startswith(THROTTLES, autoescape=True)),
        Retention(ended, ended.c.forget_at, timedelta()),
        Retention(marks, marks.c.marked_at, timedelta(days=60)),  # letters themselves go after a month
    )


def janitor(store: Store, retention: Sequence[Retention], metrics: Recorder) -> Periodic:
    """The periodic job that applies `retention` every ten minutes."""

    async def clean() -> None:
        for rule in retention:
            while await _bite(store, rule, metrics) == BITE:
                pass
        while await _forget_lanes(store, metrics) == BITE:
            pass

    return Periodic("janitor", store, clean, timedelta(minutes=10))


async def _bite(store: Store, rule: Retention, metrics: Recorder) -> int:
    keys = list(rule.table.primary_key.columns)
    async with store.transaction() as tx:
        old = select(*keys).where(rule.moment < tx.now - rule.keep).limit(BITE)
        if rule.only is not None:
            old = old.where(rule.only)
        rows = (await tx.conn.execute(old)).all()
        if len(keys) == 1 and rows:
            still = delete(rule.table).where(rule.moment < tx.now - rule.keep)
            await tx.conn.execute(still.where(keys[0].in_([row[0] for row in rows])))
        elif rows:
            still = delete(rule.table).where(rule.moment < tx.now - rule.keep)
            one = still.where(*(key == _parameter(key) for key in keys))
            await tx.conn.execute(
                one, [{f"k_{k.name}": v for k, v in zip(keys, row, strict=True)} for row in rows]
            )
    metrics.count("rows_pruned", len(rows), table=rule.table.name)
    return len(rows)


async def _forget_lanes(store: Store, metrics: Recorder) -> int:
    """Lanes in which nothing waits; the next delivery makes its lane anew."""
    async with store.transaction() as tx:
        removed = await forget_idle(tx.conn, tx.now, BITE)
    metrics.count("rows_pruned", removed, table="lanes")
    return removed


def _parameter(column: Column[Any]) -> BindParameter[Any]:
    return bindparam(f"k_{column.name}", type_=column.type)
