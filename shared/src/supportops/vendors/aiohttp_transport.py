"""How bytes reach other people's servers: httpx for everybody who calls, aiohttp underneath (decision 0008).

The one question that matters here is whether anything was sent: before it, a call may simply be repeated. So every
error of aiohttp is named anew, and only those that come before the first byte are called connection errors.
"""

from collections.abc import Mapping

import aiohttp
import httpx
from yarl import URL

WHOLE = 3
"""Times the wait for the next byte that a whole call may take: a server that sends one byte now and then would hold
its caller for ever, and whatever waits behind it.
"""
MOST_BYTES = 64 * 1024 * 1024
"""Of an answer's body, as it is sent; the largest page of any vendor is a tenth."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx requests through one pool of aiohttp; bodies are read whole, within the call."""

    def __init__(self, connections: int, keepalive: float) -> None:
        self._connections, self._keepalive = connections, keepalive
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its body. Raises httpx's errors: ConnectError, ConnectTimeout, ReadTimeout, ReadError …"""
        session = self._session or self._open()
        waits = request.extensions.get("timeout", {})
        try:
            async with session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=_whole(waits),
                    connect=waits.get("pool"),
                    sock_connect=waits.get("connect"),
                    sock_read=waits.get("read"),
                ),
            ) as response:
                return httpx.Response(
                    response.status,
                    headers=response.raw_headers,
                    content=await _body(response),
                    request=request,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _named(error, request) from error

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        pool = aiohttp.TCPConnector(
            limit=self._connections, limit_per_host=0, keepalive_timeout=self._keepalive
        )
        self._session = aiohttp.ClientSession(
            connector=pool, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
        )
        # It would repeat a lost PUT or DELETE by itself; whether that is safe is for the caller to say.
        self._session._retry_connection = False  # no public switch; a test watches it
        return self._session


def _whole(waits: Mapping[str, float | None]) -> float | None:
    """Seconds for everything, from the wait for a connection to the last byte; None: the caller wants no limit."""
    read = waits.get("read")
    return None if read is None else WHOLE * read + (waits.get("pool") or 0) + (waits.get("connect") or 0)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            response.close()
            raise aiohttp.ClientPayloadError(f"an answer of more than {MOST_BYTES:,} bytes")
    return bytes(body)


def _named(error: Exception, request: httpx.Request) -> httpx.RequestError:
    """What happened, in httpx's words; whatever is not known to come before the first byte is a lost answer."""
    text = f"{type(error).__name__}: {error}"
    match error:
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol(text, request=request)
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(text, request=request)
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(text, request=request)
        case TimeoutError():
            return httpx.ReadTimeout(text, request=request)
        case ValueError():
            return httpx.LocalProtocolError(text, request=request)
        case _:
            return httpx.ReadError(text, request=request)
