"""Notices without Slack and Zendesk: when customer success hears of a ticket (N6), what is scheduled, integrity."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from notifier.destinations import NOTICES, POSTS, TAGS
from notifier.notices.handlers import NoticeHandlers
from notifier.notices.messages import integrity_message
from notifier.notices.success import Later, Ripe, Standing, answered_at, judge
from notifier.policy.notices import IntegrityNotice, NoticesPolicy, RatingNotice, SuccessNotice
from supportops.business_hours import BusinessHours
from supportops.contracts import (
    Comment,
    Event,
    FeedbackReceived,
    IntegrityChecked,
    RecordWritten,
    TicketCommented,
    TicketCreated,
    TicketMerged,
    TicketReopened,
    TicketSnapshot,
    TicketSolved,
)
from supportops.messaging import Handlers
from supportops.store import Transaction
from supportops.ticket_version import version_of
from supportops.vendors.zendesk import Comment as Said
from supportops.vendors.zendesk.models import User
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers
from tests.unit.notifier.test_feed_handlers import FakeRows

MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = BusinessHours(
    UTC, tuple((day * 1440 + 540, day * 1440 + 1020) for day in range(1, 6))
)  # Mon-Fri, 9 to 17
RULE = SuccessNotice(channel="C1")


def standing(**values: Any) -> Standing:
    facts: dict[str, Any] = {"status": "open", "created_at": MONDAY, "answered_at": None, "breached_at": None}
    return Standing(**facts | values)


BREACHED, UNANSWERED = (
    "breached over 24 hours ago!",
    "has been open for more than 24 hours without an answer!",
)


@for_each(
    "facts, hours, after, expected",
    [
        ({}, None, 48 * HOUR, UNANSWERED),
        ({}, None, 47 * HOUR, MONDAY + 48 * HOUR),
        ({"answered_at": MONDAY + 10 * HOUR}, None, 57 * HOUR, MONDAY + 58 * HOUR),
        ({"answered_at": MONDAY + 10 * HOUR}, None, 58 * HOUR, UNANSWERED),
        ({"breached_at": MONDAY}, None, 24 * HOUR, BREACHED),
        ({"breached_at": MONDAY}, None, 23 * HOUR, MONDAY + 24 * HOUR),
        ({"breached_at": MONDAY}, WEEK, 25 * HOUR, MONDAY + 2 * 24 * HOUR + 8 * HOUR),  # three working days
        ({"breached_at": MONDAY}, WEEK, 56 * HOUR, BREACHED),
        ({"breached_at": MONDAY + 4 * HOUR}, WEEK, 55 * HOUR, MONDAY + 56 * HOUR),
        ({"status": "pending", "breached_at": MONDAY}, None, 999 * HOUR, None),
        ({"status": "solved"}, None, 999 * HOUR, None),
        ({"status": "hold"}, None, 999 * HOUR, UNANSWERED),
    ],
)
def test_when_customer_success_hears_of_a_ticket(
    facts: dict[str, Any], hours: BusinessHours | None, after: timedelta, expected: str | datetime | None
) -> None:
    judged = judge(standing(**facts), RULE, hours, MONDAY + after)
    assert judged == Ripe(expected) if isinstance(expected, str) else isinstance(judged, Later)
    if isinstance(judged, Later):
        assert judged.at == expected


@for_each(
    "authors, answered",
    [
        ([("1", True)], None),  # the requester
        ([("2", True)], None),  # a colleague in copy, who asks again
        ([("3", True)], 0),
        ([("3", True), ("2", True), ("1", True)], 0),
        ([("3", True), ("3", False)], 0),
        ([("3", True), ("2", True), ("4", True)], 2),  # nobody knows the last one any more
        ([(None, True)], 0),
        ([], None),
    ],
)
async def test_what_counts_as_an_answer(authors: list[tuple[str | None, bool]], answered: int | None) -> None:
    roles = {"1": "end-user", "2": "end-user", "3": "agent"}

    async def person(user: str) -> User | None:
        return User.model_validate({"id": user, "role": roles[user]}) if user in roles else None

    comments = [
        Said.model_validate(
            {"id": 10 + hour, "author_id": author, "public": public, "created_at": f"{MONDAY + hour * HOUR}"}
        )
        for hour, (author, public) in enumerate(authors)
    ]
    expected = None if answered is None else MONDAY + answered * HOUR
    assert await answered_at(reversed(comments), "1", person) == expected


def test_a_holiday_is_no_business_day() -> None:
    holiday = BusinessHours(UTC, WEEK.intervals, frozenset({(MONDAY + 24 * HOUR).date()}))
    facts = standing(breached_at=MONDAY, answered_at=MONDAY + 40 * HOUR)
    for hours, due in ((WEEK, MONDAY + 56 * HOUR), (holiday, MONDAY + 80 * HOUR)):
        assert judge(facts, RULE, hours, due) == Ripe(BREACHED)
        assert judge(facts, RULE, hours, due - HOUR) == Later(due, judge_reason())


def judge_reason() -> str:
    return "neither breached nor unanswered for long enough"


class Tx:
    """The part of a transaction that these handlers use."""

    def __init__(self) -> None:
        self.now = MONDAY
        self.scheduled: dict[tuple[str, str], dict[str, Any]] = {}
        self.cancelled: list[str] = []
        self.watches = FakeRows()
        self.deliveries = self

    def rows(self, _table: object) -> FakeRows:
        return self.watches

    def schedule(self, destination: str, key: str, **how: Any) -> None:
        self.scheduled.setdefault((destination, key), how)

    def cancel(self, _destination: str, key: str, *, reason: str) -> None:
        assert reason
        self.cancelled.append(key)


ALL = NoticesPolicy.model_validate(
    {
        "success": {"channel": "C1"},
        "account_manager": {"enabled": True},
        "ratings": {"channel": "C2"},
        "integrity": {"channel": "C3"},
    }
)


def hears(*events: Event, policy: NoticesPolicy = ALL) -> Tx:
    handlers, tx = Handlers(), Tx()
    NoticeHandlers(policy).add(handlers)
    for event in events:
        for handler in handlers._by_type.get(event.type, ()):
            handler.handle(event, cast(Transaction, tx))
    return tx


def base(hours: float = 0) -> dict[str, Any]:
    at = MONDAY + hours * HOUR
    ticket = TicketSnapshot(tags=["customer_success_slack_message"])
    known: dict[str, Any] = {"id": f"e{hours}", "source": "/zendesk/1", "time": at, "subject": "5"}
    return known | {"account_id": "1", "ticket_id": "5", "version": version_of(at), "ticket": ticket}


def answer(hours: float, number: str = "77", *, public: bool = True, agent: bool = True) -> TicketCommented:
    return TicketCommented(**base(hours), comment=Comment(id=number, is_public=public, author_is_agent=agent))


def success_keys(tx: Tx) -> list[str]:
    return [key for destination, key in tx.scheduled if destination == NOTICES]


def test_an_agents_public_answer_rearms_and_takes_the_tag_away() -> None:
    tx = hears(
        TicketCreated(**base()), answer(1, "76", public=False), answer(2, "75", agent=False), answer(3)
    )
    assert success_keys(tx) == ["success:5:created", "success:5:77"]
    assert tx.cancelled == ["success:5:created"]
    assert tx.scheduled[NOTICES, "success:5:77"]["due_at"] == MONDAY + 27 * HOUR
    assert tx.scheduled[TAGS, "success:5:77:off"]["payload"]["remove"] is True


def test_what_is_older_changes_nothing_and_a_solved_ticket_waits_for_nothing() -> None:
    tx = hears(answer(3), TicketCreated(**base()), TicketSolved(**base(1), solved_at=MONDAY))
    assert (success_keys(tx), tx.cancelled) == (["success:5:77"], [])
    tx = hears(
        answer(3), TicketSolved(**base(4), solved_at=MONDAY), TicketReopened(**base(5), current_status="open")
    )
    assert tx.cancelled == ["success:5:77", "success:5:77"]
    assert success_keys(tx)[1].startswith("success:5:reopened:")


def test_without_rules_only_merges_are_listened_to() -> None:
    handlers = Handlers()
    NoticeHandlers(NoticesPolicy()).add(handlers)
    assert list(handlers._by_type) == [TicketMerged.type]


ENVELOPE = {"id": "e1", "source": "/x", "time": MONDAY, "subject": "5"}
TAM = {"technical_account_manager": {"name": "Tam", "email": "Tam@support.example"}}


@for_each(
    "more, count",
    [({"created": True, **TAM}, 1), ({"created": False, **TAM}, 0), ({"created": True}, 0)],
)
def test_account_managers_hear_of_new_records(more: dict[str, Any], count: int) -> None:
    event = RecordWritten.model_validate(
        ENVELOPE | {"ticket_id": "5", "record_id": "a0", "version": "1"} | more
    )
    assert len(hears(event, event).scheduled) == count


@pytest.mark.parametrize(("score", "count"), [("bad", 1), ("good", 0)])
def test_bad_ratings_are_told_once(score: str, count: int) -> None:
    rating = {
        "ticket_id": "5",
        "rating_id": "r1",
        "score": score,
        "rated_at": MONDAY,
        "source_kind": "hosted",
    }
    event = FeedbackReceived.model_validate(ENVELOPE | rating)
    later = event.model_copy(update={"rated_at": MONDAY + HOUR})
    policy = NoticesPolicy(ratings=RatingNotice(channel="C2"))
    assert len(hears(event, later, policy=policy).scheduled) == count


def report(name: str, **figures: int) -> dict[str, Any]:
    return {"name": name, "severity": "high", "new": 0, "fixed": 0, "open": 0} | figures


def checked(run: str, *reports: dict[str, Any], day: int = 0) -> IntegrityChecked:
    facts = {"run_id": run, "checked_at": MONDAY + day * 24 * HOUR, "accounts": 3, "organizations": 3}
    return IntegrityChecked.model_validate(ENVELOPE | facts | {"reports": list(reports)})


def test_integrity_is_told_with_every_news_and_once_a_day_without() -> None:
    quiet, news = report("no_salesforce_id", open=2), report("org_name_mismatch", new=1, open=1)
    tx = hears(
        checked("r1", quiet),
        checked("r2", quiet),
        checked("r3", news),
        checked("r4", quiet, day=1),
        policy=NoticesPolicy(integrity=IntegrityNotice(channel="C3")),
    )
    assert [key for _, key in tx.scheduled] == [
        "C3:integrity:2026-11-02",
        "C3:integrity:r3",
        "C3:integrity:2026-11-03",
    ]
    assert {destination for destination, _ in tx.scheduled} == {POSTS}


def test_the_integrity_summary_names_news_first() -> None:
    data = checked(
        "r", report("quiet"), report("old", open=9), report("news", new=2, fixed=1, open=3)
    ).model_dump(mode="json")
    message = integrity_message(data)
    assert message.text == "Salesforce and Zendesk: 2 new, 1 fixed, 12 open"
    shown = message.attachments[0]["blocks"][0]["text"]["text"].splitlines()
    assert [line.split("*")[1] for line in shown] == ["news", "old"]


@for_each("text", HOSTILE)
def test_hostile_names_of_reports_are_only_text(text: str) -> None:
    data = checked("r", report(text, new=1)).model_dump(mode="json")
    assert dangers(integrity_message(data), allowed=set(), links=set()) == []
