"""An event is handled once per consumer group, whatever is delivered how often to how many."""

import asyncio

import pytest

from supportops.store import Store
from supportops.store.inbox import take_new
from tests.support.engine import store_on
from tests.support.eventually import eventually


async def take(store: Store, *event_ids: str, group: str = "csat") -> set[str]:
    async with store.transaction() as tx:
        return await take_new(tx.conn, group, event_ids, tx.now)


async def test_an_event_is_new_once(store: Store) -> None:
    assert await take(store, "a", "b") == {"a", "b"}
    assert await take(store, "b", "c") == {"c"}
    assert await take(store, "a", "b", "c") == set()
    assert await take(store) == set()


async def test_the_same_id_twice_in_a_batch_is_one(store: Store) -> None:
    assert await take(store, "a", "a", "a") == {"a"}


async def test_a_large_batch_is_taken_whole(store: Store) -> None:
    ids = [f"event-{n}" for n in range(2_000)]
    assert await take(store, *ids[:1_500]) == set(ids[:1_500])
    assert await take(store, *ids) == set(ids[1_500:])


async def test_groups_do_not_take_from_each_other(store: Store) -> None:
    assert await take(store, "a", group="csat") == {"a"}
    assert await take(store, "a", group="notifier") == {"a"}


async def test_a_rollback_gives_the_event_back(store: Store) -> None:
    async def fail() -> None:
        async with store.transaction() as tx:
            assert await take_new(tx.conn, "csat", ["a"], tx.now) == {"a"}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await take(store, "a") == {"a"}


@pytest.mark.parametrize("first_commits", [True, False])
async def test_two_transactions_at_once_take_an_event_once(app_database: str, first_commits: bool) -> None:
    """The second waits for the first: its event is new only if the first rolls back."""
    holds, release = asyncio.Event(), asyncio.Event()

    async def first(store: Store) -> set[str]:
        async with store.transaction() as tx:
            taken = await take_new(tx.conn, "csat", ["a", "b"], tx.now)
            holds.set()
            await release.wait()
            if not first_commits:
                raise RuntimeError
        return taken

    async with store_on(app_database) as one, store_on(app_database) as other:
        holding = asyncio.create_task(first(one))
        await eventually(holds.is_set)
        waiting = asyncio.create_task(take(other, "b", "a"))
        _, unfinished = await asyncio.wait((waiting,), timeout=0.2)
        assert unfinished  # else it would have decided without knowing
        release.set()
        (result,) = await asyncio.gather(holding, return_exceptions=True)
        second = await waiting
    if first_commits:
        assert (result, second) == ({"a", "b"}, set())
    else:
        assert isinstance(result, RuntimeError)
        assert second == {"a", "b"}
