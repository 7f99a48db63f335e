"""Merged accounts and the records of tickets that name them: each is written anew, once, by the normal road.

Salesforce shows a merged account only in its recycle bin, for two weeks
(docs/vendors/salesforce.md#deleted-and-merged), so a merge is kept here from the run that saw it on. An account that is
brought back gets those records again whose organization still holds its id.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import bindparam, select, update

from sfdc_sync.organizations.links import winner_of
from sfdc_sync.organizations.model import Gone
from sfdc_sync.organizations.salesforce_side import AccountReader, AccountsRead
from sfdc_sync.sharing import repository as sharing
from sfdc_sync.sharing.rules.options import OPTIONS
from sfdc_sync.tables import account_merges, organizations
from sfdc_sync.ticket_records.repository import Named, named_accounts, records_of, rename_accounts
from supportops.store import Store, Transaction
from supportops.store.upsert import insert_for

_M, _O = account_merges, organizations


class MergeFollower:
    """Has records written that name accounts which were merged, or came back. `enabled`: the rules want it."""

    def __init__(self, store: Store, accounts: AccountReader, *, enabled: bool) -> None:
        self._store, self._accounts, self._enabled = store, accounts, enabled

    async def follow(self, read: AccountsRead, whole: bool) -> int:
        """Records that will be written anew. `whole`: all was read, so look also for accounts that only records name.

        Killed in between: the next run finds the same, and a record that waits already is not asked for again.
        """
        known = await self._known()
        gone = dict(read.gone)
        if whole:
            named = await named_accounts(self._store) if self._enabled else set()
            gone |= await self._accounts.gone_of(named - read.living.keys() - gone.keys())
        merged = {key: each.winner for key, each in gone.items() if each.winner is not None}
        to = {key: winner for key in merged if (winner := winner_of(key, gone)) is not None}
        back = {key: _end(key, known) for key in known.keys() & read.living.keys()}
        count = await self._rename(to, back) if self._enabled and (to or back) else 0
        if merged.items() - known.items() or back:
            async with self._store.transaction() as tx:
                await _keep(tx, merged, back.keys())
        return count

    async def _rename(self, to: Mapping[str, str], back: Mapping[str, str]) -> int:
        """`to`: merged account's id -> the winner's; `back`: an account that lives again -> who had its records."""
        holders = await self._holders(back.keys())
        count = 0
        async for page in records_of(self._store, {*to, *back.values()}):
            wanted = {}
            for each in page:
                account_id = holders.get(each.organization_id) or to.get(each.account_id)
                if account_id is not None and account_id != each.account_id:
                    wanted[each] = account_id
            if wanted:
                count += await self._schedule(wanted)
        return count

    async def _schedule(self, wanted: Mapping[Named, str]) -> int:
        async with self._store.transaction() as tx:
            return await rename_accounts(tx, wanted)

    async def _holders(self, account_ids: Collection[str]) -> dict[str, str]:
        """Organization's id -> the account whose id it holds."""
        query = select(_O.c.organization_id, _O.c.account_id).where(
            _O.c.account_id.in_(sorted(account_ids)), _O.c.deleted_at.is_(None)
        )
        async with self._store.reading() as conn:
            return {row.organization_id: row.account_id for row in await conn.execute(query)}

    async def _known(self) -> dict[str, str]:
        query = select(_M.c.loser_id, _M.c.winner_id).where(_M.c.undone_at.is_(None))
        async with self._store.reading() as conn:
            return {row.loser_id: row.winner_id for row in await conn.execute(query)}


async def granted(store: Store) -> Mapping[str, str]:
    """Organization's id -> the sharing request that is in force for it, in words."""
    async with store.reading() as conn:
        numbers = await sharing.newest_in_force(conn)
        found = {key: await sharing.find(conn, number) for key, number in numbers.items()}
    return {
        key: f"sharing request {each.request.number} is in force ({OPTIONS[each.request.option].title})"
        for key, each in found.items()
        if each is not None
    }


def _end(key: str, known: Mapping[str, str]) -> str:
    """Who has the records of a merged account: the end of the chain as it was seen."""
    chain = {each: Gone(each, winner) for each, winner in known.items()}
    return winner_of(key, chain) or known[key]


async def _keep(tx: Transaction, merged: Mapping[str, str], back: Collection[str]) -> None:
    if merged:
        rows = [
            {"loser_id": loser, "winner_id": winner, "seen_at": tx.now, "undone_at": None}
            for loser, winner in sorted(merged.items())
        ]
        insert = insert_for(tx.dialect, _M)
        new = {"winner_id": insert.excluded.winner_id, "undone_at": None}
        await tx.execute(insert.on_conflict_do_update(index_elements=["loser_id"], set_=new), rows)
    if back:
        gone = update(_M).where(_M.c.loser_id == bindparam("b_loser")).values(undone_at=tx.now)
        await tx.execute(gone, [{"b_loser": each} for each in sorted(back)])
