"""One way into Zendesk: an OAuth client, or an API token while they last, with the date in words."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from supportops.clock import ManualClock
from supportops.config import ZendeskSettings
from supportops.operations.zendesk_checks import credential
from tests.support.for_each import for_each

BASE = "https://acme.zendesk.com"
OAUTH = {"client_id": "supportops", "client_secret": "s"}
TOKEN = {"email": "ops@example.com", "token": "t"}


def settings(**values: str) -> ZendeskSettings:
    return ZendeskSettings.model_validate({"base_url": BASE, **values})


@pytest.mark.parametrize("way", [OAUTH, TOKEN], ids=["OAuth client", "API token"])
def test_one_way_in_is_enough(way: dict[str, str]) -> None:
    assert settings(**way).base_url == BASE


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "none": ({}, r"no way in: set ZENDESK_CLIENT_ID and ZENDESK_CLIENT_SECRET"),
    "both": (OAUTH | TOKEN, r"two ways in: .* remove ZENDESK_EMAIL and ZENDESK_TOKEN"),
    "client and half a token": (OAUTH | {"email": "ops@example.com"}, "two ways in"),
    "no secret": ({"client_id": "x"}, "ZENDESK_CLIENT_SECRET is missing: ZENDESK_CLIENT_ID alone"),
    "blank secret": (OAUTH | {"client_secret": " "}, "ZENDESK_CLIENT_SECRET is missing"),
    "no identifier": ({"client_secret": "s"}, "ZENDESK_CLIENT_ID is missing"),
    "no token": ({"email": "ops@example.com"}, "ZENDESK_TOKEN is missing"),
    "no e-mail": ({"token": "t"}, "ZENDESK_EMAIL is missing"),
}


@for_each("values, words", WRONG.values())
def test_anything_else_is_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**values)


def test_the_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of-the-file\n")
    monkeypatch.setenv("ZENDESK_BASE_URL", BASE)
    monkeypatch.setenv("ZENDESK_CLIENT_ID", "supportops")
    monkeypatch.setenv("ZENDESK_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    assert ZendeskSettings().client_secret == SecretStr("of-the-file")


@for_each(
    "today, verdict, words",
    [
        (date(2026, 11, 28), "warning", "on 30 April 2027 (in 153 days)"),
        (date(2027, 4, 29), "warning", "(in 1 days)"),
        (date(2027, 4, 30), "failed", "(that day has come)"),
    ],
)
def test_an_api_token_is_warned_of_with_its_last_day(today: date, verdict: str, words: str) -> None:
    clock = ManualClock(datetime(today.year, today.month, today.day, tzinfo=UTC))
    found = credential(settings(**TOKEN), clock)
    assert (found.verdict, words in found.detail) == (verdict, True), found


def test_nothing_is_said_against_an_oauth_client() -> None:
    clock = ManualClock(datetime(2027, 5, 1, tzinfo=UTC))
    found = credential(settings(**OAUTH), clock)
    assert (found.verdict, found.detail) == ("ok", "OAuth client supportops")
