"""`verify`: tickets against their records, both read afresh (docs/sfdc-sync.md#verify)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Any, Protocol

from sqlalchemy import select

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.integrity.comparison import Difference, Held, Sides, differences
from sfdc_sync.policy.fields import STATE_SOURCES
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.soql import in_lists
from sfdc_sync.tables import ticket_records, tickets
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.facts import Facts
from sfdc_sync.ticket_records.fit import Value
from sfdc_sync.ticket_records.handlers import ALWAYS_KEPT
from sfdc_sync.ticket_records.mapping import external_id, mapped
from sfdc_sync.ticket_records.repository import write_again
from sfdc_sync.ticket_records.state import TicketState
from supportops.errors import DestinationPaused
from supportops.store import Store
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Ticket as Fresh
from supportops.vendors.zendesk.exports import ExportPage

MANY = 200


class Exporting(Protocol):
    """What we need of Zendesk (`supportops.vendors.zendesk.exports.Exports`)."""

    async def tickets(self, since: datetime, cursor: str | None = None) -> ExportPage:
        """A page of tickets that changed at or after `since`."""
        ...


class Querying(Protocol):
    """What we need of Salesforce (`salesforce.client.Salesforce`)."""

    async def queries(
        self, soql: Sequence[str], *, deleted: bool = False
    ) -> Sequence[Sequence[Mapping[str, Any]]]:
        """The rows of each query."""
        ...

    def quota_reached(self, share: float) -> bool:
        """Whether `share` of the daily requests is used."""
        ...


@dataclass
class Comparison:
    """What a run found. `older`: values that changed after the last fact that is written; nobody has to mend them."""

    tickets: int = 0
    older: int = 0
    found: list[Difference] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


class Verification:
    """Compares what changed in Zendesk since a moment; `repair` has the worker write exactly what differs."""

    def __init__(
        self, store: Store, exports: Exporting, salesforce: Querying, facts: Facts, policy: SfdcPolicy
    ) -> None:
        self._store, self._exports, self._salesforce = store, exports, salesforce
        self._facts, self._policy = facts, policy
        self._rules = policy.ticket_record
        self._kept = (self._rules.sources & STATE_SOURCES) | ALWAYS_KEPT

    async def run(self, since: datetime, *, repair: bool) -> Comparison:
        """Raises what the calls raise: half a comparison proves nothing."""
        result = Comparison()
        cursor: str | None = None
        while True:
            page = await self._exports.tickets(since, cursor)
            fresh = {each.id: each for each in page.tickets}
            for some in batched(fresh.values(), MANY):
                await self._compare(some, since, result, repair=repair)
            if page.last or page.cursor == cursor:
                return result
            cursor = page.cursor

    async def _compare(
        self, fresh: Sequence[Fresh], since: datetime, result: Comparison, *, repair: bool
    ) -> None:
        if self._salesforce.quota_reached(share := self._policy.bulk_quota_share):
            words = f"{share:.0%} of Salesforce's daily requests are used: the rest is for tickets"
            raise DestinationPaused(words)
        ids = [each.id for each in fresh]
        held, rows = await self._held(ids), await self._rows(ids)
        facts = await self._facts.of([self._known(each) for each in fresh])
        wrong: list[Fresh] = []
        for ticket, told in zip(fresh, facts, strict=True):
            expected = mapped(self._rules, ticket.id, told.known).record
            found, older = self._judge(ticket, expected, rows.get(ticket.id), held[ticket.id], since)
            result.older += older
            result.found += found
            wrong += [ticket] if found else []
        result.tickets += len(fresh)
        if repair and wrong:
            result.mended += await self._repair(wrong)

    def _judge(
        self,
        ticket: Fresh,
        expected: Mapping[str, object],
        row: Mapping[str, Any] | None,
        held: Held,
        since: datetime,
    ) -> tuple[list[Difference], int]:
        if ticket.status == "deleted" and (row is None or self._rules.deleted == "keep"):
            return [], 0
        if ticket.status == "deleted" and self._rules.deleted == "delete":
            why = held.unfinished or "the ticket is deleted, and the rules say that its record is"
            return [Difference(ticket.id, "", "no record", "a record", why)], 0
        if row is not None:
            solved = ticket.solved_at if "solved" in self._rules.write_on else None
            return differences(self._rules, Sides(ticket.id, expected, row, ticket.updated_at, solved), held)
        if held.written_at is None and not self._due(ticket, since):
            return [], 0
        gone = "the record is not there any more" if held.written_at else "nothing was written"
        return [Difference(ticket.id, "", "a record", "none", held.unfinished or gone)], 0

    def _due(self, ticket: Fresh, since: datetime) -> bool:
        """Whether a fact that makes a record fell into the time that is looked at."""
        moments = {"created": ticket.created_at, "solved": ticket.solved_at}
        return any(
            moment is not None and moment >= since and fact in self._rules.write_on
            for fact, moment in moments.items()
        )

    # --- both sides ---

    def _known(self, fresh: Fresh) -> Ticket:
        return Ticket(fresh.id, self._sources(fresh), "", 0, erased=False, written=0)

    def _sources(self, fresh: Fresh) -> dict[str, Value]:
        """The ticket as its events would have told it; what REST does not tell is unknown."""
        told = fresh.model_dump(mode="json", include=set(self._kept))
        settled = fresh.status in ("solved", "closed")
        solved_at = fresh.solved_at.isoformat() if settled and fresh.solved_at else None
        told |= {"solved_at": solved_at, "deleted": fresh.status == "deleted", "tags": list(fresh.tags)}
        return {name: value for name, value in told.items() if name in self._kept}

    async def _rows(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        rules = self._rules
        names = {external_id(rules, each): each for each in ids}
        columns = ", ".join(dict.fromkeys(["Id", "LastModifiedDate", rules.external_id, *rules.fields]))
        query = f"SELECT {columns} FROM {rules.object} WHERE {rules.external_id} IN"  # noqa: S608 # nosec B608 # SOQL of checked names
        answers = await self._salesforce.queries(list(in_lists(query, names)))
        keyed = {str(row.get(rules.external_id)).lower(): row for rows in answers for row in rows}
        return {each: keyed[name.lower()] for name, each in names.items() if name.lower() in keyed}

    async def _held(self, ids: Collection[str]) -> dict[str, Held]:
        records, d = ticket_records.c, self._store.tables.deliveries.c
        written = select(records.ticket_id, records.written_at, records.version).where(
            records.ticket_id.in_(ids), records.removed_at.is_(None)
        )
        open_states = ("waiting", "leased", "dead")
        unfinished = select(d.lane, d.state, d.key).where(
            d.destination == TICKET_RECORD, d.lane.in_(ids), d.state.in_(open_states)
        )
        async with self._store.reading() as conn:
            there = {row.ticket_id: row for row in await conn.execute(written)}
            words = {row.lane: _unfinished(row.state, row.key) for row in await conn.execute(unfinished)}
        return {
            each: Held(there[each].written_at, there[each].version, words.get(each, ""))
            if each in there
            else Held(unfinished=words.get(each, ""))
            for each in ids
        }

    async def _repair(self, wrong: Sequence[Fresh]) -> list[str]:
        """What was read becomes what we know, and the worker writes it once more."""
        async with self._store.transaction() as tx:
            rows = await tx.load(tickets, [each.id for each in wrong])
            for fresh in wrong:
                row = rows.get(fresh.id)
                state = TicketState.parse(row["state"] if row else None)
                state = state.merged(version_of(fresh.updated_at, fresh.updated_at), self._sources(fresh))
                values = {"state": state.dump(), "revision": row["revision"] if row else 0}
                erased = bool(row and row["erased"])
                rows.put(fresh.id, **values, erased=erased, changed_at=tx.now)
            return await write_again(tx, [each.id for each in wrong])


def _unfinished(state: str, key: str) -> str:
    return f"{key} was given up on" if state == "dead" else f"{key} is still to be done"
