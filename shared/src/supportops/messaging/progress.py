"""What Kafka and the metrics are told of a member's progress: committed offsets and lag, for displays only."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from supportops.errors import summary
from supportops.messaging.lanes import Lane, Lanes, lag_of
from supportops.messaging.positions import Positions
from supportops.messaging.topic_ids import topic_ids
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.store import is_outage
from supportops.store.offsets import Advance, PositionMoved

COMMIT_TIME = 5.0  # seconds that a commit may take; a lost one only shows in displays
_log = get_logger("supportops.consumer")


class Progress:
    """Reports the progress of lanes."""

    def __init__(self, consumer: Any, lanes: Lanes, positions: Positions, group: str) -> None:
        self._consumer = consumer
        self._lanes = lanes
        self._positions = positions
        self._group = group
        self._warn = LimitedWarnings(_log)

    async def report(self) -> dict[str, int]:
        """Tell Kafka where we are; the lag per topic."""
        await self.pass_over_marks()
        await self.report_positions(self._lanes)
        lag: dict[str, int] = {}
        for lane in self._lanes:
            if lane.located:
                with contextlib.suppress(IllegalStateError):  # it left us meanwhile
                    behind = lag_of(lane, self._consumer.highwater(lane.partition))
                    lag[lane.partition.topic] = lag.get(lane.partition.topic, 0) + behind
        return lag

    async def report_positions(self, lanes: Iterable[Lane]) -> None:
        """Tell Kafka the position of each partition; one that moved away is reported by its new owner."""
        reported = {
            lane: lane.next_offset for lane in lanes if lane.located and lane.next_offset != lane.committed
        }
        if not reported:
            return
        try:
            async with asyncio.timeout(COMMIT_TIME):  # the library would try as long as the broker is away
                await self._consumer.commit({lane.partition: offset for lane, offset in reported.items()})
        except (CommitFailedError, IllegalStateError) as error:
            _log.info("consumer.commit_moved", group=self._group, error=summary(error))
        except (KafkaError, TimeoutError) as error:
            self._warn.warning("consumer.commit_failed", "commit", group=self._group, error=summary(error))
        else:
            for lane, offset in reported.items():
                lane.committed = offset

    async def of_other_topics(self) -> list[Lane]:
        """Lanes whose position is of a topic that is not there any more, another one having its name."""
        named = {lane: lane.topic_id for lane in self._lanes if lane.located and lane.topic_id}
        if not named:
            return []
        now = await topic_ids(self._consumer, {lane.partition.topic for lane in named})
        return [
            lane
            for lane, known in named.items()
            if lane.located and now.get(lane.partition.topic, known) != known
        ]

    async def pass_over_marks(self) -> None:
        """Offsets that hold no record (the marks of a foreign producer's transactions) are finished as well.

        Between the library's taking note of what it drained and its being handed over no other task runs: a position
        beyond what was handed over is one of marks, never of records.
        """
        ahead: dict[Lane, int] = {}
        for lane in self._lanes.all_read():
            with contextlib.suppress(IllegalStateError):
                position = await self._consumer.position(lane.partition)
                if position > lane.handed_over == lane.next_offset and lane.rests:
                    ahead[lane] = position
                    lane.idle.clear()
        try:
            if ahead:
                await self._positions.advance([_past_marks(lane, at) for lane, at in ahead.items()])
                for lane, position in ahead.items():
                    lane.pass_over(position)
        except Exception as error:
            if is_outage(error) or isinstance(error, PositionMoved):
                _log.info("consumer.marks_wait", group=self._group, error=summary(error))
                return
            raise
        finally:
            for lane in ahead:
                lane.idle.set()


def _past_marks(lane: Lane, position: int) -> Advance:
    topic, partition = lane.partition
    return Advance(topic, partition, lane.next_offset, position, lane.dead_in_a_row)
