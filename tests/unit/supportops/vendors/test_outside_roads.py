"""Letters and webhooks: nothing in a stranger's words is a header, nothing in an answer is endless."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default

import httpx
import pytest
from pydantic import SecretStr

from supportops.clock import SystemClock
from supportops.errors import NotFound, Permanent, SupportOpsError, UnknownOutcome
from supportops.vendors.mail import Mail, MailServer
from supportops.vendors.signed_webhook import open_webhook
from tests.support.for_each import for_each


@for_each(
    "subject, shown",
    [
        ("a\r\nBcc: x@y.example", "a Bcc: x@y.example"),
        ("a\u2028Bcc: b\x0bc\x85d", "a Bcc: b c d"),
        ("=?utf-8?q?a=0D=0ABcc:_x@y.example?=", "= ?utf-8?q?a=0D=0ABcc:_x@y.example?="),
        ("=?utf-8?b?SGVsbG8=?=", "= ?utf-8?b?SGVsbG8= ?="),
        ("a\x00b\x1b[31mc", "a b [31mc"),
        ("\u202egnp.exe", "gnp.exe"),
        ("Grüße, 東京", "Grüße, 東京"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_strangers_subject_is_one_line_of_plain_words(subject: str, shown: str) -> None:
    letter = Mail(MailServer("mail.example", "ops@acme.example"), SystemClock()).letter(
        "k", ["a@b.example"], subject, "t"
    )
    read = message_from_bytes(letter.as_bytes(), policy=default)
    assert read["Subject"] == shown
    assert set(read.keys()) == set(letter.keys())
    assert read["Bcc"] is None


class Endless(httpx.AsyncByteStream):
    """A body that never ends; counts what was read of it."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.read < 1_000:
            self.read += 1
            yield b"x" * 1_000
        raise AssertionError("somebody reads an endless body")


@for_each("status, error", [(200, None), (302, Permanent), (410, NotFound), (500, UnknownOutcome)])
async def test_the_body_of_an_answer_is_not_read(status: int, error: type[SupportOpsError] | None) -> None:
    body = Endless()
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers={"location": "/x"}, stream=body))
    address, secret = SecretStr("https://hooks.example/a"), SecretStr("a-secret")
    async with open_webhook(address, secret, clock=SystemClock(), transport=transport) as webhook:
        if error is None:
            await webhook.send("1", {})
        else:
            with pytest.raises(error):
                await webhook.send("1", {})
    assert body.read == 0
