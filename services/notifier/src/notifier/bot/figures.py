"""The answers with figures: views and their counts with their age, the first tickets of one, this week's CSAT."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from notifier.bot.context import BotContext, NoAnswer, asking
from notifier.bot.csat import Share
from notifier.bot.parts import NAME, Words, answer, line, listed, ours, span, told
from notifier.bot.tickets import ticket_lines
from notifier.slack.message import Message
from notifier.tables import bot_views

Row = Mapping[str, Any]
NONE_YET = "No views are known yet: they are read when the worker has been up for a minute."
LATE = 3  # rounds of the poller after which it is said to be silent


async def views(context: BotContext) -> Message:
    """All views with their counts."""
    rows = await _rows(context)
    if not rows:
        raise NoAnswer(NONE_YET)
    now = context.now
    warning = silence(rows, now, context.rules.views.every)
    lines = [line(ours("• "), told(row["title"], NAME), ours(" — "), count_words(row, now)) for row in rows]
    head = ours(f"{len(rows)} views of Zendesk:")
    return answer(head, *([warning] if warning else []), *lines)


async def view(context: BotContext, name: str) -> Message:
    """One view: its count, and its first tickets as they are now."""
    if not name:
        raise NoAnswer("Which one? Ask `view NAME`; `views` lists them.")
    rows = await _rows(context)
    found = matching(rows, name)
    if len(found) != 1:
        return _which(name, found or rows, known=bool(found))
    (row,) = found
    head = line(told(row["title"], NAME), ours(" — "), count_words(row, context.now))
    with asking("Zendesk"):
        tickets = await context.zendesk.lists.in_view(row["view_id"], context.rules.rows)
        if tickets is None:
            return answer(head, ours("Zendesk does not have this view any more."))
        return answer(head, *await ticket_lines(context, tickets))


async def csat(context: BotContext) -> Message:
    """The running week: share of good ratings, its target, and how many ratings it is made of."""
    if context.csat is None:
        raise NoAnswer("csat is not connected: CSAT_API_URL says where it is.")
    with asking("csat"):
        week, zone = await context.csat.this_week()
    if week is None:
        return answer(ours("No ticket was solved this week, so there is nothing to rate."))
    since = line(ours(f"Tickets solved since {week.first_day:%A %d %B} ("), told(zone, 60), ours("):"))
    ratings = share_words(week.kpi, "ratings", "No ratings yet")
    answered = share_words(week.response_rate, "surveys", "no survey was sent yet")
    return answer(since, line(ours("CSAT: "), ratings), line(ours("Response rate: "), answered))


def share_words(share: Share, of: str, none: str) -> Words:
    """`96.2 % of 52 ratings (95 % interval 91 to 99 %), target 95 %: reached`."""
    target = ours("") if share.target is None else ours(f"target {share.target:.0%}")
    if share.value is None or not share.n:
        return listed([ours(none), target])
    figure = ours(f"{share.value:.1%} of {share.n} {of} (95 % interval {share.low:.0%} to {share.high:.0%})")
    verdict = {True: ours("reached"), False: ours("not reached"), None: ours("")}[share.reached]
    return listed([figure, target, verdict])


def count_words(row: Row, now: datetime) -> Words:
    """`12 · 40s ago`; what is not fresh, not known or not ours to see says so."""
    if row["asked_at"] is None:
        return ours("not counted yet")
    asked = line(span(now - row["asked_at"]), ours(" ago"))
    if not row["readable"]:
        return listed([ours("Zendesk does not show this view to me"), line(ours("asked "), asked)])
    if row["value"] is None:
        return listed([ours("unknown: Zendesk is still counting"), line(ours("asked "), asked)])
    number = ours(str(row["value"]))
    if row["fresh"]:
        return listed([number, asked])
    if row["fresh_at"] is None:
        return listed(
            [number, ours("not fresh: Zendesk does not say from when"), line(ours("asked "), asked)]
        )
    return listed([number, line(ours("not fresh: it was so "), span(now - row["fresh_at"]), ours(" ago"))])


def silence(rows: Sequence[Row], now: datetime, every: timedelta) -> Words | None:
    """What stands above figures that nobody renews; None while somebody does."""
    asked = [row["asked_at"] for row in rows if row["asked_at"] is not None]
    if not asked or now - max(asked) <= LATE * every:
        return None
    return line(ours("Careful: Zendesk has not answered for "), span(now - max(asked)), ours("."))


def matching(rows: Sequence[Row], name: str) -> list[Row]:
    """The view of that title, whatever the case; else those in whose titles it stands."""
    wanted = " ".join(name.split()).casefold()
    titles = [(row, " ".join(row["title"].split()).casefold()) for row in rows]
    exact = [row for row, title in titles if title == wanted]
    return exact[:1] or [row for row, title in titles if wanted in title]


def _which(name: str, rows: Sequence[Row], *, known: bool) -> Message:
    if not rows:
        raise NoAnswer(NONE_YET)
    said = ours("Several views are called like ") if known else ours("No view is called ")
    names = [line(ours("• "), told(row["title"], NAME)) for row in rows]
    return answer(line(said, told(name, NAME), ours(". There are:")), *names)


async def _rows(context: BotContext) -> list[Row]:
    async with context.store.reading() as conn:
        found = await conn.execute(select(bot_views).order_by(bot_views.c.position, bot_views.c.view_id))
        return [dict(row) for row in found.mappings()]
