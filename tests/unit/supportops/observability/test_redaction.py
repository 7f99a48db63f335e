"""What must never be seen in a log line, whatever put it there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from supportops.observability.redaction import BODY, LONGEST, SECRET, Redactor
from tests.support.for_each import for_each

BASIC = "b3BzQGV4YW1wbGUuY29tL3Rva2VuOmFiYw=="

TEXTS = {
    "bearer": ("sent Bearer abcdef123456 to it", "abcdef123456"),
    "basic": (f"Basic {BASIC}", BASIC),
    "header": ("{'authorization': 'ApiKey k-123'}", "k-123"),
    "header line": ("Authorization: Negotiate YII", "YII"),
    "slack bot": ("xoxb-123456789012-abcDEF", "xoxb-123456789012-abcDEF"),
    "slack rotated": ("xoxe.xoxp-1-Mi0yLTEyMzQ", "Mi0yLTEyMzQ"),
    "slack app": ("xapp-1-A0-1-abc", "xapp-1-A0-1-abc"),
    "salesforce session": ("sid 00D5f000000ABCD!AQcAQH_x.y_z done", "AQcAQH_x.y_z"),
    "zendesk token": ("ops@example.com/token:s3cr3t0000 failed", "s3cr3t0000"),
    "slack socket": (
        "403, url='wss://wss-primary.slack.com/link/?ticket=8f1c2a3b-11f0-4a1b-9c2d-0123456789ab&app_id=4f'",
        "8f1c2a3b-11f0",
    ),
    "survey link": ("GET /s/eyJ0IjoxfQ.aBc-123_x HTTP/1.1", "eyJ0IjoxfQ.aBc-123_x"),
    "address with password": ("postgresql://csat:hunter2@db:5432/csat", "hunter2"),
    "query": ("https://x/cb?access_token=abcdefg&a=1", "abcdefg"),
    "form": ("client_secret=abc123&grant_type=client_credentials", "abc123"),
    "e-mail": ("from Bob.Smith+x@mail.example.co.uk today", "Bob.Smith"),
    "driver parameters": (
        "INSERT …\n[parameters: ('Dear Bob', 'x')]\n(Background on this error)",
        "Dear Bob",
    ),
}


@for_each("text, secret", TEXTS.values())
def test_patterns(text: str, secret: str) -> None:
    redacted = Redactor()(None, "info", {"event": text})["event"]
    assert secret not in redacted
    assert Redactor().text(redacted) == redacted


HARMLESS = (
    "delivery.attempted",
    "https://acme.zendesk.com/api/v2/tickets/35436.json",
    "00D5f000000ABCDEFG",
    "support.ticket.solved.v1",
    "basic plan",
    "0190b6f0-7c1e-7aaa-bbbb-0123456789ab",
    "GET /s/ HTTP/1.1",
    "@here is no address",
    "GET /explain?ticket=35436 HTTP/1.1",
)


@for_each("text", HARMLESS)
def test_what_is_harmless_stays(text: str) -> None:
    assert Redactor().text(text) == text


@for_each(
    "key",
    ["authorization", "Authorization", "api_key", "slack_token", "password", "client_secret", "Set-Cookie"],
)
def test_fields_named_like_secrets(key: str) -> None:
    assert Redactor()(None, "info", {key: "v", "nested": {key: "v"}}) == {
        key: SECRET,
        "nested": {key: SECRET},
    }


@for_each("key", ["body", "payload", "comment", "text", "html_body", "params"])
def test_fields_named_like_bodies(key: str) -> None:
    assert Redactor()(None, "info", {key: {"a": 1}}) == {key: BODY}


def test_bytes_are_bodies() -> None:
    assert Redactor()(None, "info", {"chunk": b"Dear Bob", "list": [b"x"]}) == {"chunk": BODY, "list": [BODY]}


def test_counts_and_flags_stay_even_under_such_names() -> None:
    line = {"body": 2048, "token": None, "secret": True}
    assert Redactor()(None, "info", line) == line


def test_the_secrets_in_force_are_found_in_any_text() -> None:
    redact = Redactor(["sandbox-webhook-secret", "sandbox-webhook-secret-2", "ab"])
    line = redact(
        None, "info", {"event": "bad sandbox-webhook-secret-2", "why": ["x sandbox-webhook-secret"]}
    )
    assert line == {"event": f"bad {SECRET}", "why": [f"x {SECRET}"]}
    assert redact.text("abc") == "abc", "a secret of two letters would redact half of every line"


def test_a_validation_error_loses_its_input() -> None:
    class Model(BaseModel):
        age: int

    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"age": "Dear Bob, my password is"})
    assert "Dear Bob" not in Redactor().text(str(caught.value))


def test_a_text_of_any_length_is_cut() -> None:
    assert len(Redactor()(None, "info", {"event": "x" * 100_000})["event"]) < LONGEST + 50


@given(st.text(), st.sampled_from([secret for _, secret in TEXTS.values() if secret.startswith("xox")]))
def test_a_token_is_found_wherever_it_stands(around: str, token: str) -> None:
    assert token not in Redactor().text(f"{around} {token} {around}")


@pytest.mark.parametrize("state", ["(set, not shown)", "(not set)"])
def test_whether_a_secret_is_set_is_shown(state: str) -> None:
    line = Redactor()(None, "info", {"settings": {"ZENDESK_TOKEN": state}, "slack_token": state})
    assert line == {"settings": {"ZENDESK_TOKEN": state}, "slack_token": state}
