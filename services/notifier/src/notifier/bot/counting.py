"""Keeps the counts of views: one replica asks, a little at a time, and every answer says how old its figures are.

A count that is still being made is not zero, and one that Zendesk calls stale is shown as such: the last value is kept
with the moment at which it was fresh (docs/vendors/zendesk.md#views).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from notifier.bot.context import BotContext
from notifier.policy.bot import ViewsPolicy
from notifier.tables import bot_views
from supportops.store import Transaction
from supportops.vendors.zendesk.ticket_lists import COUNTED_AT_ONCE, View, ViewCount
from supportops.workers.periodic import Periodic

Row = Mapping[str, Any]
JOB = "notifier.views"


def counting(context: BotContext) -> Periodic:
    """The job that asks, in one process at a time."""
    return Periodic(JOB, context.store, ViewCounter(context).count, context.rules.views.every)


class ViewCounter:
    """Reads the list of views now and then, and counts those that were not asked about for longest."""

    def __init__(self, context: BotContext) -> None:
        self._context = context

    async def count(self) -> None:
        """Ask once. What Zendesk refuses or does not answer is raised; the figures then grow older, and say so."""
        rules, lists = self._context.rules.views, self._context.zendesk.lists
        known = await self._known()
        if list_is_due(known, rules, self._context.now):
            views = wanted(await lists.views(), rules)
            async with self._context.store.transaction() as tx:
                await write_list(tx, views)
            known = await self._known()
        asked = longest_unasked(known)
        if not asked:
            return
        counts = await lists.count_many(asked)
        async with self._context.store.transaction() as tx:
            await write_counts(tx, asked, counts)

    async def _known(self) -> list[Row]:
        async with self._context.store.reading() as conn:
            return [dict(row) for row in (await conn.execute(select(bot_views))).mappings()]


def wanted(views: list[View], rules: ViewsPolicy) -> list[View]:
    """Those that the rules name, or all."""
    names = {name.casefold() for name in rules.names}
    return [view for view in views if not names or view.title.casefold() in names]


def list_is_due(known: list[Row], rules: ViewsPolicy, now: datetime) -> bool:
    """Whether the list is old; an account without views is asked each time."""
    newest = max((row["listed_at"] for row in known), default=None)
    slack = timedelta(seconds=1)
    return newest is None or now - newest >= rules.list_every - slack


def longest_unasked(known: list[Row]) -> list[str]:
    """The views to ask about now."""
    order = sorted(
        known, key=lambda row: (row["asked_at"] is not None, row["asked_at"] or 0, row["position"])
    )
    return [row["view_id"] for row in order[:COUNTED_AT_ONCE]]


async def write_list(tx: Transaction, views: list[View]) -> None:
    """Keep these views and no others; what is known of their counts stays."""
    ids = [view.id for view in views]
    await tx.execute(delete(bot_views).where(bot_views.c.view_id.not_in(ids)))
    rows = await tx.load(bot_views, ids)
    for position, view in enumerate(views):
        rows.put(view.id, title=view.title, position=position, listed_at=tx.now)


async def write_counts(tx: Transaction, asked: list[str], counts: Mapping[str, ViewCount]) -> None:
    """Keep what was answered. No value: the last one stays, as not fresh. Missing: we may not see the view."""
    rows = await tx.load(bot_views, asked)
    for view_id in asked:
        if rows.get(view_id) is None:
            continue
        count = counts.get(view_id)
        values: dict[str, Any] = {"asked_at": tx.now, "readable": count is not None, "fresh": False}
        if count is not None and count.value is not None:
            values |= {"value": count.value, "fresh": count.fresh}
            values |= {"fresh_at": tx.now} if count.fresh else {}
        rows.put(view_id, **values)
