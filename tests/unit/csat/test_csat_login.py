"""The login's parts without HTTP: hashes, sessions, the proxy's word, where a login may lead, half configurations."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr, ValidationError
from starlette.datastructures import Headers
from typer.testing import CliRunner

from csat.__main__ import app
from sandbox.demo import DASHBOARD_HASH
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.web.auth.guard import login_path, own_path
from supportops.web.auth.passwords import Password, UnfitPassword, hash_password, is_hash
from supportops.web.auth.proxy import SECRET_HEADER, ProxyLogin
from supportops.web.auth.sessions import Sessions
from supportops.web.auth.settings import DashboardSettings
from supportops.web.throttle import Throttle

KEY, OLDER = "the-current-key-2026", "the-older-key-2025"
WORDS = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASHED = hash_password(WORDS, CHEAP)
SECRET = "the-proxy-knows-this"
LIFETIME = timedelta(hours=12)


def sessions(clock: ManualClock, *keys: str, fingerprint: str = "one") -> Sessions:
    return Sessions(keys or (KEY,), fingerprint, LIFETIME, clock)


async def test_only_the_password_matches() -> None:
    password = Password(SecretStr(HASHED))
    assert await password.matches(WORDS)
    for other in ("", WORDS[:-1], WORDS + " ", WORDS.upper(), HASHED, "x" * 100_000, "\x00", "é"):
        assert not await password.matches(other)


def test_what_is_a_hash() -> None:
    assert HASHED.startswith("$argon2id$")
    assert is_hash(HASHED)
    for other in ("", WORDS, "$argon2id$", HASHED.replace("argon2id", "argon2i"), "=64,t=1,p=1"):
        assert not is_hash(other)
    with pytest.raises(UnfitPassword):
        hash_password("too short")


def test_the_command_reads_the_password_from_stdin_alone() -> None:
    done = CliRunner().invoke(app, ["hash-password"], input=f"{WORDS}\n")
    assert done.exit_code == 0
    assert is_hash(done.stdout.strip())
    assert WORDS not in done.output
    assert CliRunner().invoke(app, ["hash-password"], input="short\n").exit_code == 2
    assert CliRunner().invoke(app, ["hash-password", WORDS]).exit_code == 2


def test_a_session_ends_after_its_lifetime(clock: ManualClock) -> None:
    cookie = sessions(clock).open()
    clock.advance(LIFETIME - timedelta(seconds=1))
    assert sessions(clock).read(cookie) is not None
    clock.advance(timedelta(seconds=1))
    assert sessions(clock).read(cookie) is None


def test_a_session_from_the_future_is_none(clock: ManualClock) -> None:
    cookie = sessions(clock).open()
    clock.advance(timedelta(minutes=-4))
    assert sessions(clock).read(cookie) is not None
    clock.advance(timedelta(minutes=-2))
    assert sessions(clock).read(cookie) is None


def test_keys_rotate(clock: ManualClock) -> None:
    old = sessions(clock, OLDER).open()
    assert sessions(clock, KEY, OLDER).read(old) is not None
    assert sessions(clock, KEY).read(old) is None
    assert sessions(clock, OLDER).read(sessions(clock, KEY, OLDER).open()) is None


def test_another_password_ends_all_sessions(clock: ManualClock) -> None:
    cookie = sessions(clock, fingerprint="one").open()
    assert sessions(clock, fingerprint="two").read(cookie) is None
    first, second = Password(SecretStr(HASHED)), Password(SecretStr(hash_password(WORDS, CHEAP)))
    assert first.fingerprint != second.fingerprint
    assert first.fingerprint not in HASHED


def test_cookies_that_are_not_ours(clock: ManualClock) -> None:
    ours = sessions(clock)
    cookie = ours.open()
    flipped = [
        cookie[:n] + ("A" if cookie[n] != "A" else "B") + cookie[n + 1 :] for n in range(len(cookie) - 1)
    ]
    form = ours.form_token("somebody")
    for other in ("", ".", "a.b", cookie[:-4], f"{cookie}x", cookie * 9, "é", form, "\x00", *flipped):
        assert ours.read(other) is None


def test_a_form_belongs_to_its_holder(clock: ManualClock) -> None:
    ours = sessions(clock)
    token = ours.form_token("somebody")
    assert ours.is_form_of("somebody", token)
    for holder, given in (("another", token), ("somebody", ""), ("somebody", ours.open()), ("", token)):
        assert not ours.is_form_of(holder, given)
    assert not sessions(clock, OLDER).is_form_of("somebody", token)


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ([], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET)], "ann"),
        ([("x-forwarded-user", " ann "), (SECRET_HEADER.lower(), SECRET)], "ann"),
        ([("X-Forwarded-User", "ann")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET + "x")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "é" * 20)], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "guess"), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", ""), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "a" * 201), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "a\tb"), (SECRET_HEADER, SECRET)], None),
        ([(SECRET_HEADER, SECRET)], None),
    ],
)
def test_the_proxys_word(headers: list[tuple[str, str]], user: str | None) -> None:
    proxy = ProxyLogin("X-Forwarded-User", SecretStr(SECRET), Metrics())
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    assert proxy.user(Headers(raw=raw)) == user


@pytest.mark.parametrize(
    "wanted",
    ["/dashboard", "/dashboard?since=2026-01-01&plan=Premium", "/tickets/17", "/dashboard.csv?table=plan"],
)
def test_a_login_leads_to_our_own_pages(wanted: str) -> None:
    assert own_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/a\r\nSet-Cookie: x=y",
        "/login",
        "/login?next=/dashboard",
        "/logout",
        "/é",
        "/" + "a" * 3000,
    ],
)
def test_a_login_leads_nowhere_else(wanted: str) -> None:
    assert own_path(wanted) == "/dashboard"
    assert login_path(wanted) == "/login?next=%2Fdashboard"


async def test_attempts_are_limited_for_one_and_for_all() -> None:
    attempts = Throttle(3)
    assert [await attempts.wait_before("192.0.2.1") for _ in range(3)] == [0, 0, 0]
    assert 0 < await attempts.wait_before("192.0.2.1") <= 60
    others = [await attempts.wait_before(f"192.0.2.{n}") for n in range(2, 20)]
    assert others.count(0) == 15  # three of eighteen are used up
    assert 0 < await attempts.wait_before("198.51.100.1") <= 60


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"password_hash": HASHED}, "need each other"),
        ({"session_keys": KEY}, "need each other"),
        ({"password_hash": WORDS, "session_keys": KEY}, "csat hash-password"),
        ({"password_hash": HASHED, "session_keys": "short"}, "at least 16"),
        ({"password_hash": HASHED, "session_keys": f"{KEY},short"}, "at least 16"),
        ({"proxy_header": "X-Forwarded-User"}, "need each other"),
        ({"proxy_secret": SECRET}, "need each other"),
        ({"proxy_header": "X-Forwarded-User", "proxy_secret": "short"}, "at least 16"),
        ({"proxy_header": "Cookie", "proxy_secret": SECRET}, "begins with X-"),
        ({"proxy_header": "X-Forwarded User", "proxy_secret": SECRET}, "begins with X-"),
        ({"session_lifetime": "10s"}, "at least a minute"),
        ({"login_attempts": 0}, "login_attempts"),
    ],
)
def test_half_a_configuration_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        DashboardSettings(**values)
    for secret in (HASHED, WORDS, SECRET):
        assert secret not in str(refused.value)


async def test_the_published_hash_is_of_the_published_password() -> None:
    assert await Password(SecretStr(DASHBOARD_HASH)).matches("sandbox-dashboard")
    compose = (Path(__file__).parents[3] / "docker-compose.yml").read_text()
    assert DASHBOARD_HASH.replace("$", "$$") in compose
