"""Is a request signed by Zendesk, and when was it? Looks at bytes only; pure."""

import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from ingest.webhooks import fields

SIGNATURE_LENGTH: Final = 44  # 32 bytes in base64
Drift = Literal["old", "ahead", "unreadable"]


def claimed(signature: bytes | None) -> bytes | None:
    """The SHA-256 digest that a signature header holds, or None where it cannot be one: told before a body is read."""
    if not signature or len(signature) != SIGNATURE_LENGTH:
        return None
    try:
        return binascii.a2b_base64(signature, strict_mode=True)
    except binascii.Error:
        return None


def is_signed(secrets: Sequence[bytes], timestamp: bytes, body: bytes, digest: bytes) -> bool:
    """Whether one of `secrets` signed `timestamp + body`. Its age does not matter: signed is signed."""
    message = timestamp + body
    matches = [hmac.compare_digest(hmac.digest(secret, message, "sha256"), digest) for secret in secrets]
    return any(matches)


def drift(timestamp: bytes, now: datetime, window: timedelta) -> tuple[Drift, int] | None:
    """How a signature's time lies outside `window` around `now`, and by how many seconds; None: it lies inside."""
    signed_at = fields.as_moment(timestamp.decode("ascii", "replace"))
    if signed_at is None:
        return "unreadable", 0
    age = now - signed_at
    if abs(age) <= window:
        return None
    return ("old" if age > timedelta() else "ahead"), round(abs(age.total_seconds()))
