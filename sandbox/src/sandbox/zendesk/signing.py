"""The signature of docs/vendors/zendesk.md#signature: base64(HMAC-SHA256(secret, timestamp + body)), and the headers
that carry it.
"""

import base64
import hashlib
import hmac


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The secret is used as it is, not decoded; nothing stands between timestamp and body."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
