"""Which requests Zendesk signed (docs/vendors/zendesk.md#signature)."""

import base64
import hashlib
import hmac
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from ingest.webhooks.signature import claimed, drift, is_signed
from supportops.config.secret_rules import ZENDESK_TEST_SECRET
from tests.support import zendesk_bodies as z
from tests.support.for_each import for_each

TIMESTAMP = "2021-03-25T05:09:27Z"
NOW = datetime(2021, 3, 25, 5, 9, 30, tzinfo=UTC)
WINDOW = (NOW, timedelta(minutes=5))
BODY = z.sample("ticket.created")
SECRETS = [z.SECRET.encode()]


def passes(
    body: bytes, timestamp: str | None, signature: str | bytes | None, secrets: list[bytes] = SECRETS
) -> bool:
    sent = signature.encode("latin-1", "replace") if isinstance(signature, str) else signature
    digest = claimed(sent)
    signed_at = (timestamp or "").encode("latin-1")
    return digest is not None and is_signed(secrets, signed_at, body, digest)


@for_each(
    "body, signature",
    [
        ('{"event":"ticket.updated","id":123}', "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="),
        ("", "wCdBvXaHttn0wRVIYctzZ9O6O0bnqWakJMEKZ9VoRWw="),
        ('{"note":"Grüße, 你好 🙂"}', "HvwEhPRptdoUU1nNCF6BERYm+DoKp+0t16pLn1eaT9s="),
    ],
)
def test_published_vectors(body: str, signature: str) -> None:
    secrets = [ZENDESK_TEST_SECRET.encode()]
    assert passes(body.encode(), TIMESTAMP, signature, secrets)


def test_openssl_agrees() -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine")
    command = [openssl, "dgst", "-sha256", "-hmac", z.SECRET, "-binary"]
    digest = subprocess.run(command, input=TIMESTAMP.encode() + BODY, capture_output=True, check=True).stdout
    assert passes(BODY, TIMESTAMP, base64.b64encode(digest))


GOOD = z.signature(BODY, TIMESTAMP)
DIGEST = base64.b64decode(GOOD)


@for_each(
    "signature, why",
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
    assert not passes(BODY, TIMESTAMP, signature), why


def test_one_changed_byte_is_refused() -> None:
    assert passes(BODY, TIMESTAMP, GOOD)
    for position in range(0, len(BODY), 37):
        changed = bytearray(BODY)
        changed[position] ^= 1
        assert not passes(bytes(changed), TIMESTAMP, GOOD)


@for_each(
    "timestamp, expected",
    [
        ("2021-03-25T05:04:30Z", None),
        ("2021-03-25T05:14:30Z", None),
        ("2021-03-25T05:04:29Z", ("old", 301)),
        ("2021-03-25T05:14:31Z", ("ahead", 301)),
        ("2021-03-25T05:09:27.123456789Z", None),
        ("2021-03-25T07:09:27+02:00", None),
        ("1616648967", ("unreadable", 0)),
        ("yesterday", ("unreadable", 0)),
        ("Gr\u00fc\u00dfe 12345678", ("unreadable", 0)),
        ("9999-12-31T23:59:59-23:59", ("unreadable", 0)),
    ],
)
def test_how_far_a_signature_is_from_now(timestamp: str, expected: tuple[str, int] | None) -> None:
    assert drift(timestamp.encode("latin-1"), *WINDOW) == expected


def test_age_is_no_matter_of_the_signature() -> None:
    for timestamp in ("yesterday", "1970-01-01T00:00:00Z"):
        assert passes(BODY, timestamp, z.signature(BODY, timestamp))


def test_either_secret_of_a_rotation() -> None:
    secrets = [b"new secret", *SECRETS]
    for secret in ("new secret", z.SECRET):
        assert passes(BODY, TIMESTAMP, z.signature(BODY, TIMESTAMP, secret), secrets)
    assert not passes(BODY, TIMESTAMP, GOOD, [])
