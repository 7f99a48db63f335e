"""The login's parts without HTTP: users, roles, hashes, sessions, the proxy's word, where a login may lead."""

from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr, ValidationError
from starlette.datastructures import Headers
from typer.testing import CliRunner

from notifier.__main__ import app
from sandbox.demo import DASHBOARD_HASH
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.web.auth.accounts import Account, Accounts, UsersFileError, parse_users, read_users
from supportops.web.auth.guard import login_path, own_path
from supportops.web.auth.passwords import Passwords, UnfitPassword, hash_password, is_hash
from supportops.web.auth.proxy import FORMER_SECRET_HEADER, SECRET_HEADER, ProxyLogin
from supportops.web.auth.roles import ROLES, highest, includes
from supportops.web.auth.sessions import LONGEST, Sessions
from supportops.web.auth.settings import OperatorsSettings
from tests.architecture.tree import ROOT
from tests.support.for_each import for_each

KEY, OLDER = "the-current-key-2026", "the-older-key-2025"
WORDS = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
HASHED = hash_password(WORDS, CHEAP)
SECRET = "the-proxy-knows-this"
LIFETIME = timedelta(hours=12)


ANN = Account("ann", "approve", HASHED)


def sessions(clock: ManualClock, *keys: str) -> Sessions:
    return Sessions(keys or (KEY,), LIFETIME, clock)


async def test_only_the_password_matches() -> None:
    passwords = Passwords()
    assert await passwords.match(HASHED, WORDS)
    assert not await passwords.match(None, WORDS)
    for other in ("", WORDS[:-1], WORDS + " ", WORDS.upper(), HASHED, "x" * 100_000, "\x00", "é"):
        assert not await passwords.match(HASHED, other)


def test_what_is_a_hash() -> None:
    assert HASHED.startswith("$argon2id$")
    assert is_hash(HASHED)
    for other in ("", WORDS, "$argon2id$", HASHED.replace("argon2id", "argon2i"), "=65536,t=3,p=4"):
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
    cookie = sessions(clock).open(ANN)
    clock.advance(LIFETIME - timedelta(seconds=1))
    assert sessions(clock).read(cookie) is not None
    clock.advance(timedelta(seconds=1))
    assert sessions(clock).read(cookie) is None


def test_a_session_from_the_future_is_none(clock: ManualClock) -> None:
    cookie = sessions(clock).open(ANN)
    clock.advance(timedelta(minutes=-4))
    assert sessions(clock).read(cookie) is not None
    clock.advance(timedelta(minutes=-2))
    assert sessions(clock).read(cookie) is None


def test_keys_rotate(clock: ManualClock) -> None:
    old = sessions(clock, OLDER).open(ANN)
    assert sessions(clock, KEY, OLDER).read(old) is not None
    assert sessions(clock, KEY).read(old) is None
    assert sessions(clock, OLDER).read(sessions(clock, KEY, OLDER).open(ANN)) is None


def test_a_session_carries_who_and_in_which_role(clock: ManualClock) -> None:
    found = sessions(clock).read(sessions(clock).open(ANN))
    assert found is not None
    assert (found.name, found.role, found.fingerprint) == ("ann", "approve", ANN.fingerprint)


def test_another_password_or_role_makes_another_fingerprint() -> None:
    others = [Account("ann", "approve", hash_password(WORDS)), Account("ann", "look", HASHED)]
    assert len({ANN.fingerprint, *(each.fingerprint for each in others)}) == 3
    assert ANN.fingerprint not in HASHED


def test_roles_include_the_lower_ones() -> None:
    reached = [[wanted for wanted in ROLES if includes(role, wanted)] for role in ROLES]
    assert reached == [["look"], ["look", "operate"], ["look", "operate", "approve"]]
    assert highest(["staff", " operate ", "look", ""]) == "operate"
    assert highest(["admin", "Approve"]) is None


def test_a_users_file_names_every_mistake_and_no_hash() -> None:
    good = f"# who\n\nann:approve:{HASHED}\nbo.2@x:look:{HASHED}\n"
    assert {name: each.role for name, each in parse_users(good).items()} == {
        "ann": "approve",
        "bo.2@x": "look",
    }
    names = (f"Ann:look:{HASHED}", f"bo:admin:{HASHED}", "cy:look:secret", f"operator:look:{HASHED}", "x")
    with pytest.raises(UsersFileError) as refused:
        parse_users("\n".join([f"ann:look:{HASHED}", *names, f"ann:look:{HASHED}"]), "users")
    lines = [line.strip()[:8] for line in str(refused.value).splitlines()[1:]]
    assert lines == [f"users:{number}:" for number in range(2, 8)]
    assert "secret" not in str(refused.value)
    assert "argon2id$v" not in str(refused.value)


def test_the_users_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"ann:look:{HASHED}\n")
    accounts = Accounts(None, file)
    assert accounts.get("ann") == Account("ann", "look", HASHED)
    assert accounts.get("") is None
    file.write_text(f"ann:operate:{HASHED}\nbo:look:{HASHED}\n")
    assert [each and each.role for each in map(accounts.get, ("ann", "bo"))] == ["operate", "look"]
    file.write_text("ann:operate\n")  # a mistake keeps nobody in
    assert accounts.get("ann") is None
    file.unlink()
    assert accounts.get("ann") is None


def test_the_shared_password_has_no_name_and_may_not_approve() -> None:
    accounts = Accounts(HASHED, None)
    assert accounts.get("") == accounts.get("operator") == Account("operator", "operate", HASHED)
    assert accounts.get("ann") is None
    assert not accounts.have_names


def test_the_commands_keep_the_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "users"
    monkeypatch.setenv("OPERATORS_USERS_FILE", str(file))

    def run(*words: str, given: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["operators", *words], input=given)
        assert WORDS not in done.output
        assert "Traceback" not in done.output
        return done.exit_code, done.output

    assert run("add", "ann", "--role", "approve", given=f"{WORDS}\n")[0] == 0
    assert run("add", "bo", given=f"{WORDS}\n")[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert {name: each.role for name, each in read_users(file).items()} == {"ann": "approve", "bo": "look"}
    assert '"approve"' in run("list", "--json")[1]
    for refused in (("add", "Ann"), ("add", "cy", "--role", "admin"), ("remove", "cy"), ("add", "operator")):
        assert run(*refused, given=f"{WORDS}\n")[0] == 2
    assert run("add", "cy", given="short\n")[0] == 2
    assert run("remove", "ann")[0] == 0
    assert list(read_users(file)) == ["bo"]
    monkeypatch.delenv("OPERATORS_USERS_FILE")
    assert "--file" in run("list")[1]


def test_the_word_that_a_session_ended_is_good_for_minutes(clock: ManualClock) -> None:
    ours = sessions(clock)
    word = ours.say_ended("somebody")
    assert sessions(clock, "a-newer-key-of-all", KEY).hear_ended(word) == "somebody"
    for other in ("", word[:-2], ours.form_token("somebody"), ours.open(ANN)):
        assert ours.hear_ended(other) is None
    assert ours.read(word) is None
    clock.advance(timedelta(minutes=5))
    assert ours.hear_ended(word) is None


def test_cookies_that_are_not_ours(clock: ManualClock) -> None:
    ours = sessions(clock)
    cookie = ours.open(ANN)
    flipped = [
        cookie[:n] + ("A" if cookie[n] != "A" else "B") + cookie[n + 1 :] for n in range(len(cookie) - 1)
    ]
    form = ours.form_token("somebody")
    for other in ("", ".", "a.b", cookie[:-4], f"{cookie}x", cookie * 9, "é", form, "\x00", *flipped):
        assert ours.read(other) is None


def test_each_kind_of_word_is_good_for_its_own_purpose_alone(clock: ManualClock) -> None:
    """All are signed with the same keys: a form's token must not be a known browser, nor the other way round."""
    ours = sessions(clock)
    form, browser, ended = ours.form_token("somebody"), ours.know_browser(), ours.say_ended("somebody")
    assert [ours.browser(word) for word in (form, ended, ours.open(ANN))] == [None] * 3
    assert [ours.hear_ended(word) for word in (form, browser, ours.open(ANN))] == [None] * 3
    assert not any(ours.is_form_of("somebody", word) for word in (browser, ended))


def test_a_word_that_is_far_too_long_is_not_even_read(clock: ManualClock) -> None:
    """Checking a signature costs time by its length, and whoever sends a megabyte is nobody of ours."""
    ours = sessions(clock)
    holder = token_hex(LONGEST)  # a name of one letter would be packed into a short word
    assert not ours.is_form_of(holder, ours.form_token(holder))


def test_a_form_belongs_to_its_holder(clock: ManualClock) -> None:
    ours = sessions(clock)
    token = ours.form_token("somebody")
    assert ours.is_form_of("somebody", token)
    for holder, given in (("another", token), ("somebody", ""), ("somebody", ours.open(ANN)), ("", token)):
        assert not ours.is_form_of(holder, given)
    assert not sessions(clock, OLDER).is_form_of("somebody", token)


@for_each(
    "headers, user",
    [
        ([], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET)], "ann"),
        ([("x-forwarded-user", " ann "), (SECRET_HEADER.lower(), SECRET)], "ann"),
        ([("X-Forwarded-User", "ann")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET + "x")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "")], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "é" * 20)], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, "guess"), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET), (SECRET_HEADER, "guess")], None),
        ([("X-Forwarded-User", "eve"), ("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", ""), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "a" * 201), (SECRET_HEADER, SECRET)], None),
        ([("X-Forwarded-User", "a\tb"), (SECRET_HEADER, SECRET)], None),
        ([(SECRET_HEADER, SECRET)], None),
    ],
)
def test_the_proxys_word(headers: list[tuple[str, str]], user: str | None) -> None:
    for name in (SECRET_HEADER, FORMER_SECRET_HEADER):
        renamed = [(name if each.title() == SECRET_HEADER else each, value) for each, value in headers]
        assert by_proxy(renamed) == ((user, "look") if user else None)


def by_proxy(headers: list[tuple[str, str]], **values: Any) -> tuple[str, str | None] | None:
    settings = OperatorsSettings(proxy_header="X-Forwarded-User", proxy_secret=SecretStr(SECRET), **values)
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return ProxyLogin(settings, Metrics()).user(Headers(raw=raw))


def test_the_proxy_may_name_roles() -> None:
    ann = [("X-Forwarded-User", "ann"), (SECRET_HEADER, SECRET)]
    assert by_proxy(ann, proxy_role="approve") == ("ann", "approve")
    by_header: dict[str, Any] = {"proxy_role_header": "X-Forwarded-Groups", "proxy_role": "approve"}
    assert by_proxy([*ann, ("X-Forwarded-Groups", "staff, operate,look")], **by_header) == ("ann", "operate")
    for groups in ([], [("X-Forwarded-Groups", "staff")], [("X-Forwarded-Groups", "look")] * 2):
        assert by_proxy([*ann, *groups], **by_header) == ("ann", None)


@for_each(
    "wanted",
    ["/dashboard", "/dashboard?since=2026-01-01&plan=Premium", "/tickets/17", "/dashboard.csv?table=plan"],
)
def test_a_login_leads_to_our_own_pages(wanted: str) -> None:
    assert own_path(wanted, "/dashboard") == wanted


@for_each(
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
    assert own_path(wanted, "/dashboard") == "/dashboard"
    assert login_path(wanted, "/dashboard") == "/login?next=%2Fdashboard"


@for_each(
    "values, words",
    [
        ({"password_hash": HASHED}, "need each other"),
        ({"session_keys": KEY}, "need each other"),
        ({"password_hash": WORDS, "session_keys": KEY}, "hash-password"),
        ({"password_hash": HASHED, "session_keys": "short"}, "at least 16"),
        ({"password_hash": HASHED, "session_keys": f"{KEY},short"}, "at least 16"),
        ({"proxy_header": "X-Forwarded-User"}, "need each other"),
        ({"proxy_secret": SECRET}, "need each other"),
        ({"proxy_header": "X-Forwarded-User", "proxy_secret": "short"}, "at least 16"),
        ({"proxy_header": "Cookie", "proxy_secret": SECRET}, "begins with X-"),
        ({"proxy_header": "X-Forwarded User", "proxy_secret": SECRET}, "begins with X-"),
        ({"proxy_role_header": "X-Groups"}, "needs OPERATORS_PROXY_HEADER"),
        ({"users_file": "/no/such/file", "session_keys": KEY}, "cannot be read"),
        ({"cookie_domain": "https://x"}, "must be a domain"),
        ({"csat_url": "csat.example.com"}, "must be an address"),
        ({"csat_url": "https://ops.example.com/csat"}, "a host of its own"),
        ({"session_lifetime": "10s"}, "at least a minute"),
        ({"login_attempts": 0}, "login_attempts"),
    ],
)
def test_half_a_configuration_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        OperatorsSettings(**values)
    for secret in (HASHED, WORDS, SECRET):
        assert secret not in str(refused.value)


async def test_the_published_hash_is_of_the_published_password() -> None:
    assert await Passwords().match(DASHBOARD_HASH, "sandbox-dashboard")
    assert (ROOT / "deploy/sandbox-secrets/operators_password_hash").read_text().strip() == DASHBOARD_HASH


def test_former_names_still_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n{OLDER}\n")
    monkeypatch.setenv("CSAT_DASHBOARD_PASSWORD_HASH", HASHED)
    monkeypatch.setenv("CSAT_DASHBOARD_SESSION_KEYS_FILE", str(keys))
    monkeypatch.setenv("CSAT_DASHBOARD_LOGIN_ATTEMPTS", "7")
    found = OperatorsSettings()
    assert found.password_hash == SecretStr(HASHED)
    assert [key.get_secret_value() for key in found.session_keys] == [KEY, OLDER]
    assert found.login_attempts == 7
    monkeypatch.setenv("OPERATORS_LOGIN_ATTEMPTS", "9")  # today's name goes first
    assert OperatorsSettings().login_attempts == 9
