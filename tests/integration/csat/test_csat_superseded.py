"""A survey that never seemed to arrive makes room for a later solve's, and is looked for all the same."""

from datetime import timedelta
from typing import Any

from csat import tables
from supportops.contracts import SurveySent, SurveySkipped
from supportops.store import Store
from supportops.vendors.zendesk import Comment, NewComment, Zendesk
from tests.integration.csat.app import Csat, working
from tests.integration.csat.assertions import promised, rows_of
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside


async def test_the_later_solve_is_asked_with_a_link_of_its_own(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk)
    await dead.hear(solved(ticket_id, at))
    await dead.intend_and_die()
    [old] = await rows_of(live_store, tables.surveys)
    later = at + timedelta(seconds=2)
    await dead.hear(reopened(ticket_id, at + timedelta(seconds=1)), solved(ticket_id, later))
    async with working(live_store, zendesk) as csat:
        await csat.settled()
        assert await csat.decisions() == [(True, "send")]
    [new] = await rows_of(live_store, tables.surveys)
    [former] = await rows_of(live_store, tables.superseded_surveys)
    assert new.survey_id != old.survey_id
    assert (former.survey_id, former.ticket_id, former.solved_at) == (old.survey_id, ticket_id, at)
    assert (new.solved_at, new.sent_at is not None) == (later, True)
    [comment] = await outside.surveys(ticket_id)
    assert dead.tokens.is_in(comment["body"], new.survey_id)


async def test_the_same_solve_keeps_its_link(live_store: Store, zendesk: Zendesk, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk)
    await dead.hear(solved(ticket_id, at))
    await dead.intend_and_die()
    [old] = await rows_of(live_store, tables.surveys)
    async with working(live_store, zendesk) as csat:
        await csat.settled()
    [new] = await rows_of(live_store, tables.surveys)
    assert new.survey_id == old.survey_id
    assert await rows_of(live_store, tables.superseded_surveys) == []


class SlowToArrive:
    """A Zendesk in which the earlier solve's comment shows only when the later one's is about to be written."""

    def __init__(self, zendesk: Zendesk, ticket_id: str, body: str) -> None:
        self._zendesk, self._ticket_id, self._body = zendesk, ticket_id, body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zendesk, name)

    async def update_ticket(self, ticket_id: str, **values: Any) -> Any:
        if self._body:
            body, self._body = self._body, ""
            await self._zendesk.update_ticket(
                ticket_id, **values | {"comment": NewComment(body, public=True)}
            )
            raise ConnectionResetError
        return await self._zendesk.update_ticket(ticket_id, **values)

    async def latest_comments(self, ticket_id: str) -> list[Comment]:
        return await self._zendesk.latest_comments(ticket_id)


async def test_when_the_earlier_one_arrives_after_all_it_is_the_survey(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    """Its call was on the way all the time and won the race: the later solve's is not posted."""
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk)
    await dead.hear(solved(ticket_id, at))
    await dead.intend_and_die()
    [old] = await rows_of(live_store, tables.surveys)
    later = at + timedelta(seconds=2)
    await dead.hear(reopened(ticket_id, at + timedelta(seconds=1)), solved(ticket_id, later))
    late = SlowToArrive(zendesk, ticket_id, dead.text.write(old.survey_id))
    async with working(live_store, late) as csat:
        await csat.settled()
        assert await csat.decisions() == [(False, "already_surveyed")]
    [survey] = await rows_of(live_store, tables.surveys)
    assert (survey.survey_id, survey.solved_at) == (old.survey_id, at)
    assert survey.sent_at is not None
    [former] = await rows_of(live_store, tables.superseded_surveys)
    assert former.solved_at == later
    assert len(await outside.surveys(ticket_id)) == 1
    assert await outside.tags(ticket_id) == ["csat_survey_sent"]
    sent, skipped = await promised(live_store)
    assert isinstance(sent, SurveySent)
    assert isinstance(skipped, SurveySkipped)
    assert (sent.survey_id, sent.solved_at, skipped.solved_at) == (old.survey_id, at, later)
