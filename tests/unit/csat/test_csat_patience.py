"""Which refusals of Zendesk concern one survey, and which concern all of them."""

from datetime import timedelta

import pytest

from supportops.delivery import Done, Outcome
from supportops.delivery.pausing import TRIES, quota_pauses_all, while_it_moves
from supportops.errors import Conflict, DestinationPaused, NotFound, Permanent, Retryable, UnknownOutcome
from tests.support.for_each import for_each

MINUTE = timedelta(minutes=1)


@for_each(
    "raised, seen",
    [
        (Retryable("429 of the account's ticket updates", MINUTE), DestinationPaused),
        (DestinationPaused("login", MINUTE), DestinationPaused),
        (Retryable("no connection"), Retryable),
        (Conflict("409", MINUTE), Conflict),
        (UnknownOutcome("503", MINUTE), UnknownOutcome),
        (Permanent("403"), Permanent),
        (NotFound("404"), NotFound),
    ],
)
def test_a_named_wait_is_everybodys(raised: Exception, seen: type[Exception]) -> None:
    with pytest.raises(seen) as caught, quota_pauses_all():
        raise raised
    assert type(caught.value) is seen
    assert getattr(caught.value, "after", None) == getattr(raised, "after", None)


@for_each("collisions", range(TRIES + 1))
async def test_a_ticket_that_moves_is_looked_at_a_few_times(collisions: int) -> None:
    left = [Conflict("409")] * collisions

    async def once() -> Outcome:
        if left:
            raise left.pop()
        return Done()

    if collisions < TRIES:
        assert await while_it_moves(once, Conflict) == Done()
    else:
        with pytest.raises(Conflict):
            await while_it_moves(once, Conflict)
    assert left == []
