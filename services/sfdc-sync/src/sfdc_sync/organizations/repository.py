"""What sfdc-sync keeps of accounts and organizations: its own lists, runs and rows, lifted brakes, the org it reads."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import batched
from typing import Any

import orjson
from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from uuid_utils import uuid7

from sfdc_sync.organizations.brake import LIFTED_FOR
from sfdc_sync.organizations.links import own_id
from sfdc_sync.organizations.model import Account, Change, Item, Organization, Value
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce.names import folded
from sfdc_sync.tables import (
    account_merges,
    accounts,
    brake_releases,
    organizations,
    sync_environment,
    sync_rows,
    sync_runs,
)
from supportops.store import Store
from supportops.store.upsert import insert_for

DIED = (
    "it died before its end (process or database): rows that are `planned` were not written, or nobody could note it; "
    "the next run compares afresh"
)
KEYS = 500
"""Values in one IN list."""
_O, _A, _R, _W, _B, _E = organizations, accounts, sync_runs, sync_rows, brake_releases, sync_environment
_M = account_merges

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """What became of a row of a run."""

    position: int
    state: str
    reason: str = ""
    organization_id: str | None = None


class Repository:
    """Accounts, organizations, runs, rows and lifted brakes, on one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> datetime:
        """The store's clock."""
        return self._store.clock.now()

    # --- runs and their rows ---

    async def open_run(self, kind: str, started_by: str, rules: str) -> str:
        """A new run's id."""
        run_id = str(uuid7())
        async with self._store.transaction() as tx:
            row = {
                "run_id": run_id,
                "kind": kind,
                "state": "running",
                "started_by": started_by,
                "started_at": tx.now,
                "watermark": tx.now,
                "rules": rules,
                "counts": "{}",
            }
            await tx.execute(insert_for(tx.dialect, _R).values(row))
        return run_id

    async def close_lost_runs(self) -> None:
        """Say of runs without an end that they died, with what their rows tell; for whoever holds the lease."""
        lost = await self._rows(select(_R.c.run_id).where(_R.c.state == "running"))
        for run_id in [row["run_id"] for row in lost]:
            states = select(_W.c.state, func.count().label("rows")).where(_W.c.run_id == run_id)
            found = await self._rows(states.group_by(_W.c.state))
            await self.close_run(run_id, "failed", {row["state"]: row["rows"] for row in found}, DIED)

    async def close_run(
        self,
        run_id: str,
        state: str,
        counts: Mapping[str, int],
        reason: str = "",
        stopped_by: Sequence[str] = (),
    ) -> None:
        """Say how a run ended."""
        async with self._store.transaction() as tx:
            values = {
                "state": state,
                "finished_at": tx.now,
                "counts": _json(dict(counts)),
                "reason": reason[:2_000] or None,
                "stopped_by": _json(list(stopped_by)) if stopped_by else None,
            }
            await tx.execute(update(_R).where(_R.c.run_id == run_id).values(values))

    async def run(self, run_id: str) -> Row | None:
        """One run."""
        found = await self._rows(select(_R).where(_R.c.run_id == run_id))
        return found[0] if found else None

    async def last_done(self, *kinds: str) -> Row | None:
        """The run of these kinds that ended well last."""
        query = select(_R).where(_R.c.kind.in_(kinds), _R.c.state == "done")
        found = await self._rows(query.order_by(_R.c.started_at.desc()).limit(1))
        return found[0] if found else None

    async def add_rows(self, run_id: str, items: Sequence[Item], state: str) -> None:
        """Write down what a run is about to do, or would."""
        async with self._store.transaction() as tx:
            rows = [_row(run_id, position, item, state, tx.now) for position, item in enumerate(items)]
            if rows:
                await tx.execute(insert_for(tx.dialect, _W), rows)

    async def set_rows(self, run_id: str, updates: Sequence[RowUpdate]) -> None:
        """Write down what became of rows."""
        if not updates:
            return
        async with self._store.transaction() as tx:
            mine = and_(_W.c.run_id == run_id, _W.c.position == bindparam("b_position"))
            new = (
                update(_W)
                .where(mine)
                .values(
                    state=bindparam("b_state"),
                    reason=bindparam("b_reason"),
                    at=tx.now,
                    organization_id=func.coalesce(bindparam("b_organization_id"), _W.c.organization_id),
                )
            )
            await tx.execute(new, [_parameters(each) for each in updates])

    async def runs(self, limit: int) -> list[Row]:
        """The last runs, the newest first."""
        return await self._rows(select(_R).order_by(_R.c.started_at.desc()).limit(limit))

    async def rows_about(self, key: str, state: str | None = None) -> list[Row]:
        """What runs did, by the id of a run, an organization or an account; the newest last."""
        about = or_(_W.c.run_id == key, _W.c.organization_id == key, _W.c.account_id == key)
        query = select(_W).where(about).order_by(_W.c.at, _W.c.position)
        return await self._rows(query if state is None else query.where(_W.c.state == state))

    async def rows_of(self, run_id: str, state: str | None = None) -> list[Row]:
        """The rows of a run, in its order."""
        query = select(_W).where(_W.c.run_id == run_id).order_by(_W.c.position)
        return await self._rows(query if state is None else query.where(_W.c.state == state))

    # --- our own list of organizations ---

    async def remember(self, found: Iterable[Organization], policy: OrganizationsPolicy) -> None:
        """Keep what Zendesk showed."""
        for some in batched(found, KEYS):
            async with self._store.transaction() as tx:
                rows = [_kept(each, policy, tx.now) for each in some]
                insert = insert_for(tx.dialect, _O)
                new = {name: insert.excluded[name] for name in rows[0] if name != "organization_id"}
                await tx.execute(
                    insert.on_conflict_do_update(index_elements=["organization_id"], set_=new), rows
                )

    async def forget_unseen(self, since: datetime) -> dict[str, str]:
        """Mark what a complete list no longer had; account's id -> organization's, of those that were linked."""
        async with self._store.transaction() as tx:
            gone = (
                update(_O)
                .where(_O.c.seen_at < since, _O.c.deleted_at.is_(None))
                .values(deleted_at=tx.now, stale=False)
            )
            await tx.execute(gone)
        query = select(_O.c.account_id, _O.c.organization_id).where(
            _O.c.deleted_at.is_not(None), _O.c.account_id.is_not(None)
        )
        return {row["account_id"]: row["organization_id"] for row in await self._rows(query)}

    async def mark_deleted(self, ids: Collection[str]) -> None:
        """Zendesk does not show these any more."""
        async with self._store.transaction() as tx:
            for some in batched(sorted(ids), KEYS):
                await tx.execute(update(_O).where(_O.c.organization_id.in_(some)).values(deleted_at=tx.now))

    async def linked(self) -> dict[str, str]:
        """Account's id -> organization's, of all that are there."""
        query = select(_O.c.account_id, _O.c.organization_id).where(
            _O.c.account_id.is_not(None), _O.c.deleted_at.is_(None)
        )
        return {row["account_id"]: row["organization_id"] for row in await self._rows(query)}

    async def holders(self, account_ids: Collection[str]) -> set[str]:
        """Every organization that holds the id of one of these accounts."""
        found: set[str] = set()
        for some in batched(sorted(account_ids), KEYS):
            rows = await self.organizations(and_(_O.c.account_id.in_(some), _O.c.deleted_at.is_(None)))
            found |= {row["organization_id"] for row in rows}
        return found

    async def stale(self) -> list[Row]:
        """Organizations of which an event told since they were read."""
        return await self._rows(select(_O).where(_O.c.stale, _O.c.deleted_at.is_(None)))

    async def named(self, names: Collection[str]) -> list[str]:
        """Ids of organizations that have one of the folded names."""
        return [key for keys in (await self.namesakes(names)).values() for key in sorted(keys)]

    async def namesakes(self, names: Collection[str]) -> dict[str, set[str]]:
        """Folded name -> ids of organizations that have it, as far as our own list goes."""
        found: dict[str, set[str]] = defaultdict(set)
        for some in batched(sorted(names), KEYS):
            query = select(_O).where(_O.c.folded_name.in_(some), _O.c.deleted_at.is_(None))
            for row in await self._rows(query):
                found[row["folded_name"]].add(row["organization_id"])
        return found

    async def wanted_of(self, ids: Collection[str]) -> dict[str, dict[str, Value]]:
        """What was last known to be right of organizations, by id."""
        found: dict[str, dict[str, Value]] = {}
        for some in batched(sorted(ids), KEYS):
            query = select(_O.c.organization_id, _O.c.wanted).where(_O.c.organization_id.in_(some))
            found |= {
                row["organization_id"]: orjson.loads(row["wanted"])
                for row in await self._rows(query)
                if row["wanted"]
            }
        return found

    async def organizations(self, where: Any) -> list[Row]:
        """Rows of our own list."""
        return await self._rows(select(_O).where(where).order_by(_O.c.organization_id))

    async def marked(self) -> list[Row]:
        """Organizations that are marked for review."""
        return await self.organizations(and_(_O.c.marked, _O.c.deleted_at.is_(None)))

    # --- our own list of accounts ---

    async def remember_accounts(
        self, found: Iterable[tuple[Account, str | None]], refused: Mapping[str, str]
    ) -> None:
        """Keep accounts with the organization of each; `refused`: why the last write of one failed."""
        for some in batched(found, KEYS):
            async with self._store.transaction() as tx:
                rows = [
                    {
                        "account_id": each.id,
                        "name": each.name,
                        "folded_name": folded(each.name),
                        "wanted": each.wanted,
                        "organization_id": organization_id,
                        "notes": _json(list(each.notes)) if each.notes else None,
                        "refused": refused.get(each.id),
                        "seen_at": tx.now,
                    }
                    for each, organization_id in some
                ]
                insert = insert_for(tx.dialect, _A)
                new = {name: insert.excluded[name] for name in rows[0] if name != "account_id"}
                await tx.execute(insert.on_conflict_do_update(index_elements=["account_id"], set_=new), rows)

    async def set_right(self, found: Iterable[tuple[str, Mapping[str, Value]]]) -> None:
        """Keep what is right of organizations: what tells later who changed a value."""
        for some in batched(found, KEYS):
            async with self._store.transaction() as tx:
                one = update(_O).where(_O.c.organization_id == bindparam("b_id"))
                values = [{"b_id": key, "b_wanted": _json(dict(target))} for key, target in some]
                await tx.execute(one.values(wanted=bindparam("b_wanted")), values)

    async def refused_accounts(self) -> set[str]:
        """Those whose last write failed."""
        return {row["account_id"] for row in await self._rows(select(_A).where(_A.c.refused.is_not(None)))}

    async def names(self, wanted: Collection[str]) -> dict[str, set[str]]:
        """Folded name -> ids of accounts that have it."""
        found: dict[str, set[str]] = defaultdict(set)
        for some in batched(sorted(wanted), KEYS):
            for row in await self._rows(select(_A).where(_A.c.folded_name.in_(some))):
                found[row["folded_name"]].add(row["account_id"])
        return found

    async def merges(self) -> dict[str, str]:
        """Merged account's id -> the winner's, of merges that were seen and not undone."""
        query = select(_M.c.loser_id, _M.c.winner_id).where(_M.c.undone_at.is_(None))
        return {row["loser_id"]: row["winner_id"] for row in await self._rows(query)}

    # --- the brake and the environment ---

    async def release_brake(self, released_by: str, reason: str) -> str:
        """Lift the brake for the next run that it would stop."""
        release_id = str(uuid7())
        async with self._store.transaction() as tx:
            row = {
                "release_id": release_id,
                "released_by": released_by,
                "reason": reason,
                "released_at": tx.now,
            }
            await tx.execute(insert_for(tx.dialect, _B).values(row))
        return release_id

    async def use_release(self, run_id: str) -> Row | None:
        """A brake that was lifted lately, used up by this run; None when it is armed."""
        async with self._store.transaction() as tx:
            free = and_(_B.c.used_by.is_(None), _B.c.released_at > tx.now - LIFTED_FOR)
            query = select(_B).where(free).order_by(_B.c.released_at).limit(1)
            found = (await tx.read(query)).mappings().first()
            if found is None:
                return None
            mine = and_(_B.c.release_id == found["release_id"], _B.c.used_by.is_(None))
            taken = await tx.execute(update(_B).where(mine).values(used_by=run_id, used_at=tx.now))
            return dict(found) if taken.rowcount else None

    async def pinned(self, name: str, value: str) -> str:
        """The value that is kept under `name`; the first one that is given is kept."""
        async with self._store.transaction() as tx:
            row = {"name": name, "value": value, "since": tx.now}
            await tx.execute(insert_for(tx.dialect, _E).values(row).on_conflict_do_nothing())
            return str((await tx.read(select(_E.c.value).where(_E.c.name == name))).scalar_one())

    async def unpin(self, name: str) -> None:
        """Forget what is kept under `name`."""
        async with self._store.transaction() as tx:
            await tx.execute(delete(_E).where(_E.c.name == name))

    async def _rows(self, query: Any) -> list[Row]:
        async with self._store.reading() as conn:
            return [dict(row) for row in (await conn.execute(query)).mappings()]


def _kept(each: Organization, policy: OrganizationsPolicy, now: datetime) -> dict[str, Any]:
    return {
        "organization_id": each.id,
        "name": each.name,
        "folded_name": folded(each.name),
        "external_id": each.external_id,
        "account_id": own_id(each, policy.salesforce_id),
        "held": _json(dict(each.values)),
        "domains": _json(list(each.domains)),
        "shared_tickets": each.shared,
        "marked": each.values.get(policy.marked) is True,
        "stale": False,
        "seen_at": now,
        "deleted_at": None,
    }


def _parameters(each: RowUpdate) -> dict[str, Any]:
    return {
        "b_position": each.position,
        "b_state": each.state,
        "b_reason": each.reason or None,
        "b_organization_id": each.organization_id,
    }


def changes_of(text: str) -> tuple[Change, ...]:
    """The changes in a row."""
    return tuple(Change(**each) for each in orjson.loads(text))


def held_of(row: Row) -> dict[str, Value]:
    """The field values in a row of our own list."""
    found: dict[str, Value] = orjson.loads(row["held"])
    return found


def _row(run_id: str, position: int, item: Item, state: str, now: datetime) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "position": position,
        "action": item.action.value,
        "rule": item.rule,
        "account_id": item.account_id,
        "organization_id": item.organization_id,
        "name": item.name,
        "changes": _json([asdict(change) for change in item.changes]),
        "state": state,
        "reason": item.reason or None,
        "sla": item.sla or None,
        "at": now,
    }


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
