"""One anonymous client against a server of ours: what it may cost in time, memory, connections and log lines.

Raw sockets against a real process (decision 108). The budgets are those of one attack of this file, on a busy machine.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.eventually import eventually_now
from tests.support.forks import ForkedChild
from tests.support.processes import ChildProcess, python_module

MIB = 1024 * 1024
CONNECTIONS = 40
LIMITS = {
    "connections": CONNECTIONS,
    "held_bytes": 4 * MIB,
    "head_time": 1.0,
    "body_time": 1.5,
    "write_time": 1.0,
    "keep_alive": 2.0,
}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


class Attacked:
    """The process and what it has cost so far."""

    def __init__(self, child: ChildProcess, port: int) -> None:
        self.child, self.port = child, port
        self.process = psutil.Process(child.pid)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def say(self, data: bytes) -> bytes:
        """Send, and read until the server closes."""
        with closing(self.connect()) as client:
            pour(client, data)
            return rest(client)

    def ask(self) -> bytes:
        """An honest request."""
        return self.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    def calls(self) -> int:
        """How often the app has been called, this time included."""
        return int(self.ask().rpartition(b"call ")[2].partition(b",")[0])

    def seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def resident(self) -> int:
        return int(self.process.memory_info().rss)

    def lines(self, cause: str = "") -> list[dict[str, object]]:
        logged = (line for line in self.child.log.read_text().splitlines() if line.startswith("{"))
        found: list[dict[str, object]] = [json.loads(line) for line in logged]
        return [line for line in found if line["event"] == "http.refused" and cause in (line["cause"], "")]


def pour(client: socket.socket, data: bytes, times: int = 1) -> int:
    """Send as much as the server takes; the bytes that went out."""
    sent = 0
    try:
        for _ in range(times):
            client.sendall(data)
            sent += len(data)
    except OSError:
        return sent
    return sent


def rest(client: socket.socket) -> bytes:
    """What comes until the server closes, in order or not."""
    found = b""
    try:
        while piece := client.recv(65_536):
            found += piece
    except ConnectionError:
        return found
    return found


def answer(client: socket.socket) -> bytes:
    """One answer on a connection that stays open, head and body, in however many pieces."""
    with client.makefile("rb") as stream:
        head = b""
        while (line := stream.readline()) not in (b"\r\n", b""):
            head += line
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head + stream.read(length)


@contextmanager
def serving(home: Path) -> Iterator[Attacked]:
    child = ForkedChild(
        python_module("tests.integration.supportops.http_program", json.dumps(LIMITS)),
        log=home / "server.log",
    )
    child.start_only()

    def port() -> int:
        found = [line for line in child.log.read_text().splitlines() if line.startswith("port ")]
        assert found, child.tail()
        return int(found[0].removeprefix("port "))

    try:
        server = Attacked(child, eventually_now(port, within=30, about="the server listens"))
        server.ask()
        yield server
        assert "Traceback" not in child.log.read_text()
    finally:
        child.kill()


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with serving(tmp_path_factory.mktemp("attacked")) as server:
        yield server


@pytest.fixture
def attacked(one_server: Attacked) -> Iterator[Attacked]:
    """Serves honest people before and after each attack."""
    yield one_server
    assert one_server.ask().startswith(b"HTTP/1.1 200"), "it still serves"


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Attacked]:
    """A server that has not warned of anything yet."""
    with serving(tmp_path) as server:
        yield server


ENDLESS = {
    "value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"a" * 1000, 431),
    "name": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"a" * 1000, 431),
    "address": (b"GET /", b"a" * 1000, 431),
    "headers": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"a:b\r\n" * 200, 431),
    "chunk extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 1000, 400),
    "trailer": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ", b"a" * 1000, 400),
    "trailers": (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"a:b\r\n" * 200, 400),
    "chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 200, 400),
    "body in chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"40\r\n" + b"x" * 64 + b"\r\n", 413),
    "body after the answer": (POST.replace(b" / ", b" /early ") + b"Transfer-Encoding: chunked\r\n\r\n",
                              b"400\r\n" + b"x" * 1024 + b"\r\n", 200),
}  # fmt: skip


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless(attacked: Attacked, kind: str) -> None:
    begin, more, status = ENDLESS[kind]
    seconds, resident = attacked.seconds(), attacked.resident()
    with closing(attacked.connect()) as client:
        client.sendall(begin)
        sent = pour(client, more, 64_000)
        told = rest(client)
    assert sent < 20 * MIB, "the sender was stopped"
    assert told.startswith(b"HTTP/1.1 %d " % status) or told == b"", told[:100]
    assert attacked.seconds() - seconds < 1.5
    assert attacked.resident() - resident < 12 * MIB


def test_a_head_of_ordinary_size_in_single_bytes_passes(attacked: Attacked) -> None:
    with closing(attacked.connect()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"x" * 500 + b"\r\n\r\n":
            client.sendall(bytes([byte]))
        assert rest(client).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HT", b"HTTP/1.1 408 "),
        (b"POST / HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 408 "),
        (POST + b"Content-Length: 10\r\n\r\nhalf", b"HTTP/1.1 408 "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf", b"HTTP/1.1 408 "),
        (b"\r\n", b"HTTP/1.1 408 "),
        (b"", b""),
    ],
)
def test_half_a_request_is_not_waited_for(attacked: Attacked, sent: bytes, status: bytes) -> None:
    told = attacked.say(sent)
    assert told[: len(status)] == status
    assert status or not told


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTTP/1.1\r\nX: ", POST + b"Content-Length: 9999\r\n\r\n", GET]
)
@pytest.mark.parametrize("drip", [b"a", b"\r\n"])
def test_a_drip_does_not_hold_the_line(attacked: Attacked, begin: bytes, drip: bytes) -> None:
    """A byte now and then, for ever, in any state: closed by the deadline of what is owed."""
    with closing(attacked.connect()) as client:
        client.settimeout(0.1)
        pour(client, begin)

        def closed() -> bool:
            pour(client, drip)
            try:
                return client.recv(65_536) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        eventually_now(closed, within=8)


def test_a_connection_between_requests_is_closed_in_time(attacked: Attacked) -> None:
    with closing(attacked.connect()) as client:
        client.sendall(GET + GET)
        assert rest(client).count(b"HTTP/1.1 200") == 2
    early = attacked.say(POST.replace(b" / ", b" /early ") + b"Content-Length: 3\r\n\r\nabc")
    assert early.startswith(b"HTTP/1.1 200")


SMUGGLED = [
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    b"Content-Length: 4\r\nContent-Length: 40\r\n\r\nabcd",
    b"Content-Length: 4, 4\r\n\r\nabcd",
    b"Content-Length: +4\r\n\r\nabcd",
    b"Content-Length: -4\r\n\r\nabcd",
    b"Content-Length: 0x4\r\n\r\nabcd",
    b"Content-Length: 99999999999999999999999\r\n\r\nabcd",
    b"Content-Length:\r\n\r\nabcd",
    b"Transfer-Encoding: identity\r\n\r\nabcd",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"X: a\x00b\r\n\r\n",
    b"Host: b\r\n\r\n",
]


@pytest.mark.parametrize("smuggled", SMUGGLED)
def test_smuggled(attacked: Attacked, smuggled: bytes) -> None:
    before = attacked.calls()
    assert attacked.say(POST + smuggled + GET).startswith(b"HTTP/1.1 400")
    assert attacked.calls() == before + 1, "no request of it has reached the app"


@pytest.mark.parametrize(
    "request_",
    [POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"GET /\r\n\r\n"],
)
def test_other_versions_smuggle_nothing(attacked: Attacked, request_: bytes) -> None:
    assert attacked.say(request_).startswith(b"HTTP/1.1 400")


def test_what_follows_an_upgrade_is_no_request(attacked: Attacked) -> None:
    before = attacked.calls()
    upgrade = b"Connection: upgrade\r\nUpgrade: h2c\r\n"
    told = attacked.say(POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(GET) + GET + GET)
    assert told.count(b"HTTP/1.1") == 1
    assert attacked.calls() == before + 2


def test_a_trailer_is_no_header(attacked: Attacked) -> None:
    chunked = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\nX-Late: 1\r\n\r\n"
    told = attacked.say(POST + chunked)
    assert told.startswith(b"HTTP/1.1 200")
    assert b"x-late" not in told


def test_bodies_are_refused_by_their_announced_length(attacked: Attacked) -> None:
    before = attacked.calls()
    assert attacked.say(POST + b"Content-Length: 1048577\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert attacked.calls() == before + 1


def test_pipelined_requests_are_few(attacked: Attacked) -> None:
    before, seconds, resident = attacked.calls(), attacked.seconds(), attacked.resident()
    attacked.say(GET * 20_000)
    assert attacked.seconds() - seconds < 1.0
    assert attacked.resident() - resident < 12 * MIB
    assert attacked.calls() - before < 10


def test_idle_connections_give_way(silent: Attacked) -> None:
    with ExitStack() as stack:
        for _ in range(4 * CONNECTIONS):
            stack.enter_context(closing(silent.connect()))
        assert silent.ask().startswith(b"HTTP/1.1 200")
        assert len(silent.process.net_connections()) <= CONNECTIONS + 2  # the listener, and ours
    (line,) = silent.lines()
    assert (line["cause"], line["server"]) == ("gave_way", "http")


def test_a_connection_in_use_outlives_idle_ones(attacked: Attacked) -> None:
    """Kept alive by an honest proxy, it is not the one that gives way to strangers who say nothing."""
    with ExitStack() as stack:
        honest = stack.enter_context(closing(attacked.connect()))
        honest.sendall(GET)
        assert answer(honest).startswith(b"HTTP/1.1 200")
        for _ in range(3 * CONNECTIONS):
            stack.enter_context(closing(attacked.connect()))
        honest.sendall(GET)
        assert answer(honest).startswith(b"HTTP/1.1 200")


def test_half_bodies_give_way_too(attacked: Attacked) -> None:
    with ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            client = stack.enter_context(closing(attacked.connect()))
            pour(client, POST + b"Content-Length: 10\r\n\r\nhalf")
        assert attacked.ask().startswith(b"HTTP/1.1 200")


def test_bodies_in_flight_are_bounded(silent: Attacked) -> None:
    """A hundred bodies of 1 MiB that lack their last byte: they took 92 MiB."""
    resident = silent.resident()
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(silent.connect())) for _ in range(30)]
        for client in clients:
            pour(client, POST + b"Content-Length: 1048576\r\n\r\n" + b"x" * (MIB - 1))
        assert silent.say(POST + b"Content-Length: 5\r\nConnection: close\r\n\r\nhello").startswith(
            b"HTTP/1.1 200"
        )
        assert silent.resident() - resident < 20 * MIB
        told = [rest(client) for client in clients]
    assert any(answer.startswith(b"HTTP/1.1 503") and b"retry-after: 55" in answer for answer in told)
    assert len(silent.lines("too_much_held")) == 1


def test_who_does_not_read_is_let_go(silent: Attacked) -> None:
    with closing(silent.connect()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(GET.replace(b" / ", b" /large "))
        resident = silent.resident()
        eventually_now(lambda: silent.lines("slow_reader"), within=8)
        eventually_now(lambda: silent.resident() < resident + 8 * MIB)


def test_one_line_a_cause(silent: Attacked) -> None:
    """Two hundred refusals: the first line comes at once, the next tells how many there were."""
    for _ in range(200):
        silent.say(b"\x16\x03\x01 nonsense\r\n\r\n")
    lines = silent.lines("malformed")
    assert 1 <= len(lines) <= 4
    assert lines[0]["times"] == 1
    assert {line["client"] for line in lines} == {"127.0.0.1"}
