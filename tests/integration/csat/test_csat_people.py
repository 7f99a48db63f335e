"""Accounts that were merged in Zendesk are one person: their wishes and their erasure go together."""

from datetime import UTC, datetime, timedelta

import pytest

from csat import tables
from csat.ratings.answer import Answer
from csat.ratings.erase import erase
from csat.ratings.native import store_rating
from csat.ratings.repository import NewRating
from csat.survey_page.opt_out import has_opted_out, opt_in, opt_out
from csat.surveys.handlers import SurveyHandlers
from supportops.contracts import UserMerged
from supportops.store import Store
from supportops.ticket_version import version_of
from tests.integration.csat.assertions import rows_of

AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
RITA, RITA_AT_HOME, RITA_ABROAD, JO = "601", "602", "603", "700"


def merged(one: str, other: str) -> UserMerged:
    return UserMerged(
        id=f"merged-{one}-{other}",
        source="/zendesk/22129848",
        time=AT,
        subject=one,
        account_id="22129848",
        user_id=one,
        other_user_id=other,
        version=version_of(AT, AT),
    )


async def hear(store: Store, *events: UserMerged) -> None:
    async with store.transaction() as tx:
        await SurveyHandlers(timedelta(days=1)).table().run(list(events), tx)


async def wishes(store: Store, *ids: str) -> list[bool]:
    async with store.reading() as conn:
        return [await has_opted_out(conn, each) for each in ids]


@pytest.mark.parametrize("pair", [(RITA, RITA_AT_HOME), (RITA_AT_HOME, RITA)])
async def test_a_wish_follows_the_person_whichever_account_lives_on(
    store: Store, pair: tuple[str, str]
) -> None:
    async with store.transaction() as tx:
        await opt_out(tx, RITA)
    await hear(store, merged(*pair), merged(*pair))
    assert await wishes(store, RITA, RITA_AT_HOME, JO) == [True, True, False]


async def test_a_later_wish_is_that_of_all_accounts(store: Store) -> None:
    await hear(store, merged(RITA, RITA_AT_HOME), merged(RITA_ABROAD, RITA_AT_HOME))
    async with store.transaction() as tx:
        await opt_out(tx, RITA_ABROAD)
    assert await wishes(store, RITA, RITA_AT_HOME, RITA_ABROAD, JO) == [True, True, True, False]
    async with store.transaction() as tx:
        assert await opt_in(tx, RITA)
    assert await wishes(store, RITA, RITA_AT_HOME, RITA_ABROAD) == [False, False, False]


async def test_erasing_one_account_erases_the_person(store: Store) -> None:
    await hear(store, merged(RITA, RITA_AT_HOME))
    async with store.transaction() as tx:
        for ticket_id, who in (("17", RITA), ("18", RITA_AT_HOME), ("19", JO)):
            await store_rating(tx, ticket_id, NewRating(Answer("bad", "My words"), "native", who, AT))
    erased = await erase(store, RITA_AT_HOME)
    assert (erased.accounts, erased.tickets) == ([RITA, RITA_AT_HOME], ["17", "18"])
    left = {row.ticket_id: (row.comment, row.requester_id) for row in await rows_of(store, tables.ratings)}
    assert left == {"17": (None, None), "18": (None, None), "19": ("My words", JO)}
