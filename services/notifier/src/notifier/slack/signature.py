"""Whether a request is Slack's: signature v0 over the raw body (docs/vendors/slack.md#requests). Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=5)
_TIMESTAMP = re.compile(rb"[0-9]{1,12}")
_SIGNATURE = re.compile(rb"v0=[0-9a-f]{64}")

type Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request says of its own signature."""

    timestamp: bytes
    signature: bytes


def signed(headers: Headers, now: datetime) -> Signed | None:
    """What stands in the headers when that may be Slack's: exactly one timestamp of the last minutes and one signature.

    Known before a byte of the body is read: who cannot be Slack is not listened to.
    """
    found = [(name.lower(), value) for name, value in headers]
    stamps = [value for name, value in found if name == b"x-slack-request-timestamp"]
    signatures = [value for name, value in found if name == b"x-slack-signature"]
    if len(stamps) != 1 or len(signatures) != 1:
        return None
    if not _TIMESTAMP.fullmatch(stamps[0]) or not _SIGNATURE.fullmatch(signatures[0]):
        return None
    if abs(now.timestamp() - int(stamps[0])) > WINDOW.total_seconds():
        return None
    return Signed(stamps[0], signatures[0])


def is_slacks(headers: Headers, body: bytes, secrets: Sequence[str], now: datetime) -> bool:
    """Whether the headers may be Slack's (`signed`), and their signature was made with one of `secrets`."""
    said = signed(headers, now)
    if said is None:
        return False
    made = [signature(secret, said.timestamp, body) for secret in secrets]
    return any(hmac.compare_digest(each, said.signature) for each in made)


def signature(secret: str, timestamp: bytes, body: bytes) -> bytes:
    """What Slack sends beside `body` at `timestamp`."""
    base = b"v0:" + timestamp + b":" + body
    return b"v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest().encode()
