"""Which secrets are none: published ones, short and monotonous ones, one value for two purposes. Standard library only:
compose's preflight, a container without our packages, reads this very file.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from urllib.parse import unquote, urlsplit

SHORTEST = 16
FEWEST_DIFFERENT = 8
"""Different characters; sixteen random hexadecimal digits have ten on average."""
MAKE_ONE = "make one with `openssl rand -hex 32`, or copy the real one from where the vendor shows it"

ZENDESK_TEST_SECRET = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="  # noqa: S105  # nosec B105 # known to everybody
"""Signs test requests of webhooks that do not exist yet, in every account."""
PUBLISHED = frozenset(
    {
        ZENDESK_TEST_SECRET,
        "this_secret_is_for_testing_only",  # the same, decoded
        # the stand-ins', the demo's and the sandbox profile's
        "sandbox",
        "sandbox-zendesk-client-secret",
        "sandbox-zendesk-token",
        "sandbox-webhook-secret",
        "sandbox-secret",
        "xoxb-sandbox",
        "sandbox-slack-signing-secret",
        "glpat-sandbox",
        "sandbox-csat-api-token",
        "sandbox-link-key-1234",
        "sandbox-session-key-1234",
        "sandbox-proxy-secret-1234",
        "sandbox-dashboard",
        "$argon2id$v=19$m=65536,t=3,p=4$6h3ItNev/Jlzw/KwUEPzyw$3S3fV2ha5HoF1UzhRqwvGefkeUnYpy18kvR9mbttJg4",
    }
)
_PLACEHOLDER = re.compile(
    r"change[-_ ]?(me|it|this)|placeholder|your[-_ ]|example|<.*>|\.\.\.|…|insert[-_ ]|secret[-_ ]?here|to[-_ ]?do\b",
    re.IGNORECASE,
)


def weakness(secret: str) -> str:
    """What is wrong with a secret, in words that do not quote it; empty when nothing is."""
    if secret in PUBLISHED:
        return "is published with supportops or by Zendesk: everybody knows it"
    if _PLACEHOLDER.search(secret):
        return "is a placeholder"
    if len(secret) < SHORTEST:
        return f"must have at least {SHORTEST} characters"
    if len(set(secret)) < FEWEST_DIFFERENT or _repeats(secret) or _counts(secret):
        return "is too monotonous: it can be guessed"
    return ""


def wrong_secrets(secrets: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with (name, value) pairs, by name, with the remedy; values never appear. A value once, please."""
    names: dict[str, list[str]] = {}
    for name, value in secrets:
        if name not in names.setdefault(value, []):
            names[value].append(name)
        if wrong := weakness(value):
            yield f"{name}: {wrong}; {MAKE_ONE}"
    for those in names.values():
        if len(those) > 1:
            yield f"{' and '.join(those)}: hold the same value; each needs its own: {MAKE_ONE}"


def password_of(address: str) -> str:
    """The password inside an address, decoded; empty without one."""
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def is_stand_in(address: str) -> bool:
    """Whether an outside address is a stand-in's: real accounts are reached by https only."""
    return address.lower().startswith("http://")


def _repeats(text: str) -> bool:
    """Whether it is one shorter piece again and again, as in `abcdefghabcdefgh`."""
    return text in (text + text)[1:-1]


def _counts(text: str) -> bool:
    """Whether it counts up, down or not at all, as in `0123456789abcdef` by halves."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    return sum(step in (-1, 0, 1) for step in steps) * 4 >= len(steps) * 3
