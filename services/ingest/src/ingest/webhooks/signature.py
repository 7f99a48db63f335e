"""Is a request signed by Zendesk? Looks at bytes only; pure."""

import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from ingest.webhooks import fields

SIGNATURE_LENGTH: Final = 44  # 32 bytes in base64
Verdict = Literal["ok", "unsigned", "bad-timestamp", "stale", "bad-signature"]


def verify(
    secrets: Sequence[bytes],
    timestamp: bytes | None,
    signature: bytes | None,
    body: bytes,
    window: tuple[datetime, timedelta] | None,
) -> Verdict:
    """Whether one of `secrets` signed `timestamp + body` within `window` (now, and how far from it).

    Without a window the age of the request, and whether its timestamp can be read, do not matter.
    """
    claimed_digest = claimed(signature)
    if not timestamp or claimed_digest is None:
        return "unsigned"
    if window is not None:
        signed_at = fields.as_moment(timestamp.decode("ascii", "replace"))
        if signed_at is None:
            return "bad-timestamp"
        if abs(window[0] - signed_at) > window[1]:
            return "stale"
    message = timestamp + body
    matches = [
        hmac.compare_digest(hmac.digest(secret, message, "sha256"), claimed_digest) for secret in secrets
    ]
    return "ok" if any(matches) else "bad-signature"


def claimed(signature: bytes | None) -> bytes | None:
    """The SHA-256 digest that a signature header holds, or None where it cannot be one: told before a body is read."""
    if not signature or len(signature) != SIGNATURE_LENGTH:
        return None
    try:
        return binascii.a2b_base64(signature, strict_mode=True)
    except binascii.Error:
        return None
