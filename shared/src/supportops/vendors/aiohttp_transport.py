"""How bytes reach other people's servers: httpx for everybody who calls, aiohttp underneath (decision 0008).

The one question that matters here is whether anything was sent: before it, a call may simply be repeated. So every
error of aiohttp is named anew, and only those that come before the first byte are called connection errors.
"""

import aiohttp
import httpx
from yarl import URL


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
                    total=None,
                    connect=waits.get("pool"),
                    sock_connect=waits.get("connect"),
                    sock_read=waits.get("read"),
                ),
            ) as response:
                return httpx.Response(
                    response.status,
                    headers=response.raw_headers,
                    content=await response.read(),
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
