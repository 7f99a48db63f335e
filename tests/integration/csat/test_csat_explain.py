"""One readable story per ticket, from the command line and from the tables."""

import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from csat import destinations, tables
from csat.operations.timeline import timeline_of
from csat.operations.timeline_text import lines_of, standing
from csat.ratings.answer import Answer
from csat.survey_page.vote import vote
from csat.surveys import repository
from csat.surveys.exclusion_rules import Decision
from supportops.clock import ManualClock
from supportops.config import DatabaseSettings
from supportops.delivery import Courier, Delivery, DestinationSpec, Discard, Outcome, Snooze
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Metrics
from supportops.store import Store, open_store
from tests.integration.csat.assertions import deliveries, on
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.test_csat_timers import take
from tests.support.commands import run_command
from tests.support.engine import running
from tests.support.eventually import eventually

CALL = "call zendesk.survey 17:2026-11-02T09:00:00.000000Z"
ENVIRONMENT = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ZENDESK_BASE_URL": "http://127.0.0.1:9/zendesk",
    "ZENDESK_CLIENT_ID": "csat",
    "ZENDESK_CLIENT_SECRET": "not-a-real-secret",
    "CSAT_BASE_URL": "https://survey.example.com",
    "CSAT_LINK_KEYS": "the-key-of-these-tests",
    "CSAT_API_TOKEN": "operators-only-0123456789",
}


async def live_through(store: Store, clock: ManualClock) -> None:
    """Solved, reopened, solved again, asked, rated with a comment."""
    again = clock.now() + timedelta(hours=2)
    await take(store, [solved("17", clock.now()), reopened("17", clock.now() + timedelta(hours=1))])
    await take(store, [solved("17", again), solved("18", again)])
    clock.advance(timedelta(hours=26))
    async with store.transaction() as tx:
        survey = await repository.reserve_survey(tx, "17", again, "5")
        await repository.record_decision(tx, "17", again, Decision(True, "send", "no rule objects"))
        await repository.record_sent(tx, survey, tx.now)
    clock.advance(timedelta(hours=1))
    async with store.transaction() as tx:
        await vote(tx, survey, Answer("bad", "secret words", "Some other reason"))


async def told(store: Store, ticket_id: str, *, words: bool = False) -> list[tuple[str, str]]:
    async with store.reading() as conn:
        timeline = await timeline_of(conn, ticket_id, store.clock.now())
    lines = lines_of(timeline, words=words)
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    return [(line.what, line.detail) for line in lines]


async def stands(store: Store, ticket_id: str) -> dict[str, str]:
    async with store.reading() as conn:
        return standing(await timeline_of(conn, ticket_id, store.clock.now()))


@pytest.mark.both_databases
async def test_a_story_from_the_first_solve_to_the_vote(store: Store, clock: ManualClock) -> None:
    await live_through(store, clock)
    lines = await told(store, "17")
    events = [what for what, _ in lines if what.startswith("event")]
    assert events == ["event: solved", "event: reopened", "event: solved"]
    assert ("call zendesk.survey", "cancelled; it was due on 2026-11-03 09:00:00 UTC") in lines
    assert "send: no rule objects" in dict(lines)["decision: ask"]
    assert lines[-1] == ("rated bad", "answer 1, hosted, Some other reason, with a comment")
    assert "secret words" not in str(lines)
    assert "secret words" in str(await told(store, "17", words=True))


async def test_how_it_stands(store: Store, clock: ManualClock) -> None:
    await live_through(store, clock)
    now = await stands(store, "17")
    assert now["survey"] == "sent 2026-11-03 11:00:00 UTC"
    assert now["answer"] == "bad since 2026-11-03 12:00:00 UTC, by hosted"
    assert now["counts"].startswith("as solved, decided, asked, bad on 2026-11-02, under no form")
    assert now["issue"] == "none"


async def test_an_event_that_came_late_is_told_as_no_news(store: Store, clock: ManualClock) -> None:
    solve = clock.now()
    await take(store, [solved("17", solve)])
    clock.advance(timedelta(hours=3))
    await take(store, [reopened("17", solve - timedelta(hours=1))])
    assert (
        "event: reopened",
        "by native, heard of 4h later; something newer was known, it changed nothing",
    ) in (await told(store, "17"))


async def test_a_timer_says_when_it_is_due_and_who_goes_first(store: Store, clock: ManualClock) -> None:
    await take(store, [solved("16", clock.now() - timedelta(minutes=5)), solved("17", clock.now())])
    clock.advance(timedelta(hours=21))
    waits = await stands(store, "17")
    assert waits[CALL] == "due in 3h, on 2026-11-03 09:00:00 UTC"
    assert waits["survey"] == "none yet"
    clock.advance(timedelta(hours=4))
    assert (await stands(store, "17"))[CALL] == "waits for its turn: 1 before it; late by 1h"
    assert (await stands(store, "16"))[
        "call zendesk.survey 16:2026-11-02T08:55:00.000000Z"
    ] == "due now: next in turn; late by 1h5m"


async def test_a_timer_says_why_it_was_put_off(store: Store, clock: ManualClock) -> None:
    await take(store, [solved("17", clock.now())])
    clock.advance(timedelta(hours=24))
    off = Snooze(timedelta(hours=8), "postponed: quiet hours of the requester")
    await attempt(store, off)
    wait = (await stands(store, "17"))[CALL]
    assert (
        wait == "due in 8h, on 2026-11-03 17:00:00 UTC; last answer: postponed: quiet hours of the requester"
    )
    assert ("call zendesk.survey", "attempt 1: postponed: quiet hours of the requester") in await told(
        store, "17"
    )


async def test_a_paused_destination_says_so(store: Store, clock: ManualClock) -> None:
    await take(store, [solved("17", clock.now())])
    clock.advance(timedelta(hours=24))
    await attempt(store, DestinationPaused("zendesk ticket: 401", timedelta(minutes=5)))
    wait = (await stands(store, "17"))[CALL]
    assert wait == "all calls to zendesk.survey wait 5m more; last answer: zendesk ticket: 401"


async def test_a_dead_call_names_its_reason_and_its_remedy(store: Store, clock: ManualClock) -> None:
    await take(store, [solved("17", clock.now())])
    clock.advance(timedelta(hours=24))
    await attempt(store, Discard("zendesk ticket: 403"))
    now = await stands(store, "17")
    again = "(once mended: deliveries retry 17:2026-11-02T09:00:00.000000Z)"
    assert now[CALL] == f"given up: zendesk ticket: 403 {again}"
    assert now["survey"] == "none: given up: zendesk ticket: 403"


async def test_a_survey_that_was_begun_and_given_up_is_not_about_to_be_sent(
    store: Store, clock: ManualClock
) -> None:
    solve = clock.now()
    await take(store, [solved("17", solve)])
    clock.advance(timedelta(hours=24))
    async with store.transaction() as tx:
        await repository.reserve_survey(tx, "17", solve, "5")
    begun = "begun 2026-11-03 09:00:00 UTC"
    assert (await stands(store, "17"))["survey"] == "about to be sent since 2026-11-03 09:00:00 UTC"
    await attempt(store, Discard("zendesk ticket: 403"))
    assert (await stands(store, "17"))["survey"] == f"not sent: given up: zendesk ticket: 403 ({begun})"
    async with store.transaction() as tx:
        no = Decision(False, "closed", "the ticket was closed")
        await repository.record_decision(tx, "17", solve, no)
    assert (await stands(store, "17"))["survey"] == "none: closed: the ticket was closed"


async def test_issue_opt_out_and_old_links_are_told(store: Store, clock: ManualClock) -> None:
    await live_through(store, clock)
    async with store.transaction() as tx:
        issue = {"iid": "7", "web_url": "https://git.example/7", "revision": 1, "created_at": tx.now}
        await tx.execute(insert(tables.issues).values(ticket_id="17", updated_at=tx.now, **issue))
        requesters = await tx.load(tables.requesters, ["5"])
        requesters.put("5", opted_out_at=tx.now, changed_at=tx.now)
        old = {"survey_id": "old", "ticket_id": "17", "superseded_at": tx.now}
        await tx.execute(insert(tables.superseded_surveys).values(**old))
    lines = dict(await told(store, "17"))
    assert lines["issue"] == "#7 https://git.example/7, shows answer 1"
    assert lines["survey replaced"] == "links of survey old say so now"
    assert (await stands(store, "17"))["requester"].startswith("wants no surveys since 2026-11-03 12:00")


async def test_nothing_is_known_of_a_stranger(store: Store, clock: ManualClock) -> None:
    await live_through(store, clock)
    async with store.reading() as conn:
        assert not (await timeline_of(conn, "99", clock.now())).known
    assert await told(store, "99") == []


@on("sqlite")
async def test_the_command_needs_the_database_only(
    new_database: Callable[[str], str], clock: ManualClock
) -> None:
    url = new_database("csat")
    async with open_store(DatabaseSettings(url=SecretStr(url)), clock=clock) as store:
        await live_through(store, clock)
    known, unknown, text = explain(url, "17", "--json"), explain(url, "99", "--json"), explain(url, "17")
    assert known.returncode == 0, known.stderr
    timeline = json.loads(known.stdout)
    assert timeline["timeline"][-1]["what"] == "rated bad"
    assert (len(timeline["events"]), timeline["survey"]["mode"], timeline["numbers"]["score"]) == (
        3,
        "hosted",
        "bad",
    )
    assert "secret words" not in known.stdout + text.stdout
    assert (unknown.returncode, json.loads(unknown.stdout)["timeline"]) == (1, [])
    assert "nothing is known of ticket '99'" in unknown.stderr
    assert "Traceback" not in unknown.stderr
    assert "decision: ask\tsend: no rule objects" in text.stdout


def explain(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"DATABASE_URL": url}  # nothing else is needed
    return run_command("csat", "explain", *arguments, environment=environment)


class _Answering:
    """A destination that answers the same to everything."""

    spec = DestinationSpec(destinations.SURVEY, idempotent=True)

    def __init__(self, answer: Outcome | Exception) -> None:
        self._answer = answer

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer for _ in deliveries]


async def attempt(store: Store, answer: Outcome | Exception) -> None:
    """Have the courier try once what is due for the survey's destination."""

    async def tried() -> bool:
        return all(row.history for row in (await deliveries(store, destinations.SURVEY)).values())

    async with running(Courier(store, [_Answering(answer)], Metrics())):
        assert await eventually(tried)
