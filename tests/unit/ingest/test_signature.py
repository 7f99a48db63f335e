"""Which requests Zendesk signed (docs/vendors/zendesk.md#signature)."""

import base64
import hashlib
import hmac
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from ingest.settings import PUBLIC_TEST_KEY
from ingest.webhooks.signature import Verdict, verify
from tests.support import zendesk_bodies as z

TIMESTAMP = "2021-03-25T05:09:27Z"
NOW = datetime(2021, 3, 25, 5, 9, 30, tzinfo=UTC)
WINDOW = (NOW, timedelta(minutes=5))
BODY = z.sample("ticket.created")
SECRETS = [z.SECRET.encode()]


def verdict(body: bytes, timestamp: str | None, signature: str | bytes | None) -> Verdict:
    sent = signature.encode("latin-1", "replace") if isinstance(signature, str) else signature
    return verify(SECRETS, timestamp.encode("latin-1") if timestamp is not None else None, sent, body, WINDOW)


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        ('{"event":"ticket.updated","id":123}', "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="),
        ("", "wCdBvXaHttn0wRVIYctzZ9O6O0bnqWakJMEKZ9VoRWw="),
        ('{"note":"Grüße, 你好 🙂"}', "HvwEhPRptdoUU1nNCF6BERYm+DoKp+0t16pLn1eaT9s="),
    ],
)
def test_published_vectors(body: str, signature: str) -> None:
    secrets = [PUBLIC_TEST_KEY.encode()]
    assert verify(secrets, TIMESTAMP.encode(), signature.encode(), body.encode(), WINDOW) == "ok"


def test_openssl_agrees() -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine")
    command = [openssl, "dgst", "-sha256", "-hmac", z.SECRET, "-binary"]
    digest = subprocess.run(command, input=TIMESTAMP.encode() + BODY, capture_output=True, check=True).stdout
    assert verdict(BODY, TIMESTAMP, base64.b64encode(digest)) == "ok"


GOOD = z.signature(BODY, TIMESTAMP)
DIGEST = base64.b64decode(GOOD)


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (None, "no signature"),
        ("", "an empty one"),
        ("not base64 at all!", "not base64"),
        ("Grüße", "not ASCII"),
        (b"\xff\xfe\x00", "not text"),
        (DIGEST.hex(), "hex instead of base64"),
        (GOOD.rstrip("="), "no padding"),
        (GOOD[:-8], "cut"),
        (GOOD + GOOD, "twice"),
        (base64.b64encode(DIGEST[:16]).decode(), "half a digest"),
        (z.signature(BODY, TIMESTAMP, "another secret"), "another secret"),
        (z.signature(BODY, "2021-03-25T05:09:28Z"), "another timestamp"),
        (z.signature(BODY + b" ", TIMESTAMP), "another body"),
        (z.signature(b"." + BODY, TIMESTAMP), "a separator"),
        (z.signature(BODY, TIMESTAMP, base64.b64decode(z.SECRET).decode("latin-1")), "decoded secret"),
        (
            base64.b64encode(hmac.new(z.SECRET.encode(), BODY, hashlib.sha256).digest()).decode(),
            "no timestamp",
        ),
        (base64.b64encode(hashlib.sha256(TIMESTAMP.encode() + BODY).digest()).decode(), "a plain hash"),
    ],
)
def test_wrong_signatures_are_refused(signature: str | bytes | None, why: str) -> None:
    assert verdict(BODY, TIMESTAMP, signature) in ("unsigned", "bad-signature"), why


def test_one_changed_byte_is_refused() -> None:
    assert verdict(BODY, TIMESTAMP, GOOD) == "ok"
    for position in range(0, len(BODY), 37):
        changed = bytearray(BODY)
        changed[position] ^= 1
        assert verdict(bytes(changed), TIMESTAMP, GOOD) == "bad-signature"


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2021-03-25T05:04:30Z", "ok"),
        ("2021-03-25T05:14:30Z", "ok"),
        ("2021-03-25T05:04:29Z", "stale"),
        ("2021-03-25T05:14:31Z", "stale"),
        ("2021-03-25T05:09:27.123456789Z", "ok"),
        ("2021-03-25T07:09:27+02:00", "ok"),
        ("1616648967", "bad-timestamp"),
        ("yesterday", "bad-timestamp"),
        ("Grüße 12345678", "bad-timestamp"),
        ("", "unsigned"),
        (None, "unsigned"),
        ("9999-12-31T23:59:59-23:59", "bad-timestamp"),
    ],
)
def test_freshness(timestamp: str | None, expected: Verdict) -> None:
    signed = base64.b64encode(
        hmac.new(z.SECRET.encode(), (timestamp or "").encode("latin-1") + BODY, hashlib.sha256).digest()
    )
    assert verdict(BODY, timestamp, signed) == expected


def test_without_a_window_any_timestamp_will_do() -> None:
    signature = z.signature(BODY, "yesterday").encode()
    assert verify(SECRETS, b"yesterday", signature, BODY, None) == "ok"


def test_either_secret_of_a_rotation() -> None:
    secrets = [b"new secret", *SECRETS]
    for secret in ("new secret", z.SECRET):
        signature = z.signature(BODY, TIMESTAMP, secret).encode()
        assert verify(secrets, TIMESTAMP.encode(), signature, BODY, WINDOW) == "ok"
    assert verify([], TIMESTAMP.encode(), GOOD.encode(), BODY, WINDOW) == "bad-signature"
