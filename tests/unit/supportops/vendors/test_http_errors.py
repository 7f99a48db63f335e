"""What went wrong with a call, and what to do next: one table for statuses, one for the transport."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from supportops.errors import (
    Conflict,
    CredentialRefused,
    Forbidden,
    NotFound,
    Permanent,
    Retryable,
    SupportOpsError,
    UnknownOutcome,
)
from supportops.vendors.http_client import (
    LONGEST_WAIT,
    HttpLimits,
    check,
    make_client,
    map_transport_errors,
    retry_after,
)
from tests.support.for_each import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

STATUSES: dict[tuple[str, int], type[SupportOpsError] | None] = {
    ("GET", 200): None,
    ("PUT", 201): None,
    ("PUT", 204): None,
    ("GET", 301): Permanent,
    ("PUT", 308): Permanent,
    ("PUT", 400): Permanent,
    ("GET", 401): CredentialRefused,
    ("PUT", 403): Forbidden,
    ("GET", 404): NotFound,
    ("PUT", 408): Retryable,
    ("PUT", 409): Conflict,
    ("PUT", 413): Permanent,
    ("PUT", 422): Permanent,
    ("PUT", 425): Retryable,
    ("PUT", 429): Retryable,
    ("GET", 500): Retryable,
    ("PUT", 500): UnknownOutcome,
    ("GET", 503): Retryable,
    ("POST", 503): UnknownOutcome,
    ("DELETE", 504): UnknownOutcome,
}


def _answer(method: str, status: int, **headers: str) -> httpx.Response:
    request = httpx.Request(method, "https://acme.example/x")
    return httpx.Response(status, headers=headers, request=request)


@for_each("method, status", STATUSES)
def test_statuses(method: str, status: int) -> None:
    expected = STATUSES[method, status]
    if expected is None:
        check(_answer(method, status), "x", now=NOW)
        return
    with pytest.raises(expected) as caught:
        check(_answer(method, status), "zendesk ticket", now=NOW, detail="because")
    assert type(caught.value) is expected
    assert str(caught.value) == f"zendesk ticket: {status} because"


WAITS = {
    "30": timedelta(seconds=30),
    "0": timedelta(),
    "1.5": timedelta(seconds=1.5),
    " 7 ": timedelta(seconds=7),
    "Sun, 01 Mar 2026 12:00:45 GMT": timedelta(seconds=45),
    "Sun, 01 Mar 2026 11:00:00 GMT": timedelta(),
    "999999": LONGEST_WAIT,
    "9" * 400: None,
    "-5": None,
    "soon": None,
    "1e9": None,
    "nan": None,
    "": None,
    "Sun, 99 Mar 2026": None,
}


@for_each("text, wait", WAITS.items())
def test_retry_after(text: str, wait: timedelta | None) -> None:
    assert retry_after(httpx.Headers({"Retry-After": text}), NOW) == wait


@for_each("status", [401, 409, 429, 503])
def test_the_wait_that_was_asked_for_reaches_the_row(status: int) -> None:
    with pytest.raises(Retryable) as caught:
        check(_answer("PUT", status, **{"Retry-After": "17"}), "x", now=NOW)
    assert caught.value.after == timedelta(seconds=17)


# Every error httpx can raise for a call, and what it means for a read and for a write.
TRANSPORT: dict[type[httpx.HTTPError], tuple[type[SupportOpsError], type[SupportOpsError]]] = {
    httpx.ConnectError: (Retryable, Retryable),
    httpx.ConnectTimeout: (Retryable, Retryable),
    httpx.PoolTimeout: (Retryable, Retryable),
    httpx.ProxyError: (Retryable, Retryable),
    httpx.ReadTimeout: (Retryable, UnknownOutcome),
    httpx.WriteTimeout: (Retryable, UnknownOutcome),
    httpx.ReadError: (Retryable, UnknownOutcome),
    httpx.WriteError: (Retryable, UnknownOutcome),
    httpx.CloseError: (Retryable, UnknownOutcome),
    httpx.RemoteProtocolError: (Retryable, UnknownOutcome),
    httpx.DecodingError: (Retryable, UnknownOutcome),
    httpx.LocalProtocolError: (Permanent, Permanent),
    httpx.UnsupportedProtocol: (Permanent, Permanent),
    httpx.TooManyRedirects: (Permanent, Permanent),
}


@for_each("kind", TRANSPORT)
def test_transport_errors(kind: type[httpx.HTTPError]) -> None:
    for method, expected in zip(("GET", "POST"), TRANSPORT[kind], strict=True):
        with pytest.raises(SupportOpsError) as caught, map_transport_errors(method, "zendesk ticket"):
            raise kind("Dear Bob, the token is abc")
        assert type(caught.value) is expected
        assert "Bob" not in str(caught.value)


def test_every_error_of_httpx_is_in_the_table() -> None:
    def leaves(kind: type[httpx.HTTPError]) -> set[type[httpx.HTTPError]]:
        below = kind.__subclasses__()
        return {leaf for each in below for leaf in leaves(each)} if below else {kind}

    assert leaves(httpx.RequestError) == set(TRANSPORT)


def test_an_error_of_ours_passes_through() -> None:
    with pytest.raises(KeyError), map_transport_errors("GET", "x"):
        raise KeyError("bug")


def _client(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return make_client(
        "https://acme.zendesk.com/api/v2", authorization="Basic abc", transport=httpx.MockTransport(answer)
    )


async def test_the_credential_goes_to_its_own_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with _client(answer) as client:
        await client.get("/tickets/1")
    assert str(seen[0].url) == "https://acme.zendesk.com/api/v2/tickets/1"
    assert seen[0].headers["Authorization"] == "Basic abc"


@for_each(
    "address",
    [
        "https://evil.example/api/v2/tickets/1",
        "http://acme.zendesk.com/api/v2/tickets/1",
        "https://acme.zendesk.com:8443/api/v2/tickets/1",
        "https://acme.zendesk.com.evil.example/",
    ],
)
async def test_nothing_is_sent_to_any_other_host(address: str) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("a request left the process")

    async with _client(answer) as client:
        with pytest.raises(Permanent, match="refused to call"):
            await client.get(address)


async def test_a_redirect_is_not_followed() -> None:
    async with _client(
        lambda _: httpx.Response(302, headers={"Location": "https://evil.example/"})
    ) as client:
        response = await client.get("/tickets/1")
    with pytest.raises(Permanent, match="302"):
        check(response, "x", now=NOW)


async def test_limits_are_explicit() -> None:
    async with make_client("https://x", patience=HttpLimits(connect=timedelta(seconds=1))) as client:
        assert client.timeout.connect == 1
        assert client.timeout.read == 20
        assert not client.follow_redirects
        assert not client.trust_env
