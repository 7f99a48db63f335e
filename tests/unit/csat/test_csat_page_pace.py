"""How often forms may be sent."""

from datetime import UTC, datetime, timedelta

import time_machine

from csat.policy.survey_page import SurveyPagePolicy
from csat.survey_page.pace import PostPace


async def test_what_was_too_much_may_be_tried_again_when_the_page_says_so() -> None:
    begin = datetime(2026, 11, 2, 9, 0, 12, tzinfo=UTC)
    pace = PostPace(SurveyPagePolicy(posts_per_minute_and_link=2))
    with time_machine.travel(begin, tick=False) as traveller:
        assert [await pace.seconds_to_wait("one") for _ in range(3)] == [0, 0, 60]
        assert await pace.seconds_to_wait("another") == 0
        traveller.move_to(begin + timedelta(seconds=59))
        assert await pace.seconds_to_wait("one") == 1
        traveller.move_to(begin + timedelta(seconds=60))
        assert await pace.seconds_to_wait("one") == 0


async def test_a_link_that_is_refused_does_not_use_up_what_all_may_send() -> None:
    pace = PostPace(SurveyPagePolicy(posts_per_minute_and_link=2, posts_per_minute=3))
    for _ in range(10):
        await pace.seconds_to_wait("a flood")
    assert await pace.seconds_to_wait("somebody else") == 0
    assert await pace.seconds_to_wait("one too many") > 0
