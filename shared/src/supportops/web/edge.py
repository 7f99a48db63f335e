"""What every request of a browser passes first: the proxies in front, the host it names, and headers on the answer."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from supportops.config import HttpSettings
from supportops.web.security_headers import HSTS, security_headers

NEIGHBOURS = 64  # bits of an IPv6 address that one customer of a network has

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Message, Receive, Send], Awaitable[None]]


class AnswerHeaders:
    """Adds the security headers to every answer that does not bring its own, also to those about errors."""

    def __init__(self, app: App, style: str | None = None, https: bool = False) -> None:
        self._app = app
        self._headers = security_headers(style) | (HSTS if https else {})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class PlausibleAddresses:
    """Refuses addresses with a NUL (400): no page of ours has one, and a database answers it with an error."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\x00" in scope["path"] or b"%00" in scope["query_string"]):
            await PlainTextResponse("There is no such address.\n", 400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def stand_at_the_edge(
    app: FastAPI, http: HttpSettings | None, *, style: str | None = None, https: bool = False
) -> None:
    """Let every request to `app` pass all this. `style`: of pages that bring no policy of their own."""
    app.add_middleware(PlausibleAddresses)
    if http is not None and http.allowed_hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(http.allowed_hosts), www_redirect=False)
    app.add_middleware(AnswerHeaders, style=style, https=https)
    if http is not None and http.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(http.trusted_proxies))


def address_of(request: HTTPConnection) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Where a request comes from, behind the proxies that are trusted; None when that is no address."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def client_of(request: HTTPConnection) -> str:
    """Whose attempts are counted: the client's IPv4 address, or the /64 network of an IPv6 one."""
    address = address_of(request)
    if address is None:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.IPv6Network((int(address), NEIGHBOURS), strict=False))
