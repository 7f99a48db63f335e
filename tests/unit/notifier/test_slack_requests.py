"""Whether a request is Slack's: their own vector, their own client as the oracle, and everything that is not."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from notifier.settings import SlackRequestsSettings
from notifier.slack.requests import SlackRequests
from notifier.slack.signature import is_slacks, signature
from supportops.clock import ManualClock
from tests.support.for_each import for_each

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STAMP = b"1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
NOW = datetime.fromtimestamp(int(STAMP), UTC)
GOOD = [(b"X-Slack-Request-Timestamp", STAMP), (b"x-slack-signature", SIGNATURE)]


def test_slacks_own_vector() -> None:
    assert signature(SECRET, STAMP, BODY) == SIGNATURE
    assert is_slacks(GOOD, BODY, [SECRET], NOW)
    assert is_slacks(GOOD, BODY, ["the new one", SECRET], NOW)  # while it is being replaced


def test_slacks_own_client_agrees() -> None:
    stamp = str(int(time.time()))
    theirs = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=b"a=b")
    assert theirs is not None
    headers = [(b"x-slack-request-timestamp", stamp.encode()), (b"x-slack-signature", theirs.encode())]
    assert is_slacks(headers, b"a=b", [SECRET], datetime.now(UTC))


@for_each(
    "headers",
    [
        [],
        GOOD[:1],
        GOOD[1:],
        [*GOOD, GOOD[0]],
        [*GOOD, GOOD[1]],
        [(b"x-slack-request-timestamp", b"1531420618.5"), GOOD[1]],
        [(b"x-slack-request-timestamp", b"-1531420618"), GOOD[1]],
        [(b"x-slack-request-timestamp", "١٥٣١٤٢٠٦١٨".encode()), GOOD[1]],
        [(b"x-slack-request-timestamp", b"9" * 5_000), GOOD[1]],
        [(b"x-slack-request-timestamp", b""), GOOD[1]],
        [GOOD[0], (b"x-slack-signature", b"v0=" + b"0" * 64)],
        [GOOD[0], (b"x-slack-signature", SIGNATURE.upper())],
        [GOOD[0], (b"x-slack-signature", SIGNATURE[3:])],
        [GOOD[0], (b"x-slack-signature", SIGNATURE.replace(b"v0", b"v1"))],
        [GOOD[0], (b"x-slack-signature", "v0=é".encode())],
        [GOOD[0], (b"x-slack-signature", b"\xff\xfe")],
    ],
)
def test_what_is_not_signed_is_not_slacks(headers: list[tuple[bytes, bytes]]) -> None:
    assert not is_slacks(headers, BODY, [SECRET], NOW)


@for_each("away", [timedelta(seconds=301), timedelta(seconds=-301), timedelta(days=900)])
def test_an_old_request_is_refused(away: timedelta) -> None:
    assert not is_slacks(GOOD, BODY, [SECRET], NOW + away)
    assert is_slacks(GOOD, BODY, [SECRET], NOW + timedelta(seconds=299))


def test_another_body_or_no_secret_is_refused() -> None:
    assert not is_slacks(GOOD, BODY + b"&x=1", [SECRET], NOW)
    assert not is_slacks(GOOD, BODY, [], NOW)
    assert not is_slacks(GOOD, BODY, ["another"], NOW)


@for_each("headers", [[], GOOD[:1], GOOD[1:], [(b"x-slack-request-timestamp", b"1"), GOOD[1]]])
async def test_who_cannot_be_slack_is_refused_before_the_body_is_read(
    headers: list[tuple[bytes, bytes]],
) -> None:
    async def body() -> Message:
        raise AssertionError("the body was read")

    settings = SlackRequestsSettings.model_validate({"signing_secret": SECRET, "team_id": "T1DC2JH3J"})
    requests = SlackRequests(settings, ManualClock(NOW))
    with pytest.raises(HTTPException) as refused:
        await requests.signed_body(Request({"type": "http", "headers": headers}, body))
    assert refused.value.status_code == 401
