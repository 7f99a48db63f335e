"""What operators see of the notifier's work: a day's notices, the routing with its last decisions, a ticket's story."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notices.ledger import other_notices
from notifier.operations.explain import explain_ticket
from notifier.operations.promises import Promise, count, promises, words
from notifier.operations.why_not import Decision, Sent, last_decisions, what_became
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.posting.names import caller, names_of
from notifier.tables import routing_versions
from supportops.operations.timeline import span
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout
from supportops.web.site import Link, Site
from supportops.web.story_page import SEARCH, Story, StoryPage, mount_story

NOTICES = "/notices"
ROUTING = "/routing"
FIGURES = "/figures"
PAGES = (
    Link("Notices", NOTICES),
    Link("Routing", ROUTING),
    Link("Find a ticket", SEARCH),
    Link("Figures", FIGURES),
)
SHOWN = 500  # notices of a kind on one page
DECISIONS = 50  # each says why not of up to a hundred feeds
DAY = timedelta(days=1)
STORY = Story(explain_ticket, "What was said about it where, why not elsewhere, and what waits.")
_LOOKS = {"name", "channel", "colour", "mention", "template", "lookups", "updates"}
_NO_DAY = "A day is written as 2026-03-31; this is today."


@dataclass(frozen=True)
class Shown:
    """A breach notice with the words that its row needs."""

    notice: Promise
    late: str
    taken: str


@dataclass(frozen=True)
class Routed:
    """A decision, what became of the message in each feed that got it, and for every other feed why not."""

    decision: Decision
    sent: list[Sent]
    why_not: dict[str, str]


class NotifierPages:
    """The pages of notices and of the routing."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._layout = PageLayout("notifier", site)

    async def notices(self, request: Request, wanted: str) -> Response:
        """The notices of a day (UTC), with their state; today's, where `wanted` names none."""
        now = self._store.clock.now()
        day = _day(wanted)
        begin = datetime.combine(day or now.astimezone(UTC).date(), datetime.min.time(), UTC)
        async with self._store.reading() as conn:
            found = await promises(conn, begin, now, until=begin + DAY - timedelta(microseconds=1))
            others = await other_notices(conn, begin, begin + DAY, SHOWN)
            ids = [key for each in found for key in (each.channel, each.taken_by)]
            called = caller(await names_of(conn, [*ids, *(each.channel for each in others)]))
        return self._layout.page(
            request,
            "notices.html",
            422 if wanted and day is None else 200,
            problem=_NO_DAY if wanted and day is None else "",
            day=begin.date(),
            is_today=begin.date() == now.astimezone(UTC).date(),
            before=begin.date() - DAY,
            after=begin.date() + DAY,
            account=words(count(found)),
            called=called,
            breaches=[_shown(each, now, called) for each in found[:SHOWN]],
            left_out=max(0, len(found) - SHOWN),
            others=others[:SHOWN],
        )

    async def routing(self, request: Request) -> Response:
        """The feeds as the rules have them that decided last, and the last decisions."""
        async with self._store.reading() as conn:
            decisions = await last_decisions(conn, DECISIONS)
            sent = await what_became(conn, decisions)
            version, rules = await _rules_of(conn, decisions)
            ids = [each.channel for went in sent for each in went]
            ids += [feed.channel for feed in rules.feeds] if rules else []
            called = caller(await names_of(conn, ids))
        routed = [Routed(each, went, dict(each.judged())) for each, went in zip(decisions, sent, strict=True)]
        feeds = [(feed, _conditions(feed)) for feed in rules.feeds] if rules else []
        values: dict[str, Any] = {"version": version, "feeds": feeds, "routed": routed, "called": called}
        return self._layout.page(request, "routing.html", match=rules.match if rules else "all", **values)


def _day(wanted: str) -> date | None:
    """The day that an address names; None where it names none that can have notices."""
    try:
        day = date.fromisoformat(wanted)
    except ValueError:
        return None
    return day if 2000 <= day.year < 3000 else None


def _shown(each: Promise, now: datetime, called: Callable[[str], str]) -> Shown:
    taken = ""
    if each.taken_by is not None and each.taken_until is not None:
        verb = "taken by" if each.taken_until > now else "was taken by"
        taken = f"{verb} {called(each.taken_by)} until {each.taken_until:%H:%M:%S}"
    return Shown(each, _late(each, now), taken)


def _late(each: Promise, now: datetime) -> str:
    """How late it came, or is; of one that is still to come, when it is due."""
    if each.late is not None:
        return f"{each.late.total_seconds():.3f} s late" if each.late else "in time"
    if each.outcome not in ("waiting", "missed"):
        return ""
    return f"due in {span(each.due_at - now)}" if each.due_at > now else f"late by {span(now - each.due_at)}"


async def _rules_of(
    conn: AsyncConnection, decisions: list[Decision]
) -> tuple[str | None, NotifierPolicy | None]:
    """The rules of the newest decision; without one, those that a worker was started with last."""
    if decisions:
        return decisions[0].version, decisions[0].rules
    query = select(routing_versions).order_by(routing_versions.c.first_used_at.desc()).limit(1)
    row = (await conn.execute(query)).first()
    return (row.version, NotifierPolicy.model_validate_json(row.rules)) if row else (None, None)


def _conditions(feed: FeedRule) -> dict[str, Any]:
    """What a feed asks for, as the rules' file has it; without what is so for every feed."""
    return feed.model_dump(mode="json", exclude=_LOOKS, exclude_defaults=True)


def mount_pages(app: FastAPI, store: Store, auth: OperatorAuth) -> None:
    """The routes, for those whom the guard lets in."""
    pages = NotifierPages(store, auth.site)
    mount_story(app, auth, StoryPage(store, auth.site, STORY))

    @guarded_page(app, auth, NOTICES)
    async def notices(request: Request, day: str = "") -> Response:
        return await pages.notices(request, day)

    @guarded_page(app, auth, ROUTING)
    async def routing(request: Request) -> Response:
        return await pages.routing(request)
