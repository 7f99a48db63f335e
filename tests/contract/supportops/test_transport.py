"""What our transport makes of a server that misbehaves: what counts is whether anything may have been sent."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from supportops.errors import Retryable, UnknownOutcome
from supportops.vendors.http_client import HttpLimits, make_client, map_transport_errors
from tests.support.eventually import eventually
from tests.support.for_each import for_each
from tests.support.processes import free_port

type Reader = asyncio.StreamReader
type Writer = asyncio.StreamWriter
type Answer = Callable[[Reader, Writer], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def server(*answers: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that takes one `answers` per request, the last one for all that follow, and notes each request."""
    heads: list[bytes] = []

    async def connection(reader: Reader, writer: Writer) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                heads.append(head)
                await answers[min(len(heads), len(answers)) - 1](reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    running = await asyncio.start_server(connection, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}", heads
    finally:
        running.close()


async def fine(_reader: Reader, writer: Writer) -> None:
    writer.write(OK)


async def drop(_reader: Reader, writer: Writer) -> None:
    writer.transport.abort()


async def half(_reader: Reader, writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def garbage(_reader: Reader, writer: Writer) -> None:
    writer.write(b"not HTTP at all\r\n\r\n")


async def drops(reader: Reader, writer: Writer) -> None:
    """A byte now and then, until the caller has gone."""
    gone = asyncio.ensure_future(reader.read())
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not gone.done():
        writer.write(b" ")
        await writer.drain()
        await asyncio.wait([gone], timeout=0.02)


async def flood(_reader: Reader, writer: Writer) -> None:
    """More than anybody has room for."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await writer.drain()


async def silence(reader: Reader, _writer: Writer) -> None:
    await reader.read()


async def error_of(base_url: str, method: str, patience: HttpLimits | None = None) -> type[Exception]:
    """What a call ends in."""
    async with make_client(base_url, patience=patience) as client:
        with pytest.raises(Exception) as caught, map_transport_errors(method, "x"):  # noqa: PT011  # its exact type is the answer
            await client.request(method, "/x", content=b"{}")
    return caught.type


@for_each("answer", [drop, half, garbage])
@for_each("method", ["POST", "PUT", "DELETE"])
async def test_a_lost_answer_to_a_write_is_an_unknown_outcome(answer: Answer, method: str) -> None:
    async with server(answer) as (url, heads):
        assert await error_of(url, method) is UnknownOutcome
    assert len(heads) == 1


@pytest.mark.parametrize("answer", [drop, half, garbage], ids=lambda answer: answer.__name__)
async def test_a_lost_answer_to_a_read_may_be_asked_for_again(answer: Answer) -> None:
    async with server(answer) as (url, heads):
        assert await error_of(url, "GET") is Retryable
    assert len(heads) == 1


@pytest.mark.parametrize(("method", "error"), [("POST", UnknownOutcome), ("GET", Retryable)])
async def test_no_answer_in_time(method: str, error: type[Exception]) -> None:
    async with server(silence) as (url, _):
        assert await error_of(url, method, HttpLimits(answer=timedelta(milliseconds=100))) is error


@pytest.mark.parametrize(("method", "error"), [("POST", UnknownOutcome), ("GET", Retryable)])
async def test_each_byte_comes_in_time_and_the_last_one_never(method: str, error: type[Exception]) -> None:
    short = timedelta(milliseconds=100)
    async with server(drops) as (url, _), asyncio.timeout(30):
        assert await error_of(url, method, HttpLimits(connect=short, pool=short, answer=short)) is error


async def test_an_answer_without_end_fills_no_memory() -> None:
    async with server(flood) as (url, _), make_client(url) as client, asyncio.timeout(60):
        with pytest.raises(Retryable), map_transport_errors("GET", "x"):
            await client.get("/x")


async def test_nobody_listens() -> None:
    assert await error_of(f"http://127.0.0.1:{free_port()}", "POST") is Retryable


async def test_a_name_that_does_not_exist() -> None:
    assert await error_of("http://no-such-host.invalid", "POST") is Retryable


async def test_all_connections_are_busy() -> None:
    patience = HttpLimits(connections=1, pool=timedelta(milliseconds=100), answer=timedelta(seconds=5))
    async with server(silence) as (url, heads), make_client(url, patience=patience) as client:
        first = asyncio.ensure_future(client.post("/x"))
        await eventually(lambda: bool(heads), within=5, about="the first call holds the connection")
        with pytest.raises(Retryable) as caught, map_transport_errors("POST", "x"):
            await client.post("/x")
        assert caught.type is Retryable
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert len(heads) == 1


@for_each("method", ["GET", "PUT", "DELETE", "POST"])
async def test_nothing_is_repeated_on_a_connection_that_was_used_before(method: str) -> None:
    """The HTTP library repeats calls that HTTP calls idempotent; to add a comment is a PUT, and is not."""
    async with server(fine, drop, fine) as (url, heads), make_client(url) as client:
        assert (await client.get("/x")).text == "ok"
        with pytest.raises(httpx.ReadError):
            await client.request(method, "/x")
    assert len(heads) == 2


async def test_addresses_and_bodies_arrive_as_they_were_built() -> None:
    async with server(fine) as (url, heads), make_client(f"{url}/api/v2") as client:
        await client.get("/search.json", params={"q": "a+b c&d%2F:é"})
        await client.get("/users/1%2F2")
    assert heads[0].split(b" ")[1] == b"/api/v2/search.json?q=a%2Bb+c%26d%252F%3A%C3%A9"
    assert heads[1].split(b" ")[1] == b"/api/v2/users/1%2F2"


async def test_compressed_answers_are_read_and_headers_come_once() -> None:
    packed = gzip.compress(b'{"ok":true}')

    async def answer(_reader: Reader, writer: Writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(packed), packed))

    async with server(answer) as (url, heads), make_client(url) as client:
        assert (await client.get("/x")).json() == {"ok": True}
    assert heads[0].lower().count(b"user-agent:") == heads[0].lower().count(b"host:") == 1
