"""`salesforce.ticket_record`: writes the newest state of up to 200 tickets in one call (docs/rules.md S1).

A delivery only names the ticket. What is sent is built here, from what we know at this moment and from what
must be read by REST, so a late or replayed fact can never overwrite newer state: when nothing changed since
the last write, it is moot. Repeating is always safe, because the write is an upsert by external id.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from sfdc_sync.destinations import TICKET_RECORD
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.responses import ErrorAction, RecordResult
from sfdc_sync.ticket_records.batch import (
    Batch,
    RecordKeeper,
    gathered,
    in_calls,
    outcome_of,
    pause_when_all_wait,
    wait_for_quota,
)
from sfdc_sync.ticket_records.decisions import Action, Intent, Ticket, account_of_fact, intent_of
from sfdc_sync.ticket_records.facts import Facts, TicketFacts
from sfdc_sync.ticket_records.mapping import Mapped, mapped
from sfdc_sync.ticket_records.repository import (
    load_tickets,
    remember_removal,
    remember_write,
    skewed_accounts,
)
from sfdc_sync.ticket_records.written import Written, result_of
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.errors import Retryable
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store

log = get_logger("sfdc_sync.records")


class TicketRecords:
    """The destination. One call at a time: parallel batches of one account would lock each other."""

    def __init__(
        self,
        store: Store,
        salesforce: RecordKeeper,
        facts: Facts,
        policy: SfdcPolicy,
        *,
        call_timeout: timedelta,
        metrics: Recorder,
    ) -> None:
        self._store = store
        self._salesforce = salesforce
        self._facts = facts
        self._policy = policy
        self._metrics = metrics
        self._patience = call_timeout * 3
        self.spec = DestinationSpec(
            TICKET_RECORD,
            batch=policy.batch,
            linger=policy.linger,
            concurrency=1,
            timeout=call_timeout
            * 9,  # login and look-ups, then calls while patience lasts, the last of them twice
            schedule=policy.retry,
            idempotent=True,  # the same upsert again gives the same record
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Write the newest state of the tickets named; see `outcome_of` for what each answer means."""
        found = await load_tickets(self._store, {_ticket_of(delivery) for delivery in deliveries})
        intents = {
            delivery.id: self._intent(delivery, found.get(_ticket_of(delivery))) for delivery in deliveries
        }
        wanted = {
            action: [found[_ticket_of(each)] for each in deliveries if intents[each.id].action is action]
            for action in (Action.WRITE, Action.REMOVE)
        }
        moved = {_account(each, found) for each in deliveries if account_of_fact(_fact_of(each))}
        if moved:
            self._facts.forget(moved)
        if any(wanted.values()):
            wait_for_quota(self._salesforce, self._policy, self._store.clock.now())
        done = await self._write(wanted[Action.WRITE]) if wanted[Action.WRITE] else {}
        done |= await self._remove(wanted[Action.REMOVE]) if wanted[Action.REMOVE] else {}
        pause_when_all_wait([each.result for each in done.values()], self._policy.pauses)
        return [self._outcome(each, intents[each.id], done.get(_ticket_of(each))) for each in deliveries]

    def _intent(self, delivery: Delivery, ticket: Ticket | None) -> Intent:
        if ticket is None:
            return Intent(Action.NOTHING, "nothing is known of the ticket")
        return intent_of(ticket, _fact_of(delivery), self._policy.ticket_record.deleted)

    # --- calls ---

    async def _write(self, due: Sequence[Ticket]) -> dict[str, Written]:
        policy = self._policy
        facts, ended = await gathered(self._facts.of, due)
        done = {
            each.ticket_id: Written(each, ended[each.ticket_id]) for each in due if each.ticket_id in ended
        }
        accounts = {each.account_id for each in facts} - {""}
        skewed = await skewed_accounts(self._store, accounts, policy.skew.records)
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        for at, call in enumerate(in_calls(facts, skewed, batch=policy.batch, skew=policy.skew)):
            done |= await self._send(call, deadline, first=at == 0)
        return done

    async def _send(self, call: Sequence[TicketFacts], deadline: float, *, first: bool) -> dict[str, Written]:
        """One call, and what is worth sending again at once. After the first, trouble is that call's alone."""
        rules = self._policy.ticket_record
        maps = [mapped(rules, each.ticket.ticket_id, each.known) for each in call]
        try:
            if not first and asyncio.get_running_loop().time() > deadline:
                raise Retryable("left for the next batch")
            records = [each.record for each in maps]
            results = await Batch(self._salesforce, rules, deadline).send(records)
        except Retryable as error:
            if first:
                raise
            results = [RecordResult(ErrorAction.TRANSIENT, reason=str(error))] * len(call)
        return {
            facts.ticket.ticket_id: Written(
                facts.ticket, _with_remarks(result, one), facts.match, _adjusted(one)
            )
            for facts, result, one in zip(call, results, maps, strict=True)
        }

    async def _remove(self, due: Sequence[Ticket]) -> dict[str, Written]:
        """Records of deleted tickets into the bin; one that is not there any more is as good as removed."""
        results = await self._salesforce.delete([ticket.record_id for ticket in due])
        return {
            ticket.ticket_id: Written(ticket, _as_removed(result), removed=True)
            for ticket, result in zip(due, results, strict=True)
        }

    # --- outcomes ---

    def _outcome(self, delivery: Delivery, intent: Intent, written: Written | None) -> Outcome:
        if written is None:
            self._metrics.count("records_written", result="stale")
            return Cancel(intent.reason)
        result = written.result
        if result.reaction is not ErrorAction.WRITTEN:
            self._metrics.count("records_written", result="refused")
            last = delivery.attempts > len(self._policy.retry)
            return outcome_of(result, self._policy.pauses, last=last)
        if written.removed:
            self._metrics.count("records_written", result="deleted")
            return Done(result_of(written), partial(remember_removal, written))
        self._metrics.count("records_written", result="created" if result.created else "updated")
        if result.left_out:
            log.warning("record.incomplete", ticket_id=written.ticket.ticket_id, left_out=result.left_out)
        return Done(result_of(written), partial(remember_write, delivery.id, written))


def _ticket_of(delivery: Delivery) -> str:
    return str(delivery.payload["ticket_id"])


def _fact_of(delivery: Delivery) -> str:
    return str(delivery.payload.get("fact", ""))


def _account(delivery: Delivery, found: Mapping[str, Ticket]) -> str:
    """The account that the delivery's record names up to now."""
    ticket = found.get(_ticket_of(delivery))
    return ticket.account_id if ticket is not None else ""


def _with_remarks(result: RecordResult, one: Mapped) -> RecordResult:
    unfit = tuple(f"{name}: {why}" for name, why in one.left_out.items())
    return replace(result, left_out=(*unfit, *result.left_out))


def _adjusted(one: Mapped) -> tuple[str, ...]:
    return tuple(f"{name}: {what}" for name, what in one.adjusted.items())


def _as_removed(result: RecordResult) -> RecordResult:
    return replace(result, reaction=ErrorAction.WRITTEN) if result.gone else result
