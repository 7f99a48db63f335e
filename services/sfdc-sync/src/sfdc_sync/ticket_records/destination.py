"""`salesforce.ticket_record`: writes the newest state of up to 200 tickets in one call (docs/rules.md S1).

A delivery only names the ticket. What is sent is built here, from what we know at this moment and from what
must be read by REST, so a late or replayed fact can never overwrite newer state: when nothing changed since
the last write, it is moot. Repeating is always safe, because the write is an upsert by external id.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import ORGANIZATION_SOURCES, REQUESTER_SOURCES
from sfdc_sync.salesforce.responses import ErrorAction, RecordResult
from sfdc_sync.tables import ticket_records, tickets
from sfdc_sync.ticket_records.batch import Batch, RecordWriter, outcome_of, pause_when_all_wait
from sfdc_sync.ticket_records.mapping import Value, left_out, record_of
from sfdc_sync.ticket_records.state import TicketState
from supportops.contracts import RecordWritten
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.errors import DestinationPaused
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction

log = get_logger("sfdc_sync.records")


class Directory(Protocol):
    """What must be read from Zendesk: sources by user or organization id, absent where there is none."""

    async def requesters(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """requester_email, requester_name by user id."""
        ...

    async def organizations(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """organization_name, organization_salesforce_id by organization id."""
        ...

    def ticket_url(self, ticket_id: str) -> str:
        """Where people find the ticket."""
        ...


@dataclass(frozen=True)
class Ticket:
    """A ticket as we know it now. `written`: the revision that Salesforce holds; 0 when it holds none."""

    ticket_id: str
    known: Mapping[str, Value]
    version: str
    revision: int
    erased: bool
    written: int

    def moot(self) -> str:
        """Why it need not be written; empty when it must be."""
        if self.erased:
            return "the ticket is permanently deleted"
        if self.revision <= self.written:
            return "stale: Salesforce already holds this state or a newer one"
        return ""


class TicketRecords:
    """The destination. One call at a time: parallel batches of one account would lock each other."""

    def __init__(
        self,
        store: Store,
        salesforce: RecordWriter,
        directory: Directory,
        policy: SfdcPolicy,
        *,
        call_timeout: timedelta,
        metrics: Recorder,
    ) -> None:
        self._store = store
        self._salesforce = salesforce
        self._directory = directory
        self._policy = policy
        self._metrics = metrics
        self._patience = call_timeout * 2
        self.spec = DestinationSpec(
            TICKET_RECORD,
            batch=policy.batch,
            linger=policy.linger,
            concurrency=1,
            timeout=call_timeout * 6,  # login, call, login, call; the same for a second round, rarely
            schedule=policy.retry,
            idempotent=True,  # the same upsert again gives the same record
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Write the newest state of the tickets named; see `outcome_of` for what each answer means."""
        found = await self._load({_ticket_of(delivery) for delivery in deliveries})
        due = [ticket for ticket in found.values() if not ticket.moot()]
        results = await self._write(due) if due else {}
        pause_when_all_wait(list(results.values()), self._policy.pauses)
        return [self._outcome(delivery, found.get(_ticket_of(delivery)), results) for delivery in deliveries]

    async def _load(self, ids: set[str]) -> dict[str, Ticket]:
        query = select(tickets, ticket_records.c.revision.label("written"))
        joined = tickets.outerjoin(ticket_records, ticket_records.c.ticket_id == tickets.c.ticket_id)
        query = query.select_from(joined).where(tickets.c.ticket_id.in_(sorted(ids)))
        async with self._store.reading() as conn:
            rows = (await conn.execute(query)).mappings().all()
        return {row["ticket_id"]: _ticket(row) for row in rows}

    async def _write(self, due: Sequence[Ticket]) -> dict[str, RecordResult]:
        if self._salesforce.quota_reached(self._policy.quota_share):
            raise DestinationPaused("our share of the daily requests is used up", self._policy.pauses.quota)
        # Neighbours of one account together: inserting a child locks its parent (docs/vendors/salesforce.md#locks).
        due = sorted(due, key=lambda t: (str(t.known.get("organization_id") or ""), int(t.ticket_id)))
        record = self._policy.ticket_record
        facts = await self._facts(due)
        records = [record_of(record, each.ticket_id, known) for each, known in zip(due, facts, strict=True)]
        results = await self._batch().send(records)
        unfit = [tuple(f"{name}: {why}" for name, why in left_out(record, known).items()) for known in facts]
        return {
            ticket.ticket_id: replace(result, left_out=(*names, *result.left_out))
            for ticket, result, names in zip(due, results, unfit, strict=True)
        }

    def _batch(self) -> Batch:
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        return Batch(self._salesforce, self._policy.ticket_record, deadline)

    async def _facts(self, due: Sequence[Ticket]) -> list[dict[str, Value]]:
        """What is known of each ticket, by source: from its events, and looked up."""
        wanted = self._policy.ticket_record.sources
        people: Mapping[str, Mapping[str, Value]] = {}
        organizations: Mapping[str, Mapping[str, Value]] = {}
        if wanted & REQUESTER_SOURCES:
            people = await self._directory.requesters(_ids(due, "requester_id"))
        if wanted & ORGANIZATION_SOURCES:
            organizations = await self._directory.organizations(_ids(due, "organization_id"))
        return [
            {
                **ticket.known,
                "ticket_id": ticket.ticket_id,
                "ticket_url": self._directory.ticket_url(ticket.ticket_id),
                **_looked_up(ticket, "requester_id", people, REQUESTER_SOURCES),
                **_looked_up(ticket, "organization_id", organizations, ORGANIZATION_SOURCES),
            }
            for ticket in due
        ]

    def _outcome(
        self, delivery: Delivery, ticket: Ticket | None, results: Mapping[str, RecordResult]
    ) -> Outcome:
        reason = "nothing is known of the ticket" if ticket is None else ticket.moot()
        if ticket is None or reason:
            self._metrics.count("records_written", result="stale")
            return Cancel(reason)
        result = results[ticket.ticket_id]
        if result.reaction is ErrorAction.WRITTEN:
            self._metrics.count("records_written", result="created" if result.created else "updated")
            told: dict[str, Any] = {
                "record_id": result.record_id,
                "created": result.created,
                "revision": ticket.revision,
            }
            if result.left_out:
                told["left_out"] = list(result.left_out)
                log.warning("record.incomplete", ticket_id=ticket.ticket_id, left_out=result.left_out)
            return Done(told, partial(_written, delivery, ticket, result))
        self._metrics.count("records_written", result="refused")
        return outcome_of(result, self._policy.pauses)


def _written(delivery: Delivery, ticket: Ticket, result: RecordResult, tx: Transaction) -> None:
    """What follows from a write: the revision that Salesforce holds, and the event that says so."""
    tx.write(
        _REMEMBER[tx.dialect],
        b_ticket_id=ticket.ticket_id,
        b_record_id=result.record_id,
        b_revision=ticket.revision,
        b_version=ticket.version,
        b_written_at=tx.now,
    )
    tx.publish(
        RecordWritten(
            id=delivery.id,
            source="/sfdc-sync",
            time=tx.now,
            subject=ticket.ticket_id,
            ticket_id=ticket.ticket_id,
            record_id=result.record_id,
            created=result.created,
            version=ticket.version,
        )
    )


def _remember(insert: Any) -> Any:
    names = [column.name for column in ticket_records.columns]
    statement = insert(ticket_records).values({name: bindparam(f"b_{name}") for name in names})
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["ticket_id"],
        set_={name: new[name] for name in names if name != "ticket_id"},
        where=new.revision > ticket_records.c.revision,  # an older answer that comes late changes nothing
    )


# One statement object per dialect, so that a transaction executes all its writes in bulk.
_REMEMBER = {"sqlite": _remember(sqlite.insert), "postgresql": _remember(postgresql.insert)}


def _ticket(row: Mapping[Any, Any]) -> Ticket:
    state = TicketState.parse(row["state"])
    return Ticket(
        row["ticket_id"],
        state.fields(),
        state.version,
        row["revision"],
        row["erased"],
        row["written"] or 0,
    )


def _ticket_of(delivery: Delivery) -> str:
    return str(delivery.payload["ticket_id"])


def _ids(due: Sequence[Ticket], name: str) -> set[str]:
    return {str(value) for ticket in due if (value := ticket.known.get(name))}


def _looked_up(
    ticket: Ticket, id_source: str, found: Mapping[str, Mapping[str, Value]], names: frozenset[str]
) -> dict[str, Value]:
    """What a look-up adds. No id known: nothing. Known to have none: known to be empty."""
    if id_source not in ticket.known:
        return {}
    value = ticket.known[id_source]
    if value is None:
        return dict.fromkeys(names)
    return {name: known for name, known in found.get(str(value), {}).items() if name in names}
