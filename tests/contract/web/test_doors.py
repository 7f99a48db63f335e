"""The doors of the operators' pages: guessing, locking out, proxies, hosts; what strangers can write into the log."""

import asyncio
import logging
from datetime import timedelta

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from sandbox.clients import tls
from supportops.clock import ManualClock
from supportops.config import HttpSettings
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.metrics import Metrics
from supportops.runtime.http_server import HttpServer
from supportops.web.auth import accounts, bearer, proxy
from supportops.web.throttle import Throttle
from tests.contract.web.installation import (
    APIS,
    PASSWORD,
    SERVICES,
    TOKEN,
    Installation,
    chosen,
    log_in,
    log_out,
    opens,
    url,
)
from tests.support.eventually import eventually

sqlite_alone = pytest.mark.parametrize("dialect", ["sqlite"])
WRONG = "not the password"


async def test_a_throttle_allows_a_burst_and_then_a_steady_pace(
    installation: Installation, clock: ManualClock
) -> None:
    store = await installation.store("csat")
    first, replica = (Throttle(store, "test", 4, 6) for _ in range(2))
    assert [await first.wait_before("a") for _ in range(2)] == [0, 0]
    assert [await replica.wait_before("a") for _ in range(4)] == [
        0,
        0,
        15,
        15,
    ]  # what is refused is not counted
    clock.advance(timedelta(seconds=14.5))
    assert await first.wait_before("a") == 1
    clock.advance(timedelta(seconds=0.5))
    assert [await first.wait_before("a") for _ in range(2)] == [0, 15]
    together = [await first.wait_before(name) for name in "bcd"]  # six, then one each 10 s
    assert together == [0, 0, 5]
    assert await first.wait_before("d", alone=True) == 0
    clock.advance(timedelta(minutes=2))
    assert [await first.wait_before(name) for name in "aaaab"] == [0, 0, 0, 0, 0]


@sqlite_alone
async def test_a_clock_that_was_a_day_ahead_locks_nobody_out(
    installation: Installation, clock: ManualClock
) -> None:
    throttle = Throttle(await installation.store("csat"), "test", 2)
    clock.advance(timedelta(days=1))
    assert await throttle.wait_before("a") == 0
    clock.advance(-timedelta(days=1))
    assert [await throttle.wait_before("a") for _ in range(3)] == [0, 0, 30]


async def test_tries_at_the_same_moment_are_all_counted(installation: Installation) -> None:
    throttle = Throttle(await installation.store("csat"), "test", 5)
    waits = await asyncio.gather(*(throttle.wait_before("a") for _ in range(20)))
    assert waits.count(0) == 5


async def test_strangers_who_guess_keep_nobody_out_who_works_here(installation: Installation) -> None:
    login = chosen(login_attempts=2)
    async with installation.browser(login, "198.51.100.7") as ann:
        assert (await log_in(ann)).status_code == 303
        await log_out(ann, "csat")
        outcomes = []
        for stranger in range(8):  # a replica each: what is counted is counted for all
            async with installation.browser(login, f"203.0.113.{stranger}") as browser:
                outcomes += [(await log_in(browser, password=WRONG)).status_code for _ in range(3)]
        assert outcomes[:3] == [403, 403, 429]
        assert outcomes.count(403) == 11  # six times two for all together, one of which ann had
        async with installation.browser(login, "198.51.100.8") as newcomer:
            assert (await log_in(newcomer)).status_code == 429
        assert (await log_in(ann)).status_code == 303
        assert await opens(ann, "csat")
        again = [(await log_in(ann, password=WRONG)).status_code for _ in range(3)]
        assert again == [403, 429, 429]  # a known browser guesses no faster


@sqlite_alone
@pytest.mark.parametrize(
    ("proxies", "status"),
    [(("10.0.0.0/8",), 403), (("10.9.9.9",), 429), ((), 429)],
    ids=["trusted", "another", "none"],
)
async def test_trusted_proxies_say_who_asks(
    installation: Installation, proxies: tuple[str, ...], status: int
) -> None:
    login, http = chosen(login_attempts=1), HttpSettings(trusted_proxies=proxies)
    async with installation.browser(login, "10.0.0.5", http) as browser:
        browser.headers["X-Forwarded-For"] = "203.0.113.66"
        assert (await log_in(browser, password=WRONG)).status_code == 403
        # The client's own word stands first; what counts is what the proxy has added behind it.
        browser.headers["X-Forwarded-For"] = "203.0.113.66, 198.51.100.7"
        assert (await log_in(browser, password=WRONG)).status_code == status
        browser.headers["X-Forwarded-For"] = "1.2.3.4, 203.0.113.66"
        assert (await log_in(browser, password=WRONG)).status_code == 429


@sqlite_alone
async def test_neighbours_in_one_network_are_one_client(installation: Installation) -> None:
    login = chosen(login_attempts=1)
    outcomes = []
    for client in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1", "not an address"):
        async with installation.browser(login, client) as browser:
            outcomes.append((await log_in(browser, password=WRONG)).status_code)
    assert outcomes == [403, 429, 403, 403]


@pytest.mark.parametrize("service", APIS)
async def test_tokens_are_not_to_be_guessed_at(installation: Installation, service: str) -> None:
    address, right = url(service, APIS[service]), {"Authorization": f"Bearer {TOKEN}"}
    async with (
        installation.browser(chosen(), "203.0.113.1") as stranger,
        installation.browser(chosen()) as program,
    ):
        guesses = [b"x", TOKEN[:-1].encode(), f"{TOKEN}x".encode(), b"\xe9", b"x" * 5000]
        wrong = [{b"Authorization": b"Bearer " + guess} for guess in guesses]
        replies = [await stranger.get(address, headers=wrong[n % len(wrong)]) for n in range(12)]
        assert [reply.status_code for reply in replies] == [401] * 10 + [429] * 2
        assert 0 < int(replies[-1].headers["retry-after"]) <= 60
        assert (await stranger.get(address, headers=right)).status_code == 429  # it must not tell
        assert (await program.get(address, headers=right)).status_code == 200
        assert (await program.get(url(service), headers=right)).status_code == 303  # pages are for people


@sqlite_alone
async def test_hosts_that_are_not_ours_are_refused(installation: Installation) -> None:
    http = HttpSettings(allowed_hosts=("csat.ops.example.com",))
    async with installation.browser(chosen(), http=http) as browser:
        assert (await browser.get(url("csat", "/login"))).status_code == 200
        for host in ("evil.example", "", "csat.ops.example.com.evil.example"):
            refused = await browser.get(url("csat", "/login"), headers={"Host": host})
            assert (refused.status_code, host == "" or host not in refused.text) == (400, True)
            assert refused.headers["x-frame-options"] == "DENY"


@sqlite_alone
async def test_no_redirect_names_the_host_of_the_request(installation: Installation) -> None:
    paths = ("/login/", "/tickets/", "/dashboard/", "/s/a.b/", "/figures/", "/counts/", "/api/kpi/")
    async with installation.browser(chosen()) as browser:
        for address in (url(service, path) for service in SERVICES for path in paths):
            reply = await browser.get(address, headers={"Host": "evil.example"})
            assert (reply.status_code, "location" in reply.headers) == (404, False), address


@sqlite_alone
async def test_what_strangers_cause_is_one_line_per_cause(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (accounts, bearer, proxy):  # what an earlier test caused is not counted, nor its logger kept
        monkeypatch.setattr(room, "log", LimitedWarnings(structlog.get_logger()))
    with capture_logs() as lines:
        async with installation.browser(chosen(login_attempts=3)) as browser:
            for _ in range(6):
                await log_in(browser, password=WRONG)
                await browser.post(url("csat", "/login"), data={"password": PASSWORD})
            for _ in range(6):
                await browser.get(url("csat", "/api/kpi"), headers={"Authorization": "Bearer guess"})
    caused = [(line["event"], line["cause"]) for line in lines if line["log_level"] == "warning"]
    assert sorted(caused) == sorted(set(caused))
    assert set(caused) <= {
        ("login.refused", "wrong"),
        ("login.refused", "limited"),
        ("login.refused", "form_refused"),
        ("api.refused", "wrong token"),
    }
    assert WRONG not in str(lines)
    assert max(len(str(line)) for line in lines) < 200


FORM = b"application/x-www-form-urlencoded"
ABORTED = [
    b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: " + FORM + b"\r\nContent-Length: 500\r\n\r\npass",
    b"POST /logout HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
    b"POST /s/a.b HTTP/1.1\r\nHost: x\r\nContent-Type: " + FORM + b"\r\nContent-Length: 9\r\n\r\n",
    b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n",
]
STRANGE = [
    b"GET /counts HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xff\xe9%%%\r\nConnection: close\r\n\r\n",
    b"GET /api/counts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xe9\r\nConnection: close\r\n\r\n",
    b"GET /api/kpi HTTP/1.1\r\nHost: x\r\nAuthorization: Basic \xe9\r\nConnection: close\r\n\r\n",
    b"GET /figures HTTP/1.1\r\nHost: x\r\nCookie: supportops-session=\xff\r\nConnection: close\r\n\r\n",
    b"GET /figures HTTP/1.1\r\nHost: x\r\nX-Operators-Proxy-Secret: \xe9\r\nConnection: close\r\n\r\n",
]


@sqlite_alone
@pytest.mark.parametrize("service", SERVICES)
async def test_raw_nonsense_and_aborted_logins_write_no_errors(
    installation: Installation, service: str, caplog: pytest.LogCaptureFixture
) -> None:
    login = chosen(proxy_header="X-Forwarded-User", proxy_secret=TOKEN)
    app, stopping = await installation.app(service, login), asyncio.Event()
    server = HttpServer(app, ("127.0.0.1", 0), Metrics())
    running = asyncio.create_task(server.run(stopping))
    await server.started.wait()
    with capture_logs() as lines, caplog.at_level(logging.INFO):
        for request in ABORTED * 3:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            await writer.drain()
            writer.transport.abort()
        for request in STRANGE:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(request)
            status = (await reader.read()).split(b" ", 2)[1]
            writer.close()
            assert status in (b"303", b"400", b"401", b"404")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", verify=tls()) as browser:

            async def answers() -> bool:  # whatever was aborted has been worked off by then
                return (await browser.get("/login")).status_code == 200

            await eventually(answers)
        stopping.set()
        await running
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert [line for line in lines if line["log_level"] == "error"] == []
    warned = [(line["event"], line.get("cause")) for line in lines if line["log_level"] == "warning"]
    assert len(warned) == len(set(warned))
