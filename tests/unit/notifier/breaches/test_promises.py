"""The ledger in numbers, and the moments of the weekly account."""

from datetime import UTC, datetime, timedelta
from typing import Any

from notifier.operations.promises import Promise, count, next_moment, words
from notifier.policy.breach_settings import Summary
from tests.support.for_each import for_each

DUE = datetime(2026, 3, 2, 9, tzinfo=UTC)
BREACH = DUE + timedelta(hours=2)


def promise(ticket: str, outcome: str, *, late: float | None = 0.2, step: str = "2h", **more: Any) -> Promise:
    length = None if late is None else timedelta(seconds=late)
    posted_at = None if length is None else DUE + length
    usual: dict[str, Any] = {
        "metric": "m",
        "rule": "r",
        "due_at": DUE,
        "breach_at": BREACH,
        "road": "slack",
        "reason": None,
    }
    usual |= {"ticket_id": ticket, "step": step, "posted_at": posted_at, "late": length, "outcome": outcome}
    return Promise(**(usual | more))


def test_saved_late_and_missed_are_counted_by_target() -> None:
    found = [
        promise("1", "answered"),
        promise("1", "answered", step="30m"),  # one target, saved once
        promise("2", "breached", late=90.0),
        promise("3", "answered_late"),
        promise("4", "missed", late=None),
        promise("5", "not sent", late=None),
        promise("6", "waiting", late=None),
        promise(
            "7", "answered", breach_at=DUE - timedelta(hours=1)
        ),  # told after the breach: nobody was saved
    ]
    account = count(found)
    assert (account.posted, account.late, account.missed) == (5, 1, 1)
    assert (account.saved, account.breached, account.answered_late) == (1, 1, 1)
    assert words(account) == (
        "5 breach notices: 1 target answered in time, 1 breached, 1 answered late; "
        "1 notice late (the worst 90.0 s), 1 missed"
    )


@for_each(
    "now, expected",
    [
        ("2026-03-02T07:59:59+00:00", "2026-03-02T08:00:00+00:00"),  # a Monday, 09:00 in Berlin
        ("2026-03-02T08:00:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("2026-03-04T12:00:00+00:00", "2026-03-09T08:00:00+00:00"),
        ("2026-03-28T12:00:00+00:00", "2026-03-30T07:00:00+00:00"),  # clocks change between
    ],
)
def test_the_account_of_a_week_comes_by_the_clock_of_its_readers(now: str, expected: str) -> None:
    summary = Summary(channel="C1", time_zone="Europe/Berlin")
    assert next_moment(summary, datetime.fromisoformat(now)) == datetime.fromisoformat(expected)
