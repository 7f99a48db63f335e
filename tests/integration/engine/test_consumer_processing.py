"""What becomes of a polled batch: state and offsets move together, poison is told from outage."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from sqlalchemy import Engine, event, exc, func, select

from supportops.contracts import TicketClosed, TicketSolved
from supportops.messaging import Consumer, ConsumerPolicy, Handlers
from supportops.messaging.ports import Outgoing, Record
from supportops.observability.metrics import Metrics
from supportops.store import Store, Transaction
from supportops.store.offsets import PositionMoved, read_positions
from supportops.store.tables import ENGINE
from tests.support.consuming import PaperBroker, feed
from tests.support.engine import solved
from tests.support.engine_app.tables import tickets
from tests.support.eventually import eventually
from tests.support.records import FakeRecord, record_of, texts

QUICK = ConsumerPolicy(
    retry_wait=timedelta(0), outage_wait=timedelta(milliseconds=10), dead_letters_in_a_row=3
)


def count_solve(event: TicketSolved, tx: Transaction) -> None:
    """Counts solves per ticket, promises a follow-up; a ticket 666 is a bug of ours, after its work."""
    rows = tx.rows(tickets)
    row = rows.get(event.ticket_id)
    rows.put(event.ticket_id, solves=1 if row is None else row["solves"] + 1)
    tx.publish(solved(event.ticket_id))
    tx.deliveries.schedule("slack", event.id, lane="l", payload={})
    if event.ticket_id == "666":
        raise KeyError("a bug of ours")


HANDLERS = Handlers().on(TicketSolved, count_solve, reads=((tickets, lambda event: event.ticket_id),))


@pytest.fixture
def broker() -> PaperBroker:
    return PaperBroker()


@pytest.fixture
def consumer(broker: PaperBroker, store: Store, metrics: Metrics) -> Consumer:
    return Consumer(broker, store, HANDLERS, group="csat", metrics=metrics, policy=QUICK)


async def solves(store: Store) -> dict[str, int]:
    """Solves per ticket; checks that events and deliveries came with them, no more and no fewer."""
    async with store.reading() as conn:
        found = {row.ticket_id: row.solves for row in await conn.execute(select(tickets))}
        for table in (ENGINE.outbox, ENGINE.deliveries, ENGINE.inbox):
            rows = (await conn.execute(select(func.count()).select_from(table))).scalar_one()
            assert rows == sum(found.values()), table.name
    return found


def letters(broker: PaperBroker) -> list[dict[str, str]]:
    """The headers of the dead letters, as text."""
    return [texts(record) for record in broker.paper.records]


async def test_a_batch_is_handled_as_one_and_what_comes_again_is_absorbed(
    consumer: Consumer, store: Store, metrics: Metrics
) -> None:
    batch = [record_of(solved(n % 3), offset=n) for n in range(9)]
    await feed(consumer, store, batch)
    await feed(consumer, store, batch[4:])
    await feed(consumer, store, [*batch, record_of(solved(7))])
    assert await solves(store) == {"0": 3, "1": 3, "2": 3, "7": 1}
    kind = TicketSolved.type
    assert metrics.value("consumer_events", group="csat", type=kind, outcome="handled") == 10
    assert metrics.value("consumer_events", group="csat", type=kind, outcome="duplicate") == 14


async def test_an_event_that_is_twice_in_a_batch_is_handled_once(consumer: Consumer, store: Store) -> None:
    event = solved(1)
    await feed(consumer, store, [record_of(event, 0), record_of(solved(2), 1), record_of(event, 2)])
    assert await solves(store) == {"1": 1, "2": 1}


async def test_a_batch_costs_the_same_statements_whatever_its_length(
    consumer: Consumer, store: Store
) -> None:
    counted: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counted.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    await feed(consumer, store, [record_of(solved(1))])
    short = len(counted)
    await feed(consumer, store, [record_of(solved(100 + n)) for n in range(300)])
    event.remove(Engine, "before_cursor_execute", note)
    assert len(counted) == 2 * short


async def test_a_poison_record_goes_to_the_dead_letters_and_its_neighbours_pass(
    consumer: Consumer, store: Store, broker: PaperBroker, metrics: Metrics
) -> None:
    poison = replace(record_of(solved(666), offset=42), partition=7)
    await feed(consumer, store, [record_of(solved(1)), poison, record_of(solved(2))])
    assert await solves(store) == {"1": 1, "2": 1}
    (letter,) = broker.paper.records
    assert (letter.topic, letter.key, letter.value) == ("csat.dead-letter", poison.key, poison.value)
    headers = letters(broker)[0]
    assert headers.items() >= texts(poison).items()
    assert {name: value for name, value in headers.items() if name.startswith("dl_")} == {
        "dl_group": "csat",
        "dl_stage": "handle",
        "dl_reason": "KeyError: 'a bug of ours'",
        "dl_attempts": "3",
        "dl_topic": "zendesk.tickets",
        "dl_partition": "7",
        "dl_offset": "42",
    }
    assert metrics.value("dead_letters", group="csat", stage="handle") == 1


GOOD = record_of(solved(1))
UNDECODABLE = {
    "no headers": FakeRecord(b"1", b"garbage", []),
    "no value": replace(GOOD, value=None),
    "not JSON": replace(GOOD, value=b"{"),
    "not an object": replace(GOOD, value=b"[]"),
    "another shape": replace(GOOD, value=b"{}"),
    "a NUL": replace(GOOD, value=orjson.dumps({"account_id": "\u0000"})),
    "no id": replace(GOOD, headers=[h for h in GOOD.headers if h[0] != "ce_id"]),
    "a type that is no text": replace(GOOD, headers=[("ce_type", b"\xff"), *GOOD.headers[1:]]),
    "other CloudEvents": replace(GOOD, headers=[*GOOD.headers, ("ce_specversion", b"0.3")]),
}


@pytest.mark.parametrize("record", UNDECODABLE.values(), ids=UNDECODABLE)
async def test_what_cannot_be_read_is_a_dead_letter_at_once(
    consumer: Consumer, store: Store, broker: PaperBroker, record: FakeRecord
) -> None:
    await feed(consumer, store, [record_of(solved(1)), record, record_of(solved(2))])
    assert await solves(store) == {"1": 1, "2": 1}
    (headers,) = (
        letters(broker)
        if record.headers[:1] != [("ce_type", b"\xff")]
        else [{"dl_stage": "decode", "dl_attempts": "1"}]
    )
    assert (headers["dl_stage"], headers["dl_attempts"]) == ("decode", "1")
    assert broker.paper.records[0].value == record.value


async def test_what_is_not_for_us_is_passed_over(
    consumer: Consumer, store: Store, broker: PaperBroker
) -> None:
    other_type = replace(GOOD, headers=[("ce_type", TicketClosed.type.encode()), *GOOD.headers[1:]])
    not_ours = replace(GOOD, headers=[("ce_type", b"com.example.invented.v9"), *GOOD.headers[1:]])
    (piece,) = await feed(consumer, store, [other_type, not_ours])
    assert piece.position == 2
    assert await solves(store) == {}
    assert broker.paper.records == []


async def test_a_type_of_ours_that_is_to_come_is_kept_for_the_release_that_knows_it(
    consumer: Consumer, store: Store, broker: PaperBroker, metrics: Metrics
) -> None:
    """A writer was rolled out before its readers: nothing is lost, nobody stops, the ceiling is not touched."""
    to_come = replace(GOOD, headers=[("ce_type", b"support.ticket.invented.v9"), *GOOD.headers[1:]])
    for_another = replace(to_come, headers=[*to_come.headers, ("ce_reprocess", b"notifier")])
    many = [to_come] * (QUICK.dead_letters_in_a_row + 2)
    (piece,) = await feed(consumer, store, [*many, for_another, record_of(solved(1))])
    assert (piece.closed, piece.dead_in_a_row, piece.position) == (None, 0, len(many) + 2)
    assert await solves(store) == {"1": 1}
    assert [headers["dl_stage"] for headers in letters(broker)] == ["unknown"] * len(many)
    assert broker.paper.records[0].value == GOOD.value
    assert metrics.value("consumer_events", group="csat", type="unknown", outcome="kept") == len(many)


async def test_a_year_that_utc_does_not_have_is_undecodable_and_its_neighbours_pass(
    consumer: Consumer, store: Store, broker: PaperBroker
) -> None:
    """It was 32 good events that were passed over, 10 of 10 times."""
    others = [header for header in GOOD.headers if header[0] != "ce_time"]
    late = replace(GOOD, headers=[*others, ("ce_time", b"9999-12-31T23:59:59-10:00")])
    batch = [*(record_of(solved(n)) for n in range(16)), late, *(record_of(solved(n)) for n in range(16, 32))]
    await feed(consumer, store, batch)
    assert await solves(store) == {str(n): 1 for n in range(32)}
    assert [headers["dl_stage"] for headers in letters(broker)] == ["decode"]


async def test_a_missing_table_is_an_outage_of_ours_and_no_poison(
    consumer: Consumer, store: Store, broker: PaperBroker
) -> None:
    rename = "ALTER TABLE tickets RENAME TO tickets_away"
    back = "ALTER TABLE tickets_away RENAME TO tickets"
    async with store.transaction() as tx:
        await tx.conn.exec_driver_sql(rename)
    settling = asyncio.create_task(feed(consumer, store, [record_of(solved(n)) for n in (1, 2)]))
    await eventually(lambda: "waits for the database" in " ".join(consumer.complaints(timedelta(0))))
    async with store.transaction() as tx:
        await tx.conn.exec_driver_sql(back)
    await settling
    assert await solves(store) == {"1": 1, "2": 1}
    assert broker.paper.records == []


async def test_a_dead_letter_that_is_too_large_is_kept_by_reference_and_the_next_records_pass(
    consumer: Consumer, store: Store, broker: PaperBroker
) -> None:
    limit = 100_000
    broker.paper.too_large = lambda record: _size(record) > limit
    large = FakeRecord(b"1", b"{ " + b"x" * 2 * limit, [])
    worse = FakeRecord(b"1", b"{ " + b"x" * 2 * limit, [("h", b"y" * 2 * limit)])
    await feed(consumer, store, [large, worse, record_of(solved(2))])
    assert await solves(store) == {"2": 1}
    first, second = letters(broker)
    assert (first["dl_cut"], first["dl_topic"], first["dl_offset"]) == (
        str(2 * limit + 2),
        "zendesk.tickets",
        "0",
    )
    assert broker.paper.records[0].value == large.value[:65536]  # type: ignore[index]
    assert (second["dl_offset"], "h" in second) == ("1", False)


def _size(record: Outgoing) -> int:
    return len(record.value or b"") + sum(len(value or b"") for _, value in record.headers)


async def test_a_record_for_reprocessing_is_handled_by_the_named_group_only(
    consumer: Consumer, store: Store, broker: PaperBroker, metrics: Metrics
) -> None:
    again = solved(1).model_copy(update={"reprocess": "csat"})
    other = Consumer(broker, store, HANDLERS, group="notifier", metrics=metrics, policy=QUICK)
    await feed(other, store, [record_of(again)], "notifier")
    assert await solves(store) == {}
    await feed(consumer, store, [record_of(again)])
    assert await solves(store) == {"1": 1}


async def test_a_database_error_in_a_dead_letter_holds_no_values(
    broker: PaperBroker, store: Store, metrics: Metrics
) -> None:
    def refuse(event: TicketSolved, tx: Transaction) -> None:
        tx.rows(tickets).put(event.ticket_id, solves=None, status="Mary's secret")

    handlers = Handlers().on(TicketSolved, refuse, reads=((tickets, lambda event: event.ticket_id),))
    consumer = Consumer(broker, store, handlers, group="csat", metrics=metrics, policy=QUICK)
    await feed(consumer, store, [record_of(solved(1))])
    (headers,) = letters(broker)
    assert headers["dl_reason"].startswith("IntegrityError")
    assert "Mary" not in headers["dl_reason"]


class TestOutages:
    """Our database or broker is away: the partition waits, nothing is dead-lettered."""

    async def test_the_database_is_waited_for_and_the_batch_then_handled(
        self, broker: PaperBroker, store: Store, metrics: Metrics
    ) -> None:
        away = Away(store)
        consumer = Consumer(broker, cast(Store, away), HANDLERS, group="csat", metrics=metrics, policy=QUICK)
        settling = asyncio.create_task(feed(consumer, store, [record_of(solved(n)) for n in (1, 666, 2)]))
        await eventually(lambda: away.refused > QUICK.tries + 2)
        assert not settling.done()
        assert broker.paper.records == []
        away.back = True
        await settling
        assert await solves(store) == {"1": 1, "2": 1}
        assert len(broker.paper.records) == 1  # the poison one, and only now

    async def test_a_dead_letter_that_cannot_be_written_holds_the_offset(
        self, consumer: Consumer, broker: PaperBroker, store: Store
    ) -> None:
        broker.paper.away = True
        settling = asyncio.create_task(feed(consumer, store, [record_of(solved(666)), record_of(solved(2))]))
        await eventually(lambda: broker.paper.refused > 3)
        assert not settling.done()  # the offset follows the end of it
        broker.paper.away = False
        await settling
        assert len(broker.paper.records) == 1
        assert await solves(store) == {"2": 1}

    @pytest.mark.parametrize(
        ("tickets", "expected"), [((1, 2), {"1": 1, "2": 1}), ((1,), {"1": 1}), ((666,), {})]
    )
    async def test_a_commit_whose_answer_is_lost_did_happen(
        self,
        broker: PaperBroker,
        store: Store,
        metrics: Metrics,
        tickets: Sequence[int],
        expected: dict[str, int],
    ) -> None:
        """The partition goes on where the database says; what was done is not done again, and is no dead letter."""
        deaf = cast(Store, Deaf(store))
        consumer = Consumer(broker, deaf, HANDLERS, group="csat", metrics=metrics, policy=QUICK)
        records = [record_of(solved(number), offset=n) for n, number in enumerate(tickets)]
        with pytest.raises(PositionMoved):
            await feed(consumer, store, records)
        assert await solves(store) == expected
        assert len(broker.paper.records) == tickets.count(666)
        async with store.reading() as conn:
            (position,) = (await read_positions(conn, "csat")).values()
        assert position.next_offset == len(tickets)


class Deaf:
    """A store that does not hear that its first commit has happened."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.heard = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self.store.transaction() as tx:
            yield tx
        if not self.heard:
            self.heard = True
            raise ConnectionResetError("the connection broke")


class Away:
    """A store whose database cannot be reached until it is back."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.back = False
        self.refused = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        if not self.back:
            self.refused += 1
            raise exc.InterfaceError("SELECT 1", {}, ConnectionError("refused"), connection_invalidated=True)
        async with self.store.transaction() as tx:
            yield tx


class TestCeiling:
    """A bad deploy must not empty a topic into the dead letters: past a ceiling in a row the partition is closed."""

    @staticmethod
    def poison(n: int) -> Record:
        return record_of(solved(666), offset=n)

    @staticmethod
    def garbage(n: int) -> FakeRecord:
        return FakeRecord(b"1", b"garbage", [], offset=n)

    @pytest.mark.parametrize("kind", ["poison", "garbage"])
    async def test_it_stops_past_the_ceiling(
        self, consumer: Consumer, store: Store, broker: PaperBroker, kind: str
    ) -> None:
        make = getattr(self, kind)
        (piece,) = await feed(consumer, store, [make(0), make(1)])
        assert (piece.position, piece.closed) == (2, None)
        (piece,) = await feed(consumer, store, [make(2), make(3), make(4)])
        assert piece.closed is not None
        assert piece.closed.startswith("3 dead letters in a row")
        assert piece.position == 3  # behind the last one that was buried, before the one that was not
        assert len(broker.paper.records) == QUICK.dead_letters_in_a_row

    async def test_partitions_have_each_their_own(
        self, consumer: Consumer, store: Store, broker: PaperBroker
    ) -> None:
        """Two partitions of garbage, one that is well: the latter goes on, the former bury no more than allowed."""
        bad = [replace(self.garbage(n), partition=n % 2) for n in range(12)]
        well = [replace(record_of(solved(n)), partition=2) for n in range(4)]
        pieces = {piece.partition: piece for piece in await feed(consumer, store, [*bad, *well])}
        assert [bool(pieces[n].closed) for n in range(3)] == [True, True, False]
        assert len(broker.paper.records) == 2 * QUICK.dead_letters_in_a_row
        assert await solves(store) == {str(n): 1 for n in range(4)}

    async def test_a_restart_buries_nothing_again_and_one_success_opens_the_partition(
        self, consumer: Consumer, store: Store, broker: PaperBroker
    ) -> None:
        await feed(consumer, store, [self.garbage(n) for n in range(5)])
        for _restart in range(3):
            (piece,) = await feed(consumer, store, [self.garbage(0)])
            assert piece.closed is not None
        assert len(broker.paper.records) == QUICK.dead_letters_in_a_row
        (piece,) = await feed(consumer, store, [record_of(solved(1)), self.garbage(0)])
        assert piece.closed is None
        assert len(broker.paper.records) == QUICK.dead_letters_in_a_row + 1

    async def test_a_handled_event_between_them_begins_the_count_anew(
        self, consumer: Consumer, broker: PaperBroker, store: Store
    ) -> None:
        for n in range(3):
            good = record_of(solved(n), offset=3)
            await feed(consumer, store, [self.garbage(0), self.poison(1), good, self.garbage(4)])
        assert len(broker.paper.records) == 9
        assert await solves(store) == {"0": 1, "1": 1, "2": 1}
