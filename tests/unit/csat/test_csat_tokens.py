"""Signed survey links: scoped, expiring, surviving key rotation."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from csat.survey_link.tokens import SurveyTokens, TokenExpired, TokenInvalid
from supportops.clock import ManualClock

OLD, NEW = "an-old-key-of-2025", "the-key-of-2026-03"
LIFETIME = timedelta(days=28)
SURVEY = "0198f3c2a1b27c3d8e4f5a6b7c8d9e0f"


def tokens(clock: ManualClock, *keys: str) -> SurveyTokens:
    return SurveyTokens(keys or (NEW,), LIFETIME, clock)


def test_a_token_names_its_survey_and_its_end(clock: ManualClock) -> None:
    issued = clock.now()
    token = tokens(clock).issue(SURVEY)
    clock.advance(timedelta(days=27))
    read = tokens(clock).read(token)
    assert (read.survey_id, read.expires_at) == (SURVEY, issued + LIFETIME)


def test_a_token_expires(clock: ManualClock) -> None:
    token = tokens(clock).issue(SURVEY)
    clock.advance(LIFETIME)
    tokens(clock).read(token)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenExpired):
        tokens(clock).read(token)


def test_a_clock_that_is_a_little_ahead_issues_no_expired_token(clock: ManualClock) -> None:
    token = tokens(clock).issue(SURVEY)
    clock.advance(timedelta(seconds=-2))  # the replica that is asked next
    assert tokens(clock).read(token).survey_id == SURVEY


def test_rotation_keeps_the_links_of_the_older_key(clock: ManualClock) -> None:
    old = tokens(clock, OLD).issue(SURVEY)
    rotated = tokens(clock, NEW, OLD)
    assert rotated.read(old).survey_id == SURVEY
    assert tokens(clock, NEW).read(rotated.issue(SURVEY)).survey_id == SURVEY
    with pytest.raises(TokenInvalid):
        tokens(clock, NEW).read(old)


def test_a_token_for_another_purpose_is_refused(clock: ManualClock) -> None:
    other = URLSafeTimedSerializer(NEW, salt="csat.operator-session").dumps(SURVEY)
    with pytest.raises(TokenInvalid):
        tokens(clock).read(str(other))


def test_every_single_changed_character_is_noticed(clock: ManualClock) -> None:
    token = tokens(clock).issue(SURVEY)
    for place, letter in enumerate(token[:-1]):  # the last one holds unused bits
        forged = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenInvalid):
            tokens(clock).read(forged)


@given(st.text())
@example("a.b.c")
@example("." * 600)
@example("\x00")
@example("é.é.é")
def test_made_up_tokens_are_invalid_whatever_they_are(token: str) -> None:
    with pytest.raises(TokenInvalid):
        tokens(ManualClock(datetime(2026, 3, 1, tzinfo=UTC))).read(token)


def test_nothing_but_the_survey_is_in_it(clock: ManualClock) -> None:
    payload = tokens(clock).issue(SURVEY).partition(".")[0]
    assert base64.urlsafe_b64decode(payload + "==") == f'"{SURVEY}"'.encode()


def test_a_link_is_found_in_a_comment_again(clock: ManualClock) -> None:
    ours = tokens(clock, OLD).issue(SURVEY)
    text = f"Good: https://s.example.com/s/{ours}?score=good\n> quoted"
    clock.advance(LIFETIME * 2)
    assert tokens(clock, NEW, OLD).is_in(text, SURVEY)
    assert not tokens(clock, NEW, OLD).is_in(text, SURVEY[:-1] + "0")
    assert not tokens(clock, NEW).is_in(text, SURVEY)
    assert not tokens(clock).is_in("https://s.example.com/s/a.b.c /s/ /s/..", SURVEY)


@pytest.mark.parametrize("keys", [(), ("",), (NEW, "")])
def test_no_key_or_an_empty_one_is_refused(clock: ManualClock, keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        SurveyTokens(keys, LIFETIME, clock)
