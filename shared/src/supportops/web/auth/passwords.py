"""Operators' passwords: hashed for configuration and users' file, compared without holding up the event loop."""

import asyncio
import hashlib
from functools import cache

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 1024
AT_ONCE = 2  # a comparison takes 64 MB and a tenth of a second of one core


class UnfitPassword(ValueError):
    """Too short, or longer than we would compare."""


def hash_password(password: str, hasher: PasswordHasher | None = None) -> str:
    """What belongs into OPERATORS_PASSWORD_HASH or a users' file (argon2id; `hasher`: other costs). UnfitPassword."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UnfitPassword(f"a password has {SHORTEST} to {LONGEST} characters")
    return (hasher or PasswordHasher()).hash(password)


def is_hash(text: str) -> bool:
    """Whether `text` is a hash that passwords can be compared with."""
    try:
        extract_parameters(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2id$")


def fingerprint_of(*parts: str) -> str:
    """Tells a hash (and what belongs to it) from every other, and nothing else: sessions end when it changes."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]


class Passwords:
    """Compares passwords with hashes, a few at a time in threads of their own."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def match(self, hashed: str | None, given: str) -> bool:
        """Whether `given` is the password of `hashed`. None (nobody of that name) takes as long as anybody's."""
        async with self._turns:
            matches = await asyncio.to_thread(_matches, hashed or _nobodys(), given[:LONGEST])
        return matches and hashed is not None


def _matches(hashed: str, given: str) -> bool:
    try:
        return PasswordHasher().verify(hashed, given)
    except VerificationError:
        return False


@cache
def _nobodys() -> str:
    return PasswordHasher().hash("nobody has this password")
