"""One batch: what is sent again at once, what waits, and who pays for a spoilt request."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from sfdc_sync.matching.matcher import Match
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.policy.ticket_records import TicketRecordPolicy
from sfdc_sync.salesforce.responses import ErrorAction, Record, RecordResult
from sfdc_sync.ticket_records.batch import (
    MOST_CALLS,
    ROUNDS,
    Batch,
    gathered,
    outcome_of,
    pause_when_all_wait,
)
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.facts import TicketFacts
from supportops.delivery import Discard, Outcome, Snooze, TryAgain
from supportops.errors import DestinationPaused, Permanent, Retryable, UnknownOutcome
from tests.support.for_each import for_each

RULES = TicketRecordPolicy(
    fields={
        "S__c": FieldRule(source="subject"),
        "Account__c": FieldRule(source="organization_salesforce_id", type="reference"),
    }
)
PAUSES = Pauses()
ID = "001xx0000004GxDAAU"
WRITTEN = RecordResult(ErrorAction.WRITTEN, ID)


class Writer:
    """Salesforce as a function from a record to its result; every call is kept."""

    def __init__(self, answer: Callable[[Record, int], RecordResult]) -> None:
        self.calls: list[list[Record]] = []
        self._answer = answer

    async def upsert(
        self, object_name: str, external_id: str, records: Sequence[Record]
    ) -> list[RecordResult]:
        assert (object_name, external_id) == ("Zendesk_Ticket__c", "Zendesk_Ticket_ID__c")
        self.calls.append(list(records))
        return [self._answer(record, len(self.calls)) for record in records]

    def quota_reached(self, share: float) -> bool:
        return False


def records(count: int) -> list[Record]:
    return [{"Zendesk_Ticket_ID__c": str(n), "S__c": "s", "Account__c": ID} for n in range(count)]


async def send(writer: Writer, count: int, *, deadline: float = float("inf")) -> list[RecordResult]:
    return await Batch(writer, RULES, deadline).send(records(count))


@for_each("odd", [set(), {17}, {0, 199}])
async def test_a_look_up_that_one_ticket_spoils_is_made_for_the_others(odd: set[int]) -> None:
    calls: list[int] = []

    async def read(some: Sequence[Ticket]) -> list[TicketFacts]:
        calls.append(len(some))
        if any(int(each.ticket_id) in odd for each in some):
            raise Permanent("HTTP 400: INVALID_QUERY_FILTER_OPERATOR")
        return [TicketFacts(each, {}, Match()) for each in some]

    due = [Ticket(str(n), {}, "", 1, erased=False, written=0) for n in range(200)]
    found, ended = await gathered(read, due)
    refused = {key for key, each in ended.items() if each.reaction is ErrorAction.REJECTED}
    assert refused <= {str(n) for n in odd}
    assert len(odd) != 1 or refused == {"17"}
    assert len(found) + len(ended) == 200
    assert len(found) >= 200 - 25 * len(odd), "the neighbours are known"
    assert len(calls) <= MOST_CALLS


async def test_two_hundred_records_are_one_call() -> None:
    writer = Writer(lambda _record, _call: WRITTEN)
    assert await send(writer, 200) == [WRITTEN] * 200
    assert len(writer.calls) == 1


async def test_a_lost_race_is_run_again_alone() -> None:
    race = RecordResult(ErrorAction.RACE, reason="DUPLICATE_VALUE")
    writer = Writer(lambda r, call: race if r["Zendesk_Ticket_ID__c"] == "1" and call == 1 else WRITTEN)
    assert [result.reaction for result in await send(writer, 3)] == [ErrorAction.WRITTEN] * 3
    assert [len(call) for call in writer.calls] == [3, 1]


async def test_a_race_that_is_lost_again_and_again_waits_and_is_never_dead_at_once() -> None:
    race = RecordResult(ErrorAction.RACE, reason="DUPLICATE_VALUE")
    results = await send(writer := Writer(lambda _record, _call: race), 2)
    assert outcome_of(results[0], PAUSES) == TryAgain(None, "DUPLICATE_VALUE")
    assert len(writer.calls) == 1 + ROUNDS


def refusing(*names: str) -> Callable[[Record, int], RecordResult]:
    """Salesforce that refuses the values of these fields, one after the other."""

    def answer(record: Record, _call: int) -> RecordResult:
        for name in names:
            if name in record:
                return RecordResult(ErrorAction.FIELD, reason=f"INVALID on {name}", fields=(name,))
        return WRITTEN

    return answer


async def test_a_field_whose_value_is_refused_is_left_out_and_said_so() -> None:
    writer = Writer(refusing("S__c", "Account__c"))
    results = await send(writer, 2)
    assert [result.reaction for result in results] == [ErrorAction.WRITTEN] * 2
    assert results[0].left_out == ("INVALID on S__c", "INVALID on Account__c")
    assert writer.calls[-1] == [{"Zendesk_Ticket_ID__c": str(n)} for n in range(2)]


async def test_a_refused_field_harms_no_neighbour() -> None:
    def answer(record: Record, _call: int) -> RecordResult:
        odd = record["Zendesk_Ticket_ID__c"] == "1" and "S__c" in record
        return RecordResult(ErrorAction.FIELD, reason="no", fields=("s__C",)) if odd else WRITTEN

    writer = Writer(answer)
    assert [result.reaction for result in await send(writer, 3)] == [ErrorAction.WRITTEN] * 3
    assert [len(call) for call in writer.calls] == [3, 1]


async def test_the_field_that_identifies_the_record_is_never_left_out() -> None:
    refused = RecordResult(ErrorAction.FIELD, reason="no", fields=("Zendesk_Ticket_ID__c",))
    results = await send(writer := Writer(lambda _record, _call: refused), 1)
    assert outcome_of(results[0], PAUSES) == Discard("no")
    assert len(writer.calls) == 1


async def test_a_missing_parent_is_left_out() -> None:
    unlink = RecordResult(ErrorAction.UNLINK, reason="INVALID_CROSS_REFERENCE_KEY")
    writer = Writer(lambda record, _call: unlink if "Account__c" in record else WRITTEN)
    without = replace(WRITTEN, left_out=("INVALID_CROSS_REFERENCE_KEY",))
    assert await send(writer, 2) == [without, without]
    assert all("Account__c" not in record for record in writer.calls[1])


async def test_one_record_that_spoils_the_request_is_found_by_halving() -> None:
    def refuse(_record: Record, call: int) -> RecordResult:
        if any(r["Zendesk_Ticket_ID__c"] == "77" for r in writer.calls[call - 1]):
            raise Permanent("HTTP 400: JSON_PARSER_ERROR")
        return WRITTEN

    writer = Writer(refuse)
    results = await send(writer, 128)
    refused = [n for n, result in enumerate(results) if result.reaction is ErrorAction.REJECTED]
    left = [n for n, result in enumerate(results) if result.reaction is ErrorAction.TRANSIENT]
    assert len(writer.calls) <= MOST_CALLS
    assert (refused, left) == ([77], [])


async def test_a_batch_of_nothing_but_poison_costs_few_calls() -> None:
    def refuse(_record: Record, _call: int) -> RecordResult:
        raise Permanent("HTTP 400")

    writer = Writer(refuse)
    results = await send(writer, 200)
    assert len(writer.calls) <= MOST_CALLS
    assert {result.reaction for result in results} <= {ErrorAction.REJECTED, ErrorAction.TRANSIENT}


async def test_no_second_call_begins_past_the_deadline() -> None:
    race = RecordResult(ErrorAction.RACE)
    writer = Writer(lambda _record, _call: race)
    assert {r.reaction for r in await send(writer, 2, deadline=0)} == {ErrorAction.TRANSIENT}
    assert len(writer.calls) == 1


@for_each("error", [Retryable("x"), UnknownOutcome("x"), DestinationPaused("x")])
async def test_an_error_of_the_first_call_stands_for_all(error: Exception) -> None:
    def fail(_record: Record, _call: int) -> RecordResult:
        raise error

    with pytest.raises(type(error)):
        await send(Writer(fail), 2)


async def test_an_error_of_a_later_call_does_not_undo_what_was_written() -> None:
    def answer(record: Record, call: int) -> RecordResult:
        if call > 1:
            raise DestinationPaused("quota")
        return RecordResult(ErrorAction.RACE) if record["Zendesk_Ticket_ID__c"] == "0" else WRITTEN

    assert [r.reaction for r in await send(Writer(answer), 2)] == [ErrorAction.TRANSIENT, ErrorAction.WRITTEN]


@for_each(
    "reaction, outcome",
    [
        (ErrorAction.TRANSIENT, TryAgain(None, "why")),
        (ErrorAction.QUOTA, Snooze(PAUSES.quota, "why")),
        (ErrorAction.BUSY, Snooze(PAUSES.busy, "why")),
        (ErrorAction.STORAGE, Snooze(timedelta(hours=1), "why")),
        (ErrorAction.LOGIN, Snooze(PAUSES.login, "why")),
        (ErrorAction.CONFIG, TryAgain(PAUSES.config, "run `sfdc-sync doctor`: why")),
        (ErrorAction.REJECTED, Discard("why")),
        (ErrorAction.RACE, TryAgain(None, "why")),
        (ErrorAction.FIELD, Discard("why")),
        (ErrorAction.UNLINK, Discard("why")),
    ],
)
def test_each_reaction_is_an_outcome(reaction: ErrorAction, outcome: Outcome) -> None:
    assert outcome_of(RecordResult(reaction, reason="why"), PAUSES) == outcome


def test_the_destination_pauses_only_when_every_record_met_the_same_wall() -> None:
    quota = RecordResult(ErrorAction.QUOTA, reason="REQUEST_LIMIT_EXCEEDED")
    with pytest.raises(DestinationPaused) as caught:
        pause_when_all_wait([quota, quota], PAUSES)
    assert caught.value.after == PAUSES.quota
    pause_when_all_wait([quota, WRITTEN], PAUSES)
    pause_when_all_wait([RecordResult(ErrorAction.TRANSIENT)], PAUSES)
    pause_when_all_wait([], PAUSES)


def test_a_lost_race_waits_on_when_its_attempts_are_used_up() -> None:
    race = RecordResult(ErrorAction.RACE, reason="DUPLICATE_VALUE")
    assert outcome_of(race, PAUSES, last=True) == Snooze(PAUSES.storage, "DUPLICATE_VALUE")


async def test_a_duplicate_of_another_unique_field_costs_that_field_alone() -> None:
    taken = RecordResult(ErrorAction.RACE, reason="DUPLICATE_VALUE on S__c", fields=("S__c",))
    writer = Writer(lambda record, _call: taken if "S__c" in record else WRITTEN)
    (result,) = await send(writer, 1)
    assert result.reaction is ErrorAction.WRITTEN
    assert result.left_out == ("DUPLICATE_VALUE on S__c",)
