"""Where a partition goes on: our own row first, then what Kafka knows; what does not fit is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from sqlalchemy import select, update

from supportops.clock import ManualClock
from supportops.messaging.positions import Positions
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.store.offsets import (
    Advance,
    Position,
    PositionMoved,
    first_positions,
    read_positions,
    take_and_advance,
)
from supportops.store.tables import ENGINE
from tests.support.engine import rows_of
from tests.support.topic_ids import FIRST, SECOND, FakeClient

ONE, OTHER = TopicPartition("t", 0), TopicPartition("t", 1)
NOTHING: Mapping[TopicPartition, int] = {}


@dataclass
class FakeLibrary:
    """What a broker says of partitions: the group's committed offsets, oldest records, ends, topics' ids."""

    commits: dict[TopicPartition, int] = field(default_factory=dict)
    begins: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    _client: FakeClient = field(default_factory=FakeClient)

    async def committed(self, partition: TopicPartition) -> int | None:
        return self.commits.get(partition)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self.begins.get(p, 0) for p in partitions}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self.ends.get(p, 1000) for p in partitions}


@pytest.fixture
def positions(store: Store, metrics: Metrics) -> Positions:
    return Positions(store, "csat", metrics)


async def stored(store: Store, topic_id: str | None = FIRST, **offsets: int) -> None:
    """Rows of partitions `p0`, `p1` …"""
    async with store.transaction() as tx:
        rows = {("t", int(name[1:])): Position(offset, topic_id=topic_id) for name, offset in offsets.items()}
        await first_positions(tx.conn, "csat", rows, tx.now)


async def located(
    positions: Positions, library: FakeLibrary, *partitions: TopicPartition, remembered: Any = NOTHING
) -> dict[TopicPartition, Position]:
    """Only what matters to reading: where, and up to where it was read before."""
    found = await positions.locate(library, partitions, remembered)
    return {p: Position(at.next_offset, reread_until=at.reread_until) for p, (at, _) in found.items()}


async def uncertain(store: Store) -> dict[str, bool]:
    return {key: bool(row["uncertain"]) for key, row in (await rows_of(store)).items()}


async def test_without_a_row_the_committed_offset_is_taken_over_else_the_oldest_record(
    positions: Positions,
) -> None:
    library = FakeLibrary(commits={ONE: 42}, begins={OTHER: 7})
    expected = {ONE: Position(42), OTHER: Position(7)}
    assert await located(positions, library, ONE, OTHER) == expected
    library.commits[ONE] = 40  # what Kafka says later is for displays
    assert await located(positions, library, ONE, OTHER) == expected


async def test_a_committed_offset_that_the_topic_does_not_have_is_not_taken_over(
    positions: Positions,
) -> None:
    library = FakeLibrary(commits={ONE: 42, OTHER: 3}, begins={OTHER: 7}, ends={ONE: 10})
    assert await located(positions, library, ONE, OTHER) == {ONE: Position(0), OTHER: Position(7)}


@dataclass
class Misfit:
    """A stored offset, what the topic has, and its name."""

    row: int
    begin: int
    end: int
    kind: str


@pytest.mark.parametrize("it", [Misfit(50, 0, 20, "beyond_end"), Misfit(5, 9, 100, "before_beginning")])
async def test_a_position_that_the_topic_does_not_have_is_named_and_read_from_the_oldest_record(
    positions: Positions, store: Store, metrics: Metrics, it: Misfit
) -> None:
    await stored(store, p0=it.row, p1=3)
    library = FakeLibrary({ONE: it.row}, begins={ONE: it.begin}, ends={ONE: it.end})
    assert await located(positions, library, ONE, OTHER) == {ONE: Position(it.begin), OTHER: Position(3)}
    assert metrics.value("consumer_resets", group="csat", topic="t", kind=it.kind) == 1
    o = ENGINE.consumer_offsets
    async with store.reading() as conn:
        found = (await conn.execute(select(o).where(o.c.partition == 0))).one()
    assert (found.reset_kind, found.reset_from, found.reset_at) == (it.kind, it.row, store.clock.now())
    assert await located(positions, library, ONE) == {ONE: Position(it.begin)}
    assert metrics.value("consumer_resets", group="csat", topic="t", kind=it.kind) == 1  # told once


def named(topic_id: str | None) -> FakeClient:
    """The broker's topic has that id; None: it tells no ids."""
    return FakeClient({"t": topic_id}) if topic_id else FakeClient(knows=(0, 8))


@dataclass
class Anew:
    """A row at 50 and the id that it names, the id that the broker tells, the group's committed offset; where it goes
    on, up to where it is in doubt, and why.
    """

    before: str | None
    now: str | None
    committed: int | None
    on: int
    doubt: int | None = None
    kind: str | None = None


@pytest.mark.parametrize(
    "it",
    [
        Anew(FIRST, FIRST, 50, on=50),
        Anew(FIRST, FIRST, None, on=50),  # nobody was a member for a week: the broker has forgotten the group
        Anew(FIRST, SECOND, None, on=3, kind="made_anew"),
        Anew(FIRST, SECOND, 3, on=3, kind="made_anew"),
        Anew(
            FIRST, SECOND, 40, on=3, doubt=40, kind="made_anew"
        ),  # read by a life that the database has forgotten
        Anew(FIRST, SECOND, 90, on=3, doubt=90, kind="made_anew"),
        Anew(None, FIRST, 50, on=50),
        Anew(None, FIRST, 20, on=50),  # Kafka was told late
        Anew(None, FIRST, None, on=3, doubt=50, kind="maybe_anew"),
        Anew(None, None, None, on=3, doubt=50, kind="maybe_anew"),
        Anew(None, None, 50, on=50),
        Anew(FIRST, None, 50, on=50),
        Anew(FIRST, None, None, on=3, doubt=50, kind="maybe_anew"),
    ],
)
async def test_a_topic_made_anew_is_known_by_its_id_whatever_it_holds(
    positions: Positions, store: Store, metrics: Metrics, it: Anew
) -> None:
    await stored(store, it.before, p0=50)
    commits = {} if it.committed is None else {ONE: it.committed}
    library = FakeLibrary(commits, begins={ONE: 3}, ends={ONE: 95}, _client=named(it.now))
    remembered = {ONE: 50}  # by a member that was at work meanwhile: of the old topic
    expected = {ONE: Position(it.on, reread_until=it.doubt)}
    assert await located(positions, library, ONE, remembered=remembered) == expected
    assert await located(positions, library, ONE) == expected  # and noticed once
    kinds = ("made_anew", "maybe_anew", "beyond_end", "before_beginning", "restored")
    counted = {k: metrics.value("consumer_resets", group="csat", topic="t", kind=k) for k in kinds}
    assert {kind: times for kind, times in counted.items() if times} == ({it.kind: 1} if it.kind else {})
    now_named = it.now or (it.before if it.kind is None else None)
    assert {at.topic_id for at in (await positions_of(store)).values()} == {now_named}


async def positions_of(store: Store) -> dict[Any, Position]:
    async with store.reading() as conn:
        return await read_positions(conn, "csat")


async def test_what_may_be_the_old_topic_is_in_doubt_no_further_than_it_reaches(
    positions: Positions, store: Store
) -> None:
    await stored(store, None, p0=50)
    library = FakeLibrary(ends={ONE: 20}, _client=named(None))
    assert await located(positions, library, ONE) == {ONE: Position(0, reread_until=20)}


async def test_one_topic_made_anew_leaves_another_alone(
    positions: Positions, store: Store, metrics: Metrics
) -> None:
    other = TopicPartition("u", 0)
    await stored(store, p0=50)
    async with store.transaction() as tx:
        await first_positions(tx.conn, "csat", {other: Position(9, topic_id=SECOND)}, tx.now)
    library = FakeLibrary(_client=FakeClient({"t": SECOND, "u": SECOND}))
    assert await located(positions, library, ONE, other) == {ONE: Position(0), other: Position(9)}
    assert metrics.value("consumer_resets", group="csat", topic="u", kind="made_anew") == 0


async def test_rows_learn_the_ids_of_their_topics_each_its_own(positions: Positions, store: Store) -> None:
    await stored(store, None, p0=50, p1=7)
    spots = {ONE: Position(50), OTHER: Position(7), TopicPartition("u", 1): Position(9)}
    async with store.transaction() as tx:
        await first_positions(
            tx.conn, "csat", {**spots, ("t", 2): Position(1)}, tx.now
        )  # that one is not ours
    library = FakeLibrary(dict.fromkeys(spots, 7), _client=FakeClient({"t": FIRST, "u": SECOND}))
    await positions.locate(library, list(spots), {})
    names = {spot: at.topic_id for spot, at in (await positions_of(store)).items()}
    assert names == {("t", 0): FIRST, ("t", 1): FIRST, ("t", 2): None, ("u", 1): SECOND}


async def test_retention_that_was_faster_does_not_hide_a_restored_database(
    positions: Positions, store: Store, metrics: Metrics
) -> None:
    """What stood behind the row is gone; what stands there was handled by the life that the database has forgotten."""
    await stored(store, p0=5)
    library = FakeLibrary(commits={ONE: 100}, begins={ONE: 9})
    assert await located(positions, library, ONE) == {ONE: Position(9, reread_until=100)}
    for kind in ("before_beginning", "restored"):
        assert metrics.value("consumer_resets", group="csat", topic="t", kind=kind) == 1
    library.begins[ONE] = 30
    assert await located(positions, library, ONE) == {ONE: Position(30, reread_until=100)}
    assert metrics.value("consumer_resets", group="csat", topic="t", kind="restored") == 1


class TestRestored:
    """The database is older than what was done: records are read again, and every effect is asked about first."""

    async def test_open_deliveries_and_what_is_read_again_are_uncertain(
        self, positions: Positions, store: Store, metrics: Metrics
    ) -> None:
        await stored(store, p0=50, p1=20)
        await schedule(store, "open", "done")
        async with store.transaction() as tx:
            done = update(ENGINE.deliveries).where(ENGINE.deliveries.c.key == "done").values(state="done")
            await tx.conn.execute(done)
        library = FakeLibrary(commits={ONE: 100, OTHER: 20})
        assert await located(positions, library, ONE, OTHER) == {
            ONE: Position(50, reread_until=100),
            OTHER: Position(20),
        }
        assert await uncertain(store) == {"open": True, "done": False}
        assert metrics.value("consumer_resets", group="csat", topic="t", kind="restored") == 1

    async def test_it_is_noticed_once(self, positions: Positions, store: Store, metrics: Metrics) -> None:
        await stored(store, p0=50)
        library = FakeLibrary(commits={ONE: 100})
        await located(positions, library, ONE)
        await schedule(store, "new")
        assert await located(positions, library, ONE) == {ONE: Position(50, reread_until=100)}
        assert await uncertain(store) == {"new": False}
        assert metrics.value("consumer_resets", group="csat", topic="t", kind="restored") == 1

    async def test_another_partition_a_moment_later_leaves_new_deliveries_alone(
        self, positions: Positions, store: Store, clock: ManualClock
    ) -> None:
        await stored(store, p0=50, p1=20)
        library = FakeLibrary(commits={ONE: 100, OTHER: 30})
        await located(positions, library, ONE)
        await schedule(store, "new")
        clock.advance(timedelta(seconds=5))
        await located(positions, library, OTHER)
        assert await uncertain(store) == {"new": False}

    @pytest.mark.parametrize("later", [timedelta(hours=1), timedelta(days=-1)])
    async def test_a_second_restore_is_another_one(
        self, positions: Positions, store: Store, clock: ManualClock, later: timedelta
    ) -> None:
        """Also where the first was noted by a clock that was a day ahead."""
        await stored(store, p0=50)
        await located(positions, FakeLibrary(commits={ONE: 100}), ONE)
        await schedule(store, "open")
        clock.advance(later)
        await located(positions, FakeLibrary(commits={ONE: 120}), ONE)
        assert await uncertain(store) == {"open": True}

    async def test_a_member_remembers_what_it_did_where_kafka_was_not_told(
        self, positions: Positions, store: Store
    ) -> None:
        await stored(store, p0=50)
        found = await located(positions, FakeLibrary(commits={ONE: 50}), ONE, remembered={ONE: 61})
        assert found == {ONE: Position(50, reread_until=61)}


async def schedule(store: Store, *keys: str) -> None:
    async with store.transaction() as tx:
        for key in keys:
            tx.deliveries.schedule("slack", key, lane=key, payload={})


class TestConditionalWrite:
    """A member that lost its partition without knowing it writes nothing."""

    async def test_offset_and_events_move_together_and_from_where_they_stood(self, store: Store) -> None:
        await stored(store, p0=5, p1=7)
        moves = [Advance("t", 1, 7, 9, 0), Advance("t", 0, 5, 6, 2)]
        assert await take(store, ["a", "b"], moves) == {"a", "b"}
        assert await take(store, ["b", "c"], [Advance("t", 0, 6, 8, 0)]) == {"c"}
        with pytest.raises(PositionMoved):
            await take(store, ["d"], [Advance("t", 0, 8, 9, 0), Advance("t", 1, 7, 9, 0)])
        assert await take(store, ["d"], [Advance("t", 0, 8, 9, 0)]) == {"d"}  # all of it was rolled back

    async def test_a_partition_without_a_row_is_nobodys(self, store: Store) -> None:
        with pytest.raises(PositionMoved):
            await take(store, ["a"], [Advance("t", 0, 0, 1, 0)])


async def take(store: Store, ids: list[str], moves: list[Advance]) -> set[str]:
    async with store.transaction() as tx:
        return await take_and_advance(tx.conn, "csat", ids, moves, tx.now)
