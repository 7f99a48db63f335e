"""Calls somebody's webhook, signed after the Standard Webhooks scheme, so that they can tell us and a repeat.

`webhook-id`, `webhook-timestamp`, and in `webhook-signature` `v1,` with the base64 of HMAC-SHA256 over
`id.timestamp.body`.
"""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from supportops.clock import Clock
from supportops.errors import Permanent
from supportops.vendors.http_client import check, make_client, map_transport_errors

SECRET_PREFIX = "whsec_"  # noqa: S105  # nosec B105  # how secrets that are base64 begin


class SignedWebhook:
    """One address. `address` may hold a secret of its own, and is never said."""

    def __init__(self, http: httpx.AsyncClient, address: SecretStr, secret: SecretStr, clock: Clock) -> None:
        self._http, self._address, self._key, self._clock = http, address, secret_key(secret), clock

    async def send(self, message_id: str, body: Mapping[str, Any]) -> None:
        """Send `body` under `message_id`: a repeat has the same. Raises as `http_client.check` says."""
        now, content = self._clock.now(), orjson.dumps(dict(body))
        stamp = str(int(now.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._key, message_id, stamp, content),
        }
        with map_transport_errors("POST", "webhook"):
            address = self._address.get_secret_value()
            async with self._http.stream("POST", address, content=content, headers=headers) as response:
                check(
                    response, "webhook", now=self._clock.now()
                )  # the body is nothing to us, however long it is


def secret_key(secret: SecretStr) -> bytes:
    """The bytes of a secret: `whsec_` and base64, or the text itself. ValueError for broken base64."""
    text = secret.get_secret_value()
    if text.startswith(SECRET_PREFIX):
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    return text.encode()


def sign(key: bytes, message_id: str, stamp: str, content: bytes) -> str:
    """What goes into `webhook-signature`."""
    made = hmac.new(key, f"{message_id}.{stamp}.".encode() + content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


@asynccontextmanager
async def open_webhook(
    address: SecretStr, secret: SecretStr, *, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[SignedWebhook]:
    """A client for that address alone."""
    url = httpx.URL(address.get_secret_value())
    if url.scheme not in ("http", "https") or not url.host:
        raise Permanent("the webhook's address must begin with https://")
    async with make_client(f"{url.scheme}://{url.netloc.decode()}", transport=transport) as http:
        yield SignedWebhook(http, address, secret, clock)
