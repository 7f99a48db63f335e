"""The survey is asked once, whatever Zendesk does: late, lost and refused answers, tickets that move."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from csat import tables
from csat.destinations import SURVEY
from csat.policy.csat import CsatPolicy
from csat.surveys.repository import reserve_survey
from supportops.clock import SystemClock
from supportops.contracts import SurveySent, SurveySkipped
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk
from tests.integration.csat.app import BASE, NATIVE, NOW, Csat, working
from tests.integration.csat.assertions import deliveries, on, promised, rows_of
from tests.integration.csat.events import reopened, solved
from tests.integration.csat.sandbox import Outside
from tests.support.eventually import eventually


@pytest.fixture
async def csat(live_store: Store, zendesk: Zendesk) -> AsyncIterator[Csat]:
    async with working(live_store, zendesk) as running_csat:
        yield running_csat


@pytest.mark.both_databases
async def test_a_solved_ticket_gets_one_comment_one_tag_and_one_event(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket(tags=["vip"])
    event = solved(ticket_id, at)
    await csat.hear(event, event.model_copy(update={"id": "told-again"}))
    await csat.settled()
    [comment] = await outside.surveys(ticket_id)
    [survey] = await rows_of(csat.store, tables.surveys)
    assert comment["public"]
    assert comment["body"].count(f"{BASE}/s/") == 2
    assert csat.tokens.is_in(comment["body"], survey.survey_id)
    assert "?score=good" in comment["body"]
    assert "?score=bad" in comment["body"]
    assert sorted(await outside.tags(ticket_id)) == ["csat_survey_sent", "vip"]
    assert survey.tagged_at is not None
    [sent] = await promised(csat.store)
    assert isinstance(sent, SurveySent)
    assert (sent.ticket_id, sent.solved_at, sent.correlation_id) == (ticket_id, at, event.id)
    assert await csat.decisions() == [(True, "send")]


BAD_DAYS: list[dict[str, Any]] = [
    {"kind": "drop_after_commit"},
    {"kind": "error", "status": 503, "after_commit": True},
    {"kind": "hang", "after_commit": True, "delay": 3},
    {"kind": "drop"},
    {"kind": "error", "status": 502},
    {"kind": "slow", "delay": 0.5},
    {"kind": "429", "retry_after": 1},
]


@on("postgres")
@pytest.mark.parametrize("path", ["*/tickets/{}", "*/tickets/{}/tags"])
async def test_lost_and_late_answers_repeat_nothing(csat: Csat, outside: Outside, path: str) -> None:
    """One fault for each ticket."""
    tickets = [await outside.solved_ticket() for _ in BAD_DAYS]
    for (ticket_id, _), fault in zip(tickets, BAD_DAYS, strict=True):
        await outside.fault(**fault, path=path.format(ticket_id), method="PUT")
    await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets))
    await csat.settled()
    assert (await outside.get("/faults"))["faults"] == []
    for (ticket_id, _), fault in zip(tickets, BAD_DAYS, strict=True):
        assert len(await outside.surveys(ticket_id)) == 1, fault
        assert await outside.tags(ticket_id) == ["csat_survey_sent"], fault
    sent = [event.ticket_id for event in await promised(csat.store) if isinstance(event, SurveySent)]
    assert sorted(sent) == sorted(ticket_id for ticket_id, _ in tickets)
    assert len(await promised(csat.store)) == len(sent)
    assert await csat.decisions() == [(True, "send")] * len(tickets)


async def test_a_quota_uses_up_no_attempt(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await outside.fault(kind="429", retry_after=1, method="GET", path="*/tickets/*")
    await csat.hear(solved(ticket_id, at))
    [row] = (await csat.settled(SURVEY)).values()
    assert (row.state, row.attempts) == ("done", 1)


@on("sqlite")
async def test_rules_are_applied_to_the_fresh_ticket(csat: Csat, outside: Outside) -> None:
    told: list[tuple[dict[str, Any], str]] = [
        ({"organization": "GitLab"}, "excluded_organization"),
        ({"organization": "GitLab Inc."}, "send"),
        ({"tags": ["spam_ticket"]}, "excluded_tag"),
        ({"tags": ["pending_old", "vip"]}, "excluded_tag"),
        ({"tags": ["csat_survey_sent"]}, "send"),
    ]
    tickets = [await outside.solved_ticket(**values) for values, _ in told]
    await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets))
    await csat.settled()
    for (ticket_id, _), (values, rule) in zip(tickets, told, strict=True):
        decision = await csat.decision_about(ticket_id)
        assert (decision.send, decision.rule) == (rule == "send", rule), values
        assert len(await outside.surveys(ticket_id)) == (rule == "send"), values


class Meddling:
    """A Zendesk in which something happens to each ticket between our reading and our writing, once."""

    def __init__(self, zendesk: Zendesk, meddle: Callable[[str], Any]) -> None:
        self._zendesk, self._meddle = zendesk, meddle
        self._met: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._zendesk, name)

    async def update_ticket(self, ticket_id: str, **values: Any) -> Any:
        if ticket_id not in self._met:
            self._met.add(ticket_id)
            await self._meddle(ticket_id)
        return await self._zendesk.update_ticket(ticket_id, **values)


@on("sqlite")
async def test_what_happens_while_we_write_is_decided_anew(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    happens: list[tuple[str, dict[str, Any], str]] = [
        ("reopen", {}, "reopened"),
        ("close", {}, "closed"),
        ("delete", {}, "deleted"),
        ("tags", {"tags": {"add": ["spam_ticket"]}}, "excluded_tag"),
    ]
    tickets = [await outside.solved_ticket() for _ in happens]
    about = {ticket_id: row for (ticket_id, _), row in zip(tickets, happens, strict=True)}

    async def meddle(ticket_id: str) -> None:
        await later_second(outside, ticket_id)
        what, values, _ = about[ticket_id]
        await outside.act(ticket_id, what, **values)

    async with working(live_store, Meddling(zendesk, meddle)) as csat:
        await csat.hear(*(solved(ticket_id, at) for ticket_id, at in tickets))
        await csat.settled()
        for ticket_id, (_, _, rule) in about.items():
            decision = await csat.decision_about(ticket_id)
            assert (decision.send, decision.rule) == (False, rule)
            assert await outside.surveys(ticket_id) == [], rule


async def later_second(outside: Outside, ticket_id: str) -> None:
    """Wait for a second other than the ticket's last change: Zendesk's stamps have whole seconds."""
    changed = datetime.fromisoformat((await outside.shown(ticket_id))["ticket"]["updated_at"])
    await eventually(lambda: SystemClock().now() - changed > timedelta(seconds=1), within=3)


@pytest.mark.parametrize("rules", [NOW, NATIVE], ids=["hosted", "native"])
@pytest.mark.parametrize("remembered", ["nothing", "another beginning"])
async def test_a_survey_that_the_database_has_forgotten_is_taken_over_and_not_sent_again(
    live_store: Store, zendesk: Zendesk, outside: Outside, rules: CsatPolicy, remembered: str
) -> None:
    """It was put back to an older state; what is read again is in doubt (docs/operations.md)."""
    ticket_id, at = await outside.solved_ticket()
    async with working(live_store, zendesk, rules) as before:
        await before.hear(solved(ticket_id, at))
        await before.settled()
    [survey], shown = await rows_of(live_store, tables.surveys), await outside.surveys(ticket_id)
    tagged = [call for call in await outside.calls("zendesk.tags") if call["changed"]]
    async with live_store.transaction() as tx:
        for table in reversed(tables.metadata.sorted_tables):
            await tx.execute(table.delete())
        if remembered != "nothing" and rules is NOW:
            await reserve_survey(tx, ticket_id, at, survey.requester_id)
    async with working(live_store, zendesk, rules) as restored:
        await restored.hear(solved(ticket_id, at), in_doubt=True)
        await restored.settled()
        assert await restored.decisions() == [(True, "send")]
    assert await outside.surveys(ticket_id) == shown
    assert [call for call in await outside.calls("zendesk.tags") if call["changed"]] == tagged
    [again] = await rows_of(live_store, tables.surveys)
    assert (again.solved_at, again.requester_id, again.mode) == (at, survey.requester_id, survey.mode)
    assert rules is not NOW or again.survey_id == survey.survey_id  # its links are good


async def test_one_survey_per_ticket_ever(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await csat.hear(solved(ticket_id, at))
    await csat.settled()
    again = at + timedelta(seconds=2)
    await csat.hear(reopened(ticket_id, at + timedelta(seconds=1)), solved(ticket_id, again))
    await csat.settled()
    assert len(await outside.surveys(ticket_id)) == 1
    assert sorted(await csat.decisions()) == [(False, "already_surveyed"), (True, "send")]


async def test_a_survey_called_off_is_not_sent(csat: Csat, outside: Outside) -> None:
    ticket_id, at = await outside.solved_ticket()
    await csat.hear(solved(ticket_id, at), reopened(ticket_id, at + timedelta(seconds=30)))
    [row] = (await csat.settled(SURVEY)).values()
    assert row.state == "cancelled"
    assert await outside.surveys(ticket_id) == []


async def test_a_later_solve_that_only_zendesk_knows_starts_the_clock_anew(
    csat: Csat, outside: Outside
) -> None:
    ticket_id, at = await outside.solved_ticket()
    missed = at - timedelta(minutes=1)  # what we were told; the ticket was solved again since
    await csat.hear(solved(ticket_id, missed))

    async def both() -> bool:
        return len(await csat.decisions()) == 2

    done: bool = await eventually(both, within=20)
    assert done
    assert sorted(await csat.decisions()) == [(False, "solved_again"), (True, "send")]
    await csat.settled()
    rows = await deliveries(csat.store, SURVEY)
    assert sorted(row.due_at for row in rows.values()) == [missed, at]
    assert len(await outside.surveys(ticket_id)) == 1


async def test_a_comment_whose_sender_died_is_found_by_the_next_solve(
    live_store: Store, zendesk: Zendesk, outside: Outside
) -> None:
    ticket_id, at = await outside.solved_ticket()
    dead = Csat(live_store, zendesk)
    await dead.hear(solved(ticket_id, at))
    await dead.post_and_die()
    later = at + timedelta(seconds=2)
    await dead.hear(reopened(ticket_id, at + timedelta(seconds=1)), solved(ticket_id, later))
    async with working(live_store, zendesk) as csat:
        await csat.settled()
    assert len(await outside.surveys(ticket_id)) == 1
    [survey] = await rows_of(live_store, tables.surveys)
    assert (survey.solved_at, survey.sent_at is not None) == (at, True)
    assert await outside.tags(ticket_id) == ["csat_survey_sent"]
    assert await dead.decisions() == [(False, "already_surveyed")]
    sent, skipped = await promised(live_store)
    assert isinstance(sent, SurveySent)
    assert isinstance(skipped, SurveySkipped)
    assert (sent.solved_at, skipped.solved_at) == (at, later)
