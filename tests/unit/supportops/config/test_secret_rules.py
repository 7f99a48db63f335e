"""Which secrets are refused: published, short, monotonous, used twice; real ones of every vendor pass."""

import base64
import secrets
from random import Random

from supportops.config.secret_rules import PUBLISHED, password_of, weakness, wrong_secrets
from tests.support.for_each import for_each

REFUSED = {
    "one letter": "x",
    "fifteen": "aB3dE6gH9jK2mN5",
    "one letter, often": "a" * 40,
    "few letters": "abababbabaabbabbaabab",
    "a piece again": "aB3dE6gH9jaB3dE6gH9j",
    "counting": "0123456789abcdef",
    "counting down": "zyxwvutsrqponmlkj",
    "pairs": "aabbccddeeffgghhii",
    "a placeholder": "change-me-please-1234",
    "another": "your-secret-goes-here",
    "an example": "the-example-of-the-docs",
}


@for_each("secret", REFUSED.values())
def test_what_can_be_guessed(secret: str) -> None:
    assert weakness(secret)


@for_each("secret", sorted(PUBLISHED))
def test_what_is_published(secret: str) -> None:
    assert "published" in weakness(secret)


CHANCE = Random(17)  # the same values in every run: one in a million machine-made ones spells a placeholder
MADE = {
    "openssl rand -hex 16": lambda: CHANCE.randbytes(16).hex(),
    "openssl rand -hex 32": lambda: CHANCE.randbytes(32).hex(),
    "openssl rand -base64 24": lambda: base64.b64encode(CHANCE.randbytes(24)).decode(),
    "a webhook's signing secret": lambda: base64.b64encode(CHANCE.randbytes(32)).decode(),
    "a bot token": lambda: f"xoxb-{CHANCE.randrange(10**12):012}-{_url_safe(18)}",
    "an access token": lambda: f"glpat-{_url_safe(15)}",
}


def _url_safe(length: int) -> str:
    return base64.urlsafe_b64encode(CHANCE.randbytes(length)).rstrip(b"=").decode()


@for_each("made", MADE.values())
def test_what_machines_make_passes(made: object) -> None:
    assert callable(made)
    assert {weakness(made()) for _ in range(2_000)} == {""}


def test_one_value_for_two_purposes_is_named_with_both() -> None:
    one, other = secrets.token_hex(16), secrets.token_hex(16)
    (said,) = wrong_secrets([("A", one), ("B", other), ("C", one), ("B", other)])
    assert said.startswith("A and C: hold the same value")
    assert one not in said


def test_no_value_is_quoted() -> None:
    said = list(wrong_secrets([("A", "hush-hush"), ("B", "hush-hush"), ("C", "x" * 40)]))
    assert len(said) == 4
    assert not any("hush" in line or "xxx" in line for line in said)


@for_each(
    "address, password",
    [
        ("postgresql://csat:p%40ss@db/csat", "p@ss"),
        ("postgresql://db/csat", ""),
        ("sqlite:////tmp/x.db", ""),
        ("postgresql://[", ""),
    ],
)
def test_the_password_of_an_address(address: str, password: str) -> None:
    assert password_of(address) == password
