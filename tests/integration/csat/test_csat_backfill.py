"""History from Zendesk: complete, once, resumable, and nobody hears of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from csat import tables
from csat.kpi.ticket_snapshot import DescribeSolves, Names
from csat.policy.csat import CsatPolicy
from csat.policy.native_ratings import NativeRatingsPolicy
from csat.ratings.answer import Answer
from csat.ratings.backfill import PATIENCE, Backfill, Sources, Span
from csat.ratings.repository import NewRating, record_answer
from csat.surveys.handlers import SurveyHandlers
from supportops.clock import SystemClock
from supportops.errors import CredentialRefused, DestinationAway, Permanent, Retryable
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import Exports, Page, References, Zendesk
from tests.integration.csat.assertions import on, rows_of
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside, impatient_zendesk

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AT_ONCE = CsatPolicy(survey_after=timedelta(0))


class Killed(BaseException):
    """The process ends here."""


class History:
    """A backfill on one database, its waits written down instead of waited."""

    def __init__(self, store: Store, zendesk: Zendesk, rules: CsatPolicy = AT_ONCE) -> None:
        clock, metrics = SystemClock(), Metrics()
        names = References(zendesk, clock=clock, metrics=metrics)
        looked_up = Names(names.organizations, names.forms, names.groups, names.users)
        describe = DescribeSolves(zendesk.tickets, looked_up, rules.numbers)
        exports = Exports(zendesk._calls, per_minute=60_000)  # the pace is not what is tested
        self.store, self.rules = store, rules
        self.sources = Sources(zendesk.satisfaction, exports, zendesk.tickets, describe)
        self.sleep: Callable[[float], Awaitable[None]] = self._do_not_wait
        self.said: list[str] = []

    async def run(self, *, dry_run: bool = False, die_after: int | None = None) -> dict[str, int]:
        """All history, in pages of two tickets; `die_after`: killed when that many reports were made."""

        def report(_share: float | None, words: str) -> None:
            self.said.append(words)
            if die_after is not None and len(self.said) >= die_after:
                raise Killed

        work = Backfill(self.store, self.sources, self.rules, report, dry_run=dry_run, sleep=self.sleep)
        work.page_size = 2
        return await work.run(Span(LONG_AGO, datetime.now(UTC) + timedelta(minutes=5)))

    async def _do_not_wait(self, _seconds: float) -> None:
        return

    async def facts(self) -> dict[str, Any]:
        return {row.ticket_id: row for row in await rows_of(self.store, tables.ticket_facts)}


@pytest.fixture
async def history(live_store: Store, zendesk: Zendesk, outside: Outside) -> History:
    await outside.post("/limits", zendesk={"export_lag": 0, "exports": None})
    return History(live_store, zendesk)


async def a_past(outside: Outside) -> dict[str, str]:
    """Tickets of every kind, by name."""
    kinds = ("good", "bad", "offered", "unasked", "tagged")
    made = {kind: (await outside.solved_ticket(organization="Acme Ltd"))[0] for kind in kinds}
    made["open"] = str((await outside.post("/zendesk/tickets", subject="Open"))["ticket"]["id"])
    made["gone"] = (await outside.solved_ticket())[0]
    await outside.act(made["good"], "rating", score="good", comment="Thanks")
    await outside.act(made["bad"], "rating", score="bad", reason="The issue took too long to resolve")
    await outside.act(made["offered"], "rating", score="offered")
    await outside.act(made["tagged"], "tags", tags={"add": ["csat_survey_sent"]})
    await outside.act(made["bad"], "close")
    await outside.act(made["gone"], "delete")
    return made


async def nobody_heard(store: Store) -> None:
    assert await rows_of(store, tables.engine.deliveries) == []
    assert await rows_of(store, tables.engine.outbox) == []
    assert await rows_of(store, tables.tickets) == []
    assert await rows_of(store, tables.surveys) == []


async def snapshot(history: History) -> list[Any]:
    ratings = await rows_of(history.store, tables.ratings)
    kept = ("solved_at", "plan", "assignee", "decided", "asked_at", "score", "described_at", "rated_at")
    facts = [(key, *(getattr(row, name) for name in kept)) for key, row in (await history.facts()).items()]
    return sorted(ratings) + sorted(facts) + sorted(await rows_of(history.store, tables.answers))


@pytest.mark.both_databases
async def test_the_first_day_is_not_empty_and_nobody_hears_of_it(history: History, outside: Outside) -> None:
    made = await a_past(outside)
    counts = await history.run()
    facts = await history.facts()
    kinds = {key: name for name, key in made.items()}
    assert {kinds[key] for key in facts} == {"good", "bad", "offered", "unasked", "tagged"}
    asked = {kinds[key] for key, row in facts.items() if row.asked_at is not None}
    assert asked == {"good", "bad", "offered", "tagged"}
    assert all(
        row.decided and row.plan == "premium" and row.assignee == "Ada Agent" for row in facts.values()
    )
    assert facts[made["bad"]].reason == "The answer wasn't delivered in a timely manner"
    assert (counts["ratings_added"], counts["tickets_added"]) == (2, 5)
    assert await rows_of(history.store, tables.progress) == []
    await nobody_heard(history.store)


async def test_a_second_run_changes_nothing(history: History, outside: Outside) -> None:
    await a_past(outside)
    await history.run()
    before = await snapshot(history)
    counts = await history.run()
    assert await snapshot(history) == before
    assert (counts["ratings_added"], counts["tickets_added"]) == (0, 0)


@pytest.mark.parametrize("die_after", [1, 2, 3])
async def test_killed_in_the_middle_it_goes_on_with_the_next_page(
    history: History, outside: Outside, die_after: int
) -> None:
    await a_past(outside)
    with pytest.raises(Killed):
        await history.run(die_after=die_after)
    [kept] = await rows_of(history.store, tables.progress)
    history.said.clear()
    counts = await history.run()
    assert history.said[0].startswith("going on where")
    assert (counts["ratings_added"], counts["tickets_added"], counts["ratings_read"]) == (2, 5, 2)
    assert len(await history.facts()) == 5
    assert kept.cursor


async def test_a_cursor_that_was_kept_for_too_long_begins_the_part_anew(
    history: History, outside: Outside
) -> None:
    await a_past(outside)
    with pytest.raises(Killed):
        await history.run(die_after=2)
    async with history.store.transaction() as tx:
        row = (await tx.conn.execute(tables.progress.select())).one()
        stale = row.cursor.replace('"cursor":"', '"cursor":"not-a-cursor-')
        await tx.execute(tables.progress.update().values(cursor=stale))
    await history.run()
    assert len(await history.facts()) == 5


async def test_a_dry_run_counts_and_writes_nothing(history: History, outside: Outside) -> None:
    await a_past(outside)
    counts = await history.run(dry_run=True)
    assert counts["ratings_added"] == 2
    assert await snapshot(history) == []
    assert await rows_of(history.store, tables.progress) == []


async def test_what_csat_knows_better_stays(history: History, outside: Outside) -> None:
    waiting, at = await outside.solved_ticket(organization="Acme Ltd")
    again, first = await outside.solved_ticket()
    voted, _ = await outside.solved_ticket()
    await outside.act(voted, "rating", score="bad")
    async with history.store.transaction() as tx:
        events = [solved(waiting, at), solved(again, first), reopened(again, first + SECOND)]
        await SurveyHandlers(timedelta(hours=24)).table().run(list(events), tx)
    async with history.store.transaction() as tx:
        later = datetime.now(UTC) + timedelta(hours=1)
        await record_answer(tx, voted, NewRating(Answer("good"), "hosted", "5", later), publish=False)
    surveys = await rows_of(history.store, tables.engine.deliveries)
    await history.run()
    facts = await history.facts()
    assert (facts[waiting].solved_at, facts[waiting].decided, facts[waiting].plan) == (at, False, "premium")
    assert facts[again].solved_at is None
    assert facts[voted].score == "good"
    assert await rows_of(history.store, tables.engine.deliveries) == surveys


async def test_a_fresh_rating_of_a_followed_ticket_is_left_to_its_event(
    history: History, outside: Outside
) -> None:
    ticket_id, at = await outside.solved_ticket()
    await outside.act(ticket_id, "rating", score="bad")
    async with history.store.transaction() as tx:
        await SurveyHandlers(timedelta(hours=24)).table().run([solved(ticket_id, at)], tx)
    await history.run()
    assert await rows_of(history.store, tables.ratings) == []


@on("sqlite")
async def test_limits_and_bad_days_are_waited_out(history: History, outside: Outside) -> None:
    await a_past(outside)
    history.sleep = asyncio.sleep
    for path in ("/satisfaction_ratings", "/incremental/tickets"):
        await outside.fault(kind="429", path=path, retry_after=1)
        await outside.fault(kind="error", status=503, path=path)
    await history.run()
    assert len(await history.facts()) == 5
    waits = [words for words in history.said if words.startswith("waiting")]
    assert len([words for words in waits if "429" in words]) == 2
    assert len(waits) >= 4


@on("sqlite")
async def test_one_who_may_not_read_hears_so(history: History, outside: Outside) -> None:
    await outside.fault(kind="error", status=403, path="/incremental/tickets")
    with pytest.raises(Permanent, match="403"):
        await history.run()
    await outside.fault(kind="error", status=503, path="/incremental/tickets", count=50)
    with pytest.raises(Retryable, match="503"):
        await history.run()


class Roundabout:
    """Its second page names the first as the next one."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    async def ratings(self, _since: datetime, _until: datetime, cursor: str | None) -> Page[Any]:
        self.asked.append(cursor)
        assert len(self.asked) < 10, "it goes round for ever"
        return Page[Any]((), "b" if cursor == "a" else "a")


@on("sqlite")
async def test_pages_that_name_each_other_end(history: History) -> None:
    zendesk = Roundabout()
    history.sources = replace(history.sources, satisfaction=cast("Any", zendesk))
    with pytest.raises(Retryable, match="names a page again"):
        await history.run()
    assert zendesk.asked == [None, "a", "b"]


class Refusing:
    """A Zendesk that answers every question with this error."""

    def __init__(self, error: Exception) -> None:
        self._error, self.asked = error, 0

    async def ratings(self, *_arguments: object) -> Any:
        self.asked += 1
        raise self._error


@on("sqlite")
@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (CredentialRefused("the client's secret is wrong", timedelta(minutes=1)), range(1, 2)),
        (DestinationAway("no token", timedelta(seconds=3)), range(2, 8)),
        (Retryable("no connection"), range(2, 6)),
        (Retryable("503, and Retry-After: 0", timedelta()), range(2, 6)),
        (
            Retryable("429", timedelta(seconds=60)),
            range(PATIENCE, PATIENCE + 1),
        ),  # somebody is there, and says when
    ],
)
async def test_before_anybody_answered_nobody_waits_for_long(
    history: History, error: Exception, asked: range
) -> None:
    zendesk = Refusing(error)
    history.sources = replace(history.sources, satisfaction=cast("Any", zendesk))
    with pytest.raises(type(error), match=str(error)):
        await history.run()
    assert zendesk.asked in asked


async def test_answers_to_surveys_are_history_too(
    live_store: Store, sandbox_url: str, outside: Outside
) -> None:
    await outside.post("/limits", zendesk={"export_lag": 0})
    rules = AT_ONCE.model_copy(update={"native_ratings": NativeRatingsPolicy(kind="surveys")})
    ticket_id, _ = await outside.solved_ticket()
    await outside.act(ticket_id, "survey", rating=2, comment="Slow")
    async with impatient_zendesk(sandbox_url) as zendesk:
        history = History(live_store, zendesk, rules)
        counts = await history.run()
        await history.run()
    [row] = await rows_of(live_store, tables.ratings)
    assert (row.score, row.comment, row.revision, counts["ratings_added"]) == ("bad", "Slow", 1, 1)
