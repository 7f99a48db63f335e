"""HTTP calls to other people's servers: one client per service and vendor, and one reading of what went wrong.

no connection, pool full           Retryable          nothing was sent
time-out or drop after sending     Retryable for reads, UnknownOutcome for writes
3xx                                Permanent          redirects are never followed with our credentials
401                                CredentialRefused  the login is wrong for every row, not for this one
403 / 404, 410 / 409               Forbidden / NotFound / Conflict
408, 425, 429                      Retryable          after Retry-After
other 4xx                          Permanent
5xx                                Retryable for reads, UnknownOutcome for writes, after Retry-After
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from supportops.errors import (
    Conflict,
    CredentialRefused,
    Forbidden,
    NotFound,
    Permanent,
    Retryable,
    UnknownOutcome,
)
from supportops.vendors.aiohttp_transport import AiohttpTransport

LONGEST_WAIT = timedelta(hours=1)
"""A server that asks for more is asked again after this long."""
LOGIN_WAIT = timedelta(minutes=1)
KEEPALIVE = 30.0  # seconds that an idle connection is kept

READS = frozenset({"GET", "HEAD", "OPTIONS"})

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OUR_MISTAKE = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.TooManyRedirects)


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long one call may take, and how many there may be at once."""

    connect: timedelta = timedelta(seconds=3)
    answer: timedelta = timedelta(seconds=20)
    pool: timedelta = timedelta(seconds=5)
    connections: int = 20


class BoundAuth(httpx.Auth):
    """Adds the credential to requests of one origin, and refuses to send any request elsewhere."""

    def __init__(self, base: httpx.URL, header: str = "") -> None:
        self._origin, self._header = _origin(base), header

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        self.refuse_other_hosts(request)
        if self._header:
            request.headers["Authorization"] = self._header
        yield request

    def refuse_other_hosts(self, request: httpx.Request) -> None:
        """Raises Permanent for a request to any origin but ours."""
        if _origin(request.url) != self._origin:
            raise Permanent(f"refused to call {request.url.host}: not the host this client is for")


def make_client(
    base_url: str,
    *,
    authorization: str | BoundAuth = "",
    patience: HttpLimits | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """A client for one host: explicit time-outs and limits, no redirects, no proxies of the environment.

    `authorization` is the value of the header, or what makes it; it is never sent to any other host. Use as
    `async with`.
    """
    limits = patience or HttpLimits()
    answer = limits.answer.total_seconds()
    auth = BoundAuth(httpx.URL(base_url), authorization) if isinstance(authorization, str) else authorization
    return httpx.AsyncClient(
        base_url=base_url,
        auth=auth,
        timeout=httpx.Timeout(
            answer, connect=limits.connect.total_seconds(), pool=limits.pool.total_seconds()
        ),
        follow_redirects=False,
        trust_env=False,
        transport=transport or AiohttpTransport(limits.connections, keepalive=KEEPALIVE),
        headers={"Accept": "application/json", "User-Agent": "supportops"},
    )


@contextmanager
def map_transport_errors(method: str, what: str) -> Iterator[None]:
    """Turns httpx's transport errors into ours; `what` names the call without ids of people or tokens."""
    try:
        yield
    except _NOTHING_SENT as error:
        raise Retryable(f"{what}: no connection ({type(error).__name__})") from error
    except _OUR_MISTAKE as error:
        raise Permanent(f"{what}: {type(error).__name__}") from error
    except httpx.RequestError as error:
        raise no_answer(method, f"{what}: no readable answer ({type(error).__name__})") from error


def check(response: httpx.Response, what: str, *, now: datetime, detail: str = "") -> None:
    """Return when the answer is 2xx, else raise as the table above says; `detail` is added to the message."""
    status = response.status_code
    if 200 <= status < 300:
        return
    message = f"{what}: {status}{' ' + detail if detail else ''}"
    after = retry_after(response.headers, now)
    if status == 401:
        raise CredentialRefused(message, after or LOGIN_WAIT)
    if status == 403:
        raise Forbidden(message)
    if status in (404, 410):
        raise NotFound(message)
    if status == 409:
        raise Conflict(message, after)
    if status in (408, 425, 429):
        raise Retryable(message, after)
    if status >= 500:
        raise no_answer(response.request.method, message, after)
    raise Permanent(message)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait that `Retry-After` asks for, seconds or a date, within 0 and `LONGEST_WAIT`; None without one."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        wait = timedelta(seconds=float(text)) if _is_number(text) else _until(text, now)
    except (ValueError, OverflowError):
        return None
    return min(max(wait, timedelta()), LONGEST_WAIT)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit()


def _until(text: str, now: datetime) -> timedelta:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def no_answer(method: str, message: str, after: timedelta | None = None) -> Retryable:
    """The error for a missing or broken answer: reading again does no harm, writing again may do it twice."""
    return Retryable(message, after) if method.upper() in READS else UnknownOutcome(message, after)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
