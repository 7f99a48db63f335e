"""What is known of a ticket goes after its time, and not before."""

from datetime import timedelta

from csat import tables
from csat.answers.scoring import Answer
from csat.asking import records
from csat.asking.rules import Decision
from csat.answers.keeping import own_retention
from csat.page.voting import vote
from csat.settings import CsatRules
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.workers import janitor
from tests.integration.csat.happenings import solved
from tests.integration.csat.ledger import rows_of, sent_survey
from tests.integration.csat.test_csat_timers import take
from tests.support.engine import running
from tests.support.eventually import eventually

OWN = (tables.tickets, tables.decisions, tables.surveys, tables.ratings)


async def ticket_with_a_story(store: Store, ticket_id: str, clock: ManualClock) -> None:
    await take(store, [solved(ticket_id, clock.now())])
    survey = await sent_survey(store, ticket_id, clock.now())
    async with store.transaction() as tx:
        await records.record_decision(tx, ticket_id, clock.now(), Decision(True, "send", "no rule objects"))
        await vote(tx, survey, Answer("good", "thanks"))


async def test_old_history_goes_and_the_rest_stays(store: Store, clock: ManualClock) -> None:
    rules = CsatRules()
    await ticket_with_a_story(store, "1", clock)
    clock.advance(rules.keep_history)
    await ticket_with_a_story(store, "2", clock)
    clock.advance(timedelta(seconds=1))

    async def only_the_young() -> bool:
        left = [{row.ticket_id for row in await rows_of(store, table)} for table in OWN]
        return left == [{"2"}] * len(OWN)

    async with running(janitor(store, own_retention(rules), Metrics())):
        gone: bool = await eventually(only_the_young)
        assert gone
