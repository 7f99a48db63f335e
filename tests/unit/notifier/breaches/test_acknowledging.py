"""What a press of a notice's button does: a table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.breaches.acknowledge import FREE, GUEST, NOT_ALLOWED, UNKNOWN, reply_to
from notifier.breaches.render import GIVE_BACK, TAKE
from notifier.policy.breach_settings import Acknowledging
from notifier.slack.requests import Click
from tests.support.for_each import for_each

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
FREE_ROW = {"state": "open", "taken_by": None, "taken_until": None}
ADAS = FREE_ROW | {"taken_by": "UADA", "taken_until": NOW + HOUR}
OVER = FREE_ROW | {"taken_by": "UADA", "taken_until": NOW - HOUR}


def reply(
    action: str, row: Any, *, user: str = "UBEN", who: tuple[str, ...] = (), outsider: bool = False
) -> Any:
    click = Click("c1", action, "7:x:y", user, None, "C1")
    return reply_to(click, row, Acknowledging(who=who), outsider, NOW)


TAKEN = {"taken_by": "UBEN", "taken_at": NOW, "taken_until": NOW + HOUR}


@for_each("row", [FREE_ROW, OVER, FREE_ROW | {"state": "breached"}])
def test_a_free_target_is_taken(row: dict[str, Any]) -> None:
    found = reply(TAKE, row)
    assert found.values == TAKEN
    assert found.words.startswith("It is yours until <!date^")


@pytest.mark.parametrize("user", ["UADA", "UBEN"])
def test_a_taken_one_is_given_back_by_whoever_may(user: str) -> None:
    found = reply(GIVE_BACK, ADAS, user=user)
    assert found.values == {"taken_by": None, "taken_at": None, "taken_until": None}


@for_each(
    "found, words",
    [
        (reply(TAKE, None), UNKNOWN),
        (reply(TAKE, ADAS), "<@UADA> has it until"),
        (reply(TAKE, ADAS, user="UADA"), "You have it until"),
        (reply(TAKE, FREE_ROW | {"state": "answered"}), "Too late: it was answered in time."),
        (reply(TAKE, FREE_ROW | {"state": "answered_late"}), "Too late: it was answered, after"),
        (reply(TAKE, FREE_ROW | {"state": "moved"}), "Too late: its target has another time"),
        (reply(TAKE, FREE_ROW | {"state": "withdrawn"}), "Too late: its target was withdrawn"),
        (reply(TAKE, FREE_ROW | {"state": "paused"}), "Not now"),
        (reply(GIVE_BACK, FREE_ROW), FREE),
        (reply(GIVE_BACK, OVER), FREE),
        (reply(TAKE, FREE_ROW, who=("UADA",)), NOT_ALLOWED),
        (reply(GIVE_BACK, ADAS, who=("UADA",)), NOT_ALLOWED),
        (reply(TAKE, FREE_ROW, outsider=True), GUEST),
        (reply(TAKE, FREE_ROW, who=("UBEN",), outsider=True), GUEST),
    ],
)
def test_who_presses_in_vain_is_told_why(found: Any, words: str) -> None:
    assert found.values is None
    assert found.words.startswith(words)
