"""How often forms may be sent: per survey link, and in all.

Each process counts for itself, in memory. Only links that we signed are counted, and the limit for all of them bounds
how many counters a minute can leave.
"""

from math import ceil

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from csat.policy.survey_page import SurveyPagePolicy
from supportops.clock import SystemClock


class PostPace:
    """Counts the forms that are sent."""

    def __init__(self, policy: SurveyPagePolicy) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._all = RateLimitItemPerMinute(policy.posts_per_minute)
        self._link = RateLimitItemPerMinute(policy.posts_per_minute_and_link)
        self._clock = SystemClock()  # the library counts by the machine's clock

    async def seconds_to_wait(self, survey_id: str) -> int:
        """0: the form may be taken, and is counted; else in how many seconds it may be sent again."""
        for limit, key in ((self._link, f"link:{survey_id}"), (self._all, "all")):
            if not await self._limiter.hit(limit, key):
                window = await self._limiter.get_window_stats(limit, key)
                return max(1, ceil(window.reset_time - self._clock.now().timestamp()))
        return 0
