"""Polling, so that an error of one partition costs the others nothing.

When one partition raises, the library throws away what it had drained of the others and counts it as delivered: after
any error each partition is read again from where it was handed over, and is polled by itself until something is heard
of it. The one in trouble is polled alone from then on, record by record, so that what stands before the damage passes.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from supportops.errors import summary
from supportops.messaging.lanes import Lane, Lanes, Trouble
from supportops.messaging.ports import Record
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger

POLL_TIME = 200  # milliseconds that a poll waits for records
SUSPECT_TIME = 20  # milliseconds that a partition is polled by itself, to find out which one is in trouble
SUSPICION = 3.0  # seconds after which a partition of which nothing came is polled with the others again
TRY_AGAIN = 1.0  # seconds between looks at a partition whose next record cannot be read
_log = get_logger("supportops.consumer")


class Reader:
    """Moves records from the library to their lanes."""

    def __init__(self, library: Any, lanes: Lanes, group: str, on_change: Callable[[], object]) -> None:
        """`on_change` is called when there are records to work on, or positions to find."""
        self._library = library
        self._lanes = lanes
        self._group = group
        self._on_change = on_change
        self._warn = LimitedWarnings(_log)
        self._refused: Trouble | None = None  # the group does not take us

    async def poll(self, max_records: int) -> bool:
        """One round over all partitions that may be read; False when there was nothing to poll.

        Without any partition of ours the library is polled all the same: it takes a member that does not poll for dead.
        """
        for lane, trouble in self._lanes.in_trouble():
            await self._poll_alone(lane, trouble)
        suspects = self._lanes.suspects()
        for lane in suspects:
            await self._look_at(lane)
        together = [lane.partition for lane in self._lanes.with_room()]
        if not together and len(self._lanes):
            return bool(suspects)
        try:
            polled = await self._library.getmany(*together, timeout_ms=POLL_TIME, max_records=max_records)
        except (IllegalStateError, NoOffsetForPartitionError):
            self._read_again()  # a partition left us between the two lines above, or came before it was sought
        except Exception as error:  # noqa: BLE001  # what a record holds may make the library raise anything
            return self._suspect_all(error)
        else:
            self._refused = None
            self._hand_over(polled)
        return True

    def complaints(self, after: timedelta) -> list[str]:
        """What keeps us out of the group for longer than `after`, in words for an operator."""
        refused = self._refused
        if (
            refused is None
            or len(self._lanes)
            or (long := time.monotonic() - refused.since) < after.total_seconds()
        ):
            return []
        return [f"cannot join its group since {round(long)} s: {refused.reason}"]

    def _read_again(self, *lanes: Lane) -> None:
        """Each partition (or those given) from where it was handed over."""
        for lane in lanes or self._lanes:
            if lane.located:
                with contextlib.suppress(IllegalStateError):
                    self._library.seek(lane.partition, lane.handed_over)

    def _suspect_all(self, error: Exception) -> bool:
        """Polled together they raised: have each polled by itself, so that the one in trouble is known by name.

        Without any partition it is the group that does not take us; False, so that it is not asked again at once.
        """
        self._read_again()
        if isinstance(error, OffsetOutOfRangeError):
            for partition in error.args[0]:
                self._lose(self._lanes.get(partition))
            return True
        self._warn.warning("consumer.poll_failed", "poll", group=self._group, error=summary(error))
        for lane in self._lanes.with_room():
            lane.suspect_until = time.monotonic() + SUSPICION
        if not len(self._lanes):
            self._refused = self._refused or Trouble(summary(error))
        return len(self._lanes) > 0

    async def _look_at(self, lane: Lane) -> None:
        """Poll a suspect until records come of it, or its error; polled with others its error would cost theirs."""
        before = lane.handed_over
        error = await self._poll_one(lane, self._lanes.max_batch, SUSPECT_TIME)
        if error is not None:
            self._in_trouble(lane, error)
        if error is not None or lane.handed_over != before:
            lane.suspect_until = 0

    async def _poll_alone(self, lane: Lane, trouble: Trouble) -> None:
        """A record at a time from the answer that the library holds, so that what stands before the damage passes.

        More at once would lose them together, and cost a new answer: which may be a long time in coming, since the
        library asks a broker for one answer at a time. So nothing is waited for here either; the others go on.
        """
        for _ in range(self._lanes.max_batch):
            before = lane.handed_over
            if (await self._poll_one(lane, 1, within=0)) is not None:
                trouble.stands_at(before)
                trouble.wait(TRY_AGAIN)
                return
            if lane.handed_over == before:
                trouble.quiet_polls += 1
                break
        if trouble.is_over(lane.handed_over):
            lane.trouble = None

    async def _poll_one(self, lane: Lane, max_records: int, within: int) -> Exception | None:
        """Poll one partition for `within` milliseconds; what it raised, after which nothing of it is lost."""
        try:
            polled = await self._library.getmany(lane.partition, timeout_ms=within, max_records=max_records)
        except IllegalStateError:
            self._read_again(lane)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError):
            self._lose(lane)
        except Exception as error:  # noqa: BLE001  # as above
            self._read_again(lane)
            return error
        else:
            self._hand_over(polled)
        return None

    def _in_trouble(self, lane: Lane, error: Exception) -> None:
        lane.trouble = Trouble(summary(error))
        topic, partition = lane.partition
        at = {"topic": topic, "partition": partition, "offset": lane.handed_over}
        _log.error("consumer.cannot_read", group=self._group, error=summary(error), **at)

    def _lose(self, lane: Lane | None) -> None:
        """Have a position found anew; what does not fit is named and alarmed there."""
        if lane is not None and lane.idle.is_set():
            lane.lose()
            self._on_change()

    def _hand_over(self, polled: dict[TopicPartition, list[Record]]) -> None:
        for partition, records in polled.items():
            lane = self._lanes.get(partition)
            if lane is not None and lane.located:
                lane.hand_over(records)
                self._on_change()
            # Else it came before its assignment, or after its revocation: its position is sought before it is read.
