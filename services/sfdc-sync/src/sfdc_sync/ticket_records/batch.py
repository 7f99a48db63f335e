"""Records on their way to Salesforce: which go into which call, the call, and what is worth sending again at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import batched, groupby
from typing import Protocol

from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import SkewPolicy, TicketRecordPolicy
from sfdc_sync.salesforce.responses import ErrorAction, Record, RecordResult
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.facts import TicketFacts
from sfdc_sync.ticket_records.mapping import without, without_lookups
from supportops.delivery import Discard, Outcome, Snooze, TryAgain
from supportops.errors import DestinationPaused, Permanent, Retryable

type Reading = Callable[[Sequence[Ticket]], Awaitable[list[TicketFacts]]]
_WALLS = {ErrorAction.QUOTA, ErrorAction.BUSY, ErrorAction.LOGIN, ErrorAction.CONFIG}
ROUNDS = 3  # of what can be mended at once: several fields may be refused one after the other
MOST_CALLS = 20  # to find the one record that spoils a batch: twice log2(200) and a few


def in_calls(
    facts: Sequence[TicketFacts], skewed: Collection[str], *, batch: int, skew: SkewPolicy
) -> list[list[TicketFacts]]:
    """`facts` in calls of at most `batch`; an account is in one call, unless it alone is more than one.

    Inserting a child locks its parent (docs/vendors/salesforce.md#locks), so calls follow one another. `skewed`:
    accounts that have very many records already. Tickets without an account lock nobody and fill up.
    """
    ordered = sorted(facts, key=lambda each: (each.account_id, int(each.ticket.ticket_id)))
    calls: list[list[TicketFacts]] = []
    open_call: list[TicketFacts] = []
    for account_id, group in groupby(ordered, key=lambda each: each.account_id):
        members = list(group)
        if account_id in skewed:
            calls += [list(some) for some in batched(members, skew.batch)]
            continue
        if account_id and len(open_call) + len(members) > batch and open_call:
            calls.append(open_call)
            open_call = []
        open_call += members
        while len(open_call) >= batch:
            calls.append(open_call[:batch])
            open_call = open_call[batch:]
    return [*calls, open_call] if open_call else calls


async def gathered(read: Reading, due: Sequence[Ticket]) -> tuple[list[TicketFacts], dict[str, RecordResult]]:
    """What is known of tickets, and by id how those ended of whom nothing can be read.

    A look-up that is refused is refused for all who share it: whose value spoils it is found by halving.
    """
    found: list[TicketFacts] = []
    ended: dict[str, RecordResult] = {}
    waiting = deque([due])
    for _ in range(MOST_CALLS):
        if not waiting:
            break
        some = waiting.popleft()
        try:
            found += await read(some)
        except Permanent as error:
            if len(some) == 1:
                refused = f"its look-up is refused: {error}"
                ended[some[0].ticket_id] = RecordResult(ErrorAction.REJECTED, reason=refused)
                continue
            middle = len(some) // 2
            waiting += [some[:middle], some[middle:]]
    left = RecordResult(ErrorAction.TRANSIENT, reason="left for the next batch")
    return found, ended | {each.ticket_id: left for some in waiting for each in some}


class RecordWriter(Protocol):
    """What we need of Salesforce (`salesforce.Salesforce`)."""

    async def upsert(
        self, object_name: str, external_id: str, records: Sequence[Record]
    ) -> list[RecordResult]:
        """Write records by external id; one result each, in their order."""
        ...


class RecordKeeper(RecordWriter, Protocol):
    """What else we need of Salesforce (`salesforce.client.Salesforce`)."""

    async def delete(self, record_ids: Sequence[str]) -> list[RecordResult]:
        """Put records into the recycle bin; one result each, in their order."""
        ...

    def quota_reached(self, share: float) -> bool:
        """Whether the last answer said that `share` of the daily requests is used; asked once per answer."""
        ...


class Batch:
    """One batch on its way: the call, and what is worth sending again at once, within a number of calls."""

    def __init__(self, salesforce: RecordWriter, policy: TicketRecordPolicy, deadline: float) -> None:
        self._salesforce = salesforce
        self._policy = policy
        self._deadline = deadline
        self._calls = 0

    async def send(self, records: list[Record]) -> list[RecordResult]:
        """Results in the order of `records`. An error of the first call stands for all of them."""
        try:
            results = await self._upsert(records)
        except Permanent as error:
            results = await self._bisect(records, str(error))
        return await self._once_more(records, results)

    async def _once_more(self, records: list[Record], results: list[RecordResult]) -> list[RecordResult]:
        """A lost race is won by the same upsert; a missing parent, and a field whose value is refused, are left out."""
        for _ in range(ROUNDS):
            again = {
                index: record
                for index, result in enumerate(results)
                if (record := self._better(records[index], result)) is not None
            }
            if not again:
                break
            whole = {index for index, record in again.items() if record == records[index]}
            second = await self._part(list(again.values()))
            records = [again.get(index, record) for index, record in enumerate(records)]
            news = dict(zip(again, second, strict=True))
            results = [
                _after(result, news[index], whole=index in whole) if index in news else result
                for index, result in enumerate(results)
            ]
        return results

    def _better(self, record: Record, result: RecordResult) -> Record | None:
        """The record as it may be taken; None where sending it at once is of no use."""
        if result.reaction is ErrorAction.RACE and self._is_race(result):
            return record
        if result.reaction is ErrorAction.UNLINK:
            less = without_lookups(self._policy, record)
        elif result.reaction in (ErrorAction.FIELD, ErrorAction.RACE):
            less = without(record, set(result.fields) - {self._policy.external_id})
        else:
            return None
        return less if len(less) < len(record) else None

    def _is_race(self, result: RecordResult) -> bool:
        """A duplicate of the external id is a lost race; one of another unique field is that field's matter."""
        names = {name.lower() for name in result.fields}
        return not names or self._policy.external_id.lower() in names

    async def _part(self, records: list[Record]) -> list[RecordResult]:
        """Like `send`, but the fate of the others is known already: errors become results."""
        if self._calls >= MOST_CALLS or asyncio.get_running_loop().time() > self._deadline:
            return [RecordResult(ErrorAction.TRANSIENT, reason="left for the next batch")] * len(records)
        try:
            return await self._upsert(records)
        except Permanent as error:
            return await self._bisect(records, str(error))
        except Retryable as error:
            return [RecordResult(ErrorAction.TRANSIENT, reason=str(error))] * len(records)

    async def _bisect(self, records: list[Record], reason: str) -> list[RecordResult]:
        """The whole request was refused: one record spoils it for all, so look for it by halving."""
        if len(records) == 1:
            return [RecordResult(ErrorAction.REJECTED, reason=reason)]
        middle = len(records) // 2
        return await self._part(records[:middle]) + await self._part(records[middle:])

    async def _upsert(self, records: list[Record]) -> list[RecordResult]:
        self._calls += 1
        return await self._salesforce.upsert(self._policy.object, self._policy.external_id, records)


def _after(before: RecordResult, now: RecordResult, *, whole: bool) -> RecordResult:
    """The second result, with what the first one said about what was left out; `whole`: nothing was."""
    if whole:
        return now
    return replace(now, left_out=(*before.left_out, before.reason, *now.left_out))


def wait_for_quota(salesforce: RecordKeeper, policy: SfdcPolicy, now: datetime) -> None:
    """Nothing while our share of the day's requests lasts; else DestinationPaused, which says until when."""
    share, pause = policy.quota_share, policy.pauses.quota
    if salesforce.quota_reached(share):
        until = now + pause
        words = f"{share:.0%} of Salesforce's daily requests are used: tickets wait until {until:%H:%M} UTC"
        raise DestinationPaused(words, pause)


def outcome_of(result: RecordResult, pauses: Pauses, *, last: bool = False) -> Outcome:
    """What to do about a record that was not written (the table of docs/vendors/salesforce.md#errors).

    Waits for people and quotas are free: they must not use up the attempts of a record that is all right. `last`: this
    was the last attempt of the schedule; a lost race waits on even then.
    """
    match result.reaction:
        case ErrorAction.QUOTA:
            return Snooze(pauses.quota, result.reason)
        case ErrorAction.BUSY:
            return Snooze(pauses.busy, result.reason)
        case ErrorAction.STORAGE:
            return Snooze(pauses.storage, result.reason)
        case ErrorAction.LOGIN:
            return Snooze(pauses.login, result.reason)
        case ErrorAction.CONFIG:  # of this record alone: where all met it, the destination pauses
            return TryAgain(pauses.config, f"run `sfdc-sync doctor`: {result.reason}")
        case ErrorAction.RACE:  # two writers at once: for about a second the same upsert is refused again
            return Snooze(pauses.storage, result.reason) if last else TryAgain(None, result.reason)
        case ErrorAction.UNLINK | ErrorAction.FIELD | ErrorAction.REJECTED:
            return Discard("; ".join((result.reason, *result.left_out)))
        case _:
            return TryAgain(None, result.reason)


def pause_when_all_wait(results: Sequence[RecordResult], pauses: Pauses) -> None:
    """Every record stopped by the same wall: the whole destination waits, not only these rows."""
    reactions = {result.reaction for result in results}
    if len(reactions) != 1 or not reactions <= _WALLS:
        return
    outcome = outcome_of(results[0], pauses)
    if isinstance(outcome, Snooze | TryAgain):
        raise DestinationPaused(outcome.reason, outcome.after)
