"""What Zendesk's words become: scores in any case, the scale of surveys, reasons, comments."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from csat.policy.csat import CsatPolicy
from csat.policy.native_ratings import NativeRatingsPolicy, Score
from csat.ratings.answer import Answer
from csat.ratings.native import Hint
from csat.ratings.native_mapping import NativeRating, NativeRatingMapper
from supportops.vendors.zendesk import SatisfactionRating, SurveyResponse, Ticket
from tests.support.for_each import for_each

REASONS = CsatPolicy().reasons
READING = NativeRatingMapper(NativeRatingsPolicy(), REASONS, 20)
EARLY, LATE = "2026-03-01T10:00:00Z", "2026-03-02T10:00:00Z"


def rating(**values: Any) -> SatisfactionRating:
    return SatisfactionRating.model_validate({"id": 1, **values})


def response(*answers: dict[str, Any]) -> SurveyResponse:
    moments = {"created_at": EARLY, "updated_at": EARLY}
    return SurveyResponse.model_validate(
        {
            "id": "01J",
            "responder_id": 7,
            "subject_zrns": ["zen:ticket:9"],
            "answers": [moments | each for each in answers],
        }
    )


@for_each(
    "values, answer",
    [
        ({"score": "good"}, Answer("good")),
        ({"score": "GOOD", "comment": " Thanks\r\n"}, Answer("good", "Thanks")),
        ({"score": "goodwithcomment"}, Answer("good")),
        ({"score": "Bad"}, Answer("bad")),
        ({"score": "bad", "reason": "the issue was not resolved"}, Answer("bad", None, REASONS[2])),
        ({"score": "bad", "reason": "The answer wasn't helpful"}, Answer("bad", None, REASONS[3])),
        ({"score": "bad", "reason": "Agent was rude"}, Answer("bad", None, REASONS[4])),
        ({"score": "bad", "reason": " "}, Answer("bad")),
        ({"score": "good", "reason": "The issue was not resolved"}, Answer("good")),
        ({"score": "bad", "comment": "x" * 50}, Answer("bad", "x" * 20)),
        ({"score": "bad", "comment": "\x00\x07"}, Answer("bad")),
        ({"score": "offered", "comment": "?"}, None),
        ({"score": "unoffered"}, None),
        ({"score": "meh"}, None),
    ],
)
def test_a_legacy_rating(values: dict[str, Any], answer: Answer | None) -> None:
    native = READING.of_rating(rating(**values))
    assert (native.answer if native else None) == answer


@pytest.mark.parametrize("shape", ["object", "list"])
def test_a_ticket_shows_its_rating_as_an_object_or_a_list_of_one(shape: str) -> None:
    shown = {"id": 5, "score": "Good", "comment": None}
    values = {"id": 9, "status": "solved", "updated_at": EARLY}
    ticket = Ticket.model_validate(values | {"satisfaction_rating": [shown] if shape == "list" else shown})
    assert ticket.score == "good"


@for_each("number, score", [(1, "bad"), (2, "bad"), (3, "bad"), (4, "good"), (5, "good")])
def test_the_scale_of_five(number: int, score: str) -> None:
    native = READING.of_response(response({"type": "rating_scale", "rating": number}))
    assert native is not None
    assert (native.answer.score, native.requester_id) == (score, "7")


def test_another_scale_by_configuration_else_by_zendesks_own_category() -> None:
    three = NativeRatingMapper(NativeRatingsPolicy(scale={1: "bad", 2: "good", 3: "good"}), REASONS, 20)
    seven = {"type": "rating_scale", "rating": 7, "rating_category": "good"}
    assert three.of_response(response({"rating": 2})).answer.score == "good"  # type: ignore[union-attr]
    assert three.of_response(response(seven)).answer.score == "good"  # type: ignore[union-attr]
    assert three.of_response(response({"rating": 7})) is None
    with pytest.raises(ValidationError):
        NativeRatingsPolicy.model_validate({"scale": {1: "ok"}})


def test_comments_and_reasons_of_a_response_and_its_latest_moment() -> None:
    option = {"option": {"id": "o", "label": {"type": "static", "value": "The issue was not resolved"}}}
    native = READING.of_response(
        response(
            {"type": "rating_scale", "rating": 2, "updated_at": LATE},
            {"type": "closed_ended", "selections": [option]},
            {"type": "open_ended", "value": "One"},
            {"type": "open_ended", "value": "Two"},
            {"type": "skipped"},
        )
    )
    assert native is not None
    assert native.answer == Answer("bad", "One\n\nTwo", "My issue was not resolved")
    assert native.rated_at == datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_an_offered_survey_is_no_answer() -> None:
    assert READING.of_response(response()) is None
    assert READING.of_response(response({"type": "skipped"})) is None


MOMENT = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)


@for_each(
    "said, shown, rated_at, ahead",
    [
        ("bad", None, None, True),  # not visible yet
        ("bad", "good", MOMENT - timedelta(minutes=1), True),  # what is visible is older
        ("bad", "good", MOMENT + timedelta(minutes=1), False),  # they changed their mind since
        ("bad", "good", MOMENT, False),  # within the same second: nobody can tell
        ("bad", "bad", MOMENT - timedelta(minutes=1), False),
        (None, None, None, False),  # the event did not say anything
        ("offered", None, None, False),
    ],
)
def test_whether_an_event_knows_more_than_zendesk_shows(
    said: str | None, shown: Score | None, rated_at: datetime | None, ahead: bool
) -> None:
    hint = Hint("17", "cause", MOMENT + timedelta(milliseconds=400), said, 1)
    found = NativeRating(Answer(shown), rated_at, None, None) if shown else None
    assert hint.is_ahead_of(found) == ahead
