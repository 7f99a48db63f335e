"""A batch's view of a table: loaded once, changed in memory, written back in bulk."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, event, exc, insert, select, update

from supportops.store import Store, Transaction, is_outage
from supportops.store.tables import ENGINE
from tests.support.engine import MONDAY, solved, store_on
from tests.support.engine_app.tables import effects, tickets


async def stored(store: Store) -> dict[str, tuple[Any, ...]]:
    async with store.reading() as conn:
        rows = await conn.execute(select(tickets).order_by(tickets.c.ticket_id))
        return {row.ticket_id: (row.status, row.solves, row.version) for row in rows}


async def put(store: Store, **values: dict[str, Any]) -> None:
    """Put rows, by key, in one transaction."""
    async with store.transaction() as tx:
        rows = await tx.load(tickets, values)
        for key, row in values.items():
            rows.put(key, **row)


async def test_a_new_row_gets_its_defaults_and_is_seen_at_once(store: Store) -> None:
    async with store.transaction() as tx:
        rows = await tx.load(tickets, ["1"])
        assert rows.get("1") is None
        rows.put("1", status="open")
        rows.put("1", version="v1")
        row = rows.get("1")
        assert row is not None
        assert (row["ticket_id"], row["status"], row["version"]) == ("1", "open", "v1")
    assert await stored(store) == {"1": ("open", 0, "v1")}


async def test_values_are_laid_over_what_is_there(store: Store) -> None:
    await put(store, a={"status": "open", "solves": 1}, b={"status": "new"})
    await put(store, a={"status": "solved"}, b={"version": "v2"}, c={"solves": 9})
    assert await stored(store) == {"a": ("solved", 1, None), "b": ("new", 0, "v2"), "c": (None, 9, None)}


async def test_null_is_a_value(store: Store) -> None:
    await put(store, a={"status": "open"})
    await put(store, a={"status": None})
    assert await stored(store) == {"a": (None, 0, None)}


async def test_a_row_may_be_put_again_after_a_flush(store: Store) -> None:
    async with store.transaction() as tx:
        rows = await tx.load(tickets, ["a"])
        rows.put("a", status="open")
        await tx.flush()
        rows.put("a", status="solved")
    assert await stored(store) == {"a": ("solved", 0, None)}


async def test_a_composite_key_is_a_tuple(store: Store) -> None:
    for _ in range(2):
        async with store.transaction() as tx:
            rows = await tx.load(effects, [("slack", "k"), ("sf", "k")])
            row = rows.get(("slack", "k"))
            rows.put(("slack", "k"), times=1 if row is None else row["times"] + 1)
            assert rows.get(("sf", "k")) is None
    async with store.reading() as conn:
        assert [tuple(row) for row in await conn.execute(select(effects))] == [("slack", "k", 2)]


async def test_a_key_that_was_not_declared_is_an_error_not_a_silent_none(store: Store) -> None:
    async with store.transaction() as tx:
        rows = await tx.load(tickets, ["a"])
        with pytest.raises(KeyError):
            rows.get("b")
        with pytest.raises(KeyError):
            rows.put("b", status="open")


async def test_more_rows_than_a_statement_may_have_parameters_are_loaded(store: Store) -> None:
    keys = {f"t{n:04}": {"solves": n} for n in range(1_200)}
    await put(store, **keys)
    async with store.transaction() as tx:
        rows = await tx.load(tickets, keys)
        assert all((rows.get(key) or {})["solves"] == row["solves"] for key, row in keys.items())


async def test_a_batch_costs_statements_by_kind_not_by_row(store: Store) -> None:
    old = {f"old{n}": {"status": "open"} for n in range(200)}
    await put(store, **old)
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement.split()[0])

    event.listen(Engine, "before_cursor_execute", note)
    changed = {key: {"status": "solved"} for key in old} | {f"new{n}": {"status": "new"} for n in range(200)}
    await put(store, **changed)
    event.remove(Engine, "before_cursor_execute", note)
    expected = ["SELECT", "INSERT", "UPDATE"] if store.dialect == "sqlite" else ["SELECT", "WITH"]
    assert [statement for statement in statements if statement != "BEGIN"] == expected


async def test_rows_of_several_tables_are_loaded_together(store: Store) -> None:
    await put(store, a={"status": "open", "closed_at": MONDAY}, b={"status": "new"})
    async with store.transaction() as tx:
        (await tx.load(effects, [("slack", "k")])).put(("slack", "k"), times=2)
    async with store.transaction() as tx:
        await tx.load_all({tickets: ["b", "a", "c"], effects: [("slack", "k"), ("sf", "k")]})
        rows = {key: tx.rows(tickets).get(key) for key in "abc"}
        assert [row and (row["status"], row["closed_at"]) for row in rows.values()] == [
            ("open", MONDAY),
            ("new", None),
            None,
        ]
        assert (tx.rows(effects).get(("slack", "k")) or {}) == {
            "destination": "slack",
            "key": "k",
            "times": 2,
        }
        assert tx.rows(effects).get(("sf", "k")) is None


async def test_a_row_whose_key_is_there_is_left_as_it_is(store: Store) -> None:
    await put(store, a={"status": "open"})
    async with store.transaction() as tx:
        for key in "ab":
            tx.add(tickets, ticket_id=key, status="new", solves=3, version=None, closed_at=None)
    assert await stored(store) == {"a": ("open", 0, None), "b": ("new", 3, None)}


async def test_a_row_takes_the_place_of_one_with_its_key_and_the_last_one_counts(store: Store) -> None:
    await put(store, a={"status": "open", "solves": 5})
    async with store.transaction() as tx:
        for key, status in (("b", "new"), ("a", "pending"), ("a", "solved")):
            tx.replace(tickets, ticket_id=key, status=status, solves=1, version=None, closed_at=None)
    assert await stored(store) == {"a": ("solved", 1, None), "b": ("new", 1, None)}


async def test_a_transaction_of_one_statement_is_committed_and_rolled_back_like_any_other(
    store: Store,
) -> None:
    """On PostgreSQL it has neither BEGIN nor COMMIT; what it holds is whole or not there."""
    async with store.transaction() as tx:
        tx.add(tickets, ticket_id="a", status="new", solves=3, version=None, closed_at=None)
        tx.publish(solved(1))
        tx.deliveries.schedule("slack", "k", lane="1", payload={})
    assert (await stored(store)).keys() == {"a"}

    async def fail() -> None:
        async with store.transaction() as tx:
            tx.add(tickets, ticket_id="b", status="new", solves=3, version=None, closed_at=None)
            tx.rows(tickets)._rows["a"] = None  # as if somebody else had inserted it after we looked
            tx.rows(tickets).put("a", status="open")
            tx.publish(solved(2))

    with pytest.raises(exc.IntegrityError):
        await fail()
    assert (await stored(store)).keys() == {"a"}
    async with store.reading() as conn:
        assert len((await conn.execute(select(ENGINE.outbox))).all()) == 1


async def test_collected_writes_of_one_statement_are_one_execution(store: Store) -> None:
    add = insert(tickets)
    async with store.transaction() as tx:
        for n in range(3):
            tx.write(add, ticket_id=str(n), solves=n)
    assert (await stored(store)).keys() == {"0", "1", "2"}


async def test_execute_sees_what_was_collected_before_it(store: Store) -> None:
    async with store.transaction() as tx:
        (await tx.load(tickets, ["a"])).put("a", solves=1)
        await tx.execute(update(tickets).values(solves=tickets.c.solves + 1))
    assert await stored(store) == {"a": (None, 2, None)}


async def test_a_query_sees_what_was_collected_before_it(store: Store) -> None:
    async with store.transaction() as tx:
        (await tx.load(tickets, ["a"])).put("a", solves=1)
        assert (await tx.read(select(tickets.c.solves))).scalars().all() == [1]
    assert await stored(store) == {"a": (None, 1, None)}


async def test_of_a_rehearsal_nothing_stays_and_nobody_is_woken(store: Store) -> None:
    woken: list[object] = []
    store.on_outbox(woken.append)
    store.on_deliveries(woken.append)
    async with store.rehearsal() as tx:
        (await tx.load(tickets, ["a"])).put("a", solves=1)
        tx.publish(solved(1))
        tx.deliveries.schedule("slack", "k", lane="1", payload={})
        assert (await tx.read(select(tickets.c.solves))).scalars().all() == [1]
    assert (await stored(store), woken) == ({}, [])


async def test_a_rehearsal_finds_the_mistake_that_the_transaction_would(store: Store) -> None:
    await put(store, a={})
    with pytest.raises(exc.IntegrityError):
        async with store.rehearsal() as tx:
            tx.write(insert(tickets), ticket_id="a", solves=1)


async def test_nothing_is_written_when_the_block_raises(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as tx:
            (await tx.load(tickets, ["a"])).put("a", solves=1)
            await tx.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await stored(store) == {}


async def test_a_row_that_somebody_else_inserted_meanwhile_is_an_error_and_fine_the_second_time(
    app_database: str,
) -> None:
    """Two batches meet a new key at once: one fails as no outage, is redone one by one, and then finds the row."""
    loaded = asyncio.Barrier(2)

    async def count_up(store: Store, together: bool) -> None:
        async with store.transaction() as tx:
            rows = await tx.load(tickets, ["a"])
            if together:
                await loaded.wait()
            row = rows.get("a")
            rows.put("a", solves=1 if row is None else row["solves"] + 1)

    async with store_on(app_database) as one, store_on(app_database) as other:
        at_once = one.dialect == "postgresql"  # SQLite has one writer: they take turns from the start
        results = await asyncio.gather(
            *(count_up(store, at_once) for store in (one, other)), return_exceptions=True
        )
        for error in filter(None, results):
            assert isinstance(error, exc.IntegrityError)
            assert not is_outage(error)
            await count_up(other, together=False)
        assert len(list(filter(None, results))) == at_once
        assert await stored(one) == {"a": (None, 2, None)}


async def test_rows_of_a_batch_are_locked_so_that_counts_are_not_lost(app_database: str) -> None:
    async def count_up(store: Store) -> None:
        async with store.transaction() as tx:
            rows = await tx.load(tickets, ["a", "b"])
            for key in "ab":
                rows.put(key, solves=(rows.get(key) or {})["solves"] + 1)

    async with store_on(app_database) as one, store_on(app_database) as other:
        await put(one, a={"solves": 0}, b={"solves": 0})
        await asyncio.gather(*(count_up(store) for store in (one, other) for _ in range(10)))
        assert await stored(one) == {"a": (None, 20, None), "b": (None, 20, None)}


async def test_moments_come_back_aware_and_in_utc(store: Store) -> None:
    local = datetime(2026, 2, 28, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    await put(store, a={"closed_at": local})
    async with store.transaction() as tx:
        row = (await tx.load(tickets, ["a"])).get("a")
    assert row is not None
    assert row["closed_at"] == local
    assert row["closed_at"].tzinfo is UTC


async def test_a_naive_moment_is_refused(store: Store) -> None:
    with pytest.raises(exc.StatementError, match="naive"):
        await put(store, a={"closed_at": MONDAY.replace(tzinfo=None)})


async def test_an_error_message_holds_no_customer_data(store: Store) -> None:
    await put(store, a={})

    def insert_again(tx: Transaction) -> None:
        tx.write(insert(tickets), ticket_id="a", solves=1, status="Mary's password is 1234")

    async def fail() -> None:
        async with store.transaction() as tx:
            insert_again(tx)

    with pytest.raises(exc.IntegrityError) as caught:
        await fail()
    assert "1234" not in str(caught.value)
