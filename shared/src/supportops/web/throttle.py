"""How often a password may be tried, per address and by all addresses together; counted in this process."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

ALL_TOGETHER = 6  # times what one address may: against guessing from many addresses


class Throttle:
    """Counts attempts. Behind a proxy all come from one address, the proxy's."""

    def __init__(self, per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._of_one = RateLimitItemPerMinute(per_minute)
        self._of_all = RateLimitItemPerMinute(per_minute * ALL_TOGETHER)

    async def wait_before(self, address: str) -> int:
        """Count one attempt from `address`: 0 when it may be made, else the seconds to wait before the next."""
        for limit, names in ((self._of_one, ("one", address)), (self._of_all, ("all",))):
            if not await self._limiter.hit(limit, *names):
                window = await self._limiter.get_window_stats(limit, *names)
                return max(1, math.ceil(window.reset_time - time.time()))
        return 0
