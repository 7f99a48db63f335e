"""One readable story per ticket, from the command line and from the tables."""

import json
import subprocess
from collections.abc import Callable
from datetime import timedelta

from pydantic import SecretStr

from csat.answers.scoring import Answer
from csat.asking import records
from csat.asking.rules import Decision
from csat.operators.story import story_of
from csat.page.voting import vote
from supportops.clock import ManualClock
from supportops.settings import DatabaseSettings
from supportops.store import Store, open_store
from tests.integration.csat.happenings import reopened, solved
from tests.integration.csat.ledger import on
from tests.integration.csat.test_csat_timers import take
from tests.support.processes import clean_environment, python_module

ENVIRONMENT = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ZENDESK_BASE_URL": "https://acme.zendesk.com",
    "ZENDESK_EMAIL": "ops@example.com",
    "ZENDESK_TOKEN": "not-a-real-token",
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
        survey = await records.intend(tx, "17", again, "5")
        await records.record_decision(tx, "17", again, Decision(True, "send", "no rule objects"))
        await records.record_sent(tx, survey, tx.now)
    clock.advance(timedelta(hours=1))
    async with store.transaction() as tx:
        await vote(tx, survey, Answer("bad", "secret words", "Some other reason"))


async def test_a_story_from_the_first_solve_to_the_vote(store: Store, clock: ManualClock) -> None:
    await live_through(store, clock)
    async with store.reading() as conn:
        story = await story_of(conn, "17")
        assert await story_of(conn, "99") == []
    told = [(what, detail) for _, what, detail in story]
    assert [at for at, _, _ in story] == sorted(at for at, _, _ in story)
    assert ("zendesk.survey", "due; now cancelled") in told
    assert ("zendesk.survey", "due; now waiting") in told
    assert ("decision: ask", "send: no rule objects") in told
    assert told[-1] == ("rated bad", "answer 1, Some other reason, with a comment")
    assert "secret words" not in str(story)


@on("sqlite")
async def test_the_command_needs_the_database_only(
    new_database: Callable[[str], str], clock: ManualClock
) -> None:
    url = new_database("csat")
    async with open_store(DatabaseSettings(url=SecretStr(url)), clock=clock) as store:
        await live_through(store, clock)
    known, unknown = (explain(url, ticket_id) for ticket_id in ("17", "99"))
    assert known.returncode == 0
    assert json.loads(known.stdout)[-1]["what"] == "rated bad"
    assert (unknown.returncode, json.loads(unknown.stdout)) == (1, [])


def explain(url: str, ticket_id: str) -> subprocess.CompletedProcess[str]:
    command = python_module("csat", "explain", ticket_id, "--json")
    environment = clean_environment(ENVIRONMENT | {"DATABASE_URL": url})
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
