"""2,000 notices due within a minute over 200 channels, beside 5,000 feed lines, at Slack's real limits.

On a clock that is moved by hand, so that the figures are those of the limits and of the order, and no machine's: a
message a second for a channel, 300 a minute for the workspace. The calls themselves take no time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from structlog.testing import capture_logs

from notifier.breaches.post import BreachNotices
from notifier.destinations import BREACH_NOTICES, POSTS
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.burst import Bursts
from notifier.posting.post import Posts
from notifier.posting.prepared import NOTE
from supportops.clock import ManualClock
from supportops.delivery import Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.claims import claim
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.support.engine import MONDAY, ByHand, store_on

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NOTICES, LINES, CHANNELS, FEEDS = 2_000, 5_000, 200, 40
POLICY = NotifierPolicy()
LIMIT = POLICY.breaches.posts_per_minute or 0


@dataclass(frozen=True)
class Post:
    """A message that Slack was given: `stands_for` so many lines."""

    at: datetime
    due_at: datetime
    channel: str
    stands_for: int = 1


@dataclass
class Rush:
    """Both kinds in one store, taken by hand as the courier takes them."""

    store: Store
    clock: ManualClock
    notices: list[Post] = field(default_factory=list)
    lines: list[Post] = field(default_factory=list)

    def __post_init__(self) -> None:
        context: Any = type("Context", (), {"policy": POLICY, "rules": POLICY.breaches})
        self._bursts = Bursts(POLICY, self.store)
        feeds = Posts(POLICY, cast(Any, None), cast(Any, None), self._bursts, {}, Metrics())
        self._hands = [
            ByHand(self.store, spec) for spec in (BreachNotices(context, cast(Any, None)).spec, feeds.spec)
        ]

    async def book(self) -> None:
        """Notices at whole seconds of the minute, lines all through it."""
        async with self.store.transaction() as tx:
            for number in range(NOTICES):
                due = MONDAY + (number * 60 // NOTICES) * SECOND
                lane = f"C0NOTICES{number % CHANNELS:03d}"
                tx.deliveries.schedule(BREACH_NOTICES, f"n{number}", lane=lane, payload={}, due_at=due)
            for number in range(LINES):
                due = MONDAY + number * MINUTE / LINES
                payload = {"ticket_id": str(1_000 + number), "feed": "f"}
                lane = f"C0FEEDS{number % FEEDS:02d}"
                tx.deliveries.schedule(POSTS, f"l{number}", lane=lane, payload=payload, due_at=due)

    async def run(self, until: datetime) -> None:
        """Until everything is posted, moving on to the next moment at which there is something to claim."""
        while self.clock.now() < until:
            moments = [await self._work(hand) for hand in self._hands]
            ahead = [each for each in moments if each is not None]
            if not ahead:
                return
            self.clock.advance(max(SECOND / 100, min(ahead) - self.clock.now()))

    async def _work(self, hand: ByHand) -> datetime | None:
        spec: DestinationSpec = hand.spec
        while True:
            found = await claim(self.store, spec, spec.batch * spec.concurrency)
            if not found.deliveries:
                return found.look_again_at
            ended = [(each, await self._post(spec.name, each)) for each in found.deliveries]
            await hand.complete(*ended)

    async def _post(self, name: str, delivery: Delivery) -> Outcome:
        now = self.clock.now()
        if name == BREACH_NOTICES:
            self.notices.append(Post(now, delivery.due_at, delivery.lane))
            return Done()
        if NOTE in delivery.payload:
            stands_for = sum(delivery.payload[NOTE]["data"]["tickets"].values())
            self.lines.append(Post(now, delivery.due_at, delivery.lane, stands_for))
            return Done()
        if (burst := await self._bursts.collapse(delivery)) is not None:
            return burst
        self.lines.append(Post(now, delivery.due_at, delivery.lane))
        return Done()


def lateness(posts: list[Post]) -> dict[str, float]:
    late = sorted((each.at - each.due_at).total_seconds() for each in posts)
    shares = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
    return {
        name: round(late[min(len(late) - 1, int(len(late) * share))], 1) for name, share in shares.items()
    }


def by_channel(posts: list[Post]) -> Iterator[list[Post]]:
    for channel in sorted({each.channel for each in posts}):
        yield [each for each in posts if each.channel == channel]


@pytest.mark.long
@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.timeout(900)
async def test_notices_come_first_in_due_order_and_the_rest_is_collapsed(
    new_database: Callable[[str], str],
) -> None:
    clock = ManualClock(MONDAY)
    async with store_on(new_database("notifier"), clock) as store:
        rush = Rush(store, clock)
        await rush.book()
        with capture_logs():  # thousands of lines, beside the table that `make chaos` shows
            await rush.run(MONDAY + timedelta(hours=1))
    last = rush.notices[-1].at
    before = [each for each in rush.lines if each.at < last]
    figures = {
        "notices": lateness(rush.notices),
        "minutes until the last notice": round((last - MONDAY) / MINUTE, 2),
        "at least (the limit alone)": round(NOTICES / LIMIT, 2),
        "feed messages before it": len(before),
        "feed messages": len(rush.lines),
        "lines they stand for": sum(each.stands_for for each in rush.lines),
        "minutes until the last feed message": round((rush.lines[-1].at - MONDAY) / MINUTE, 2),
    }
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    assert len(rush.notices) == NOTICES
    assert [each.due_at for each in rush.notices] == sorted(each.due_at for each in rush.notices)
    assert sum(each.stands_for for each in rush.lines) == LINES
    assert len(rush.lines) < LINES / 10
    assert (last - MONDAY) / MINUTE < 1.1 * NOTICES / LIMIT
    for posts in (*by_channel(rush.notices), *by_channel(rush.lines)):
        assert all(later.at - earlier.at >= SECOND for earlier, later in pairwise(posts))
