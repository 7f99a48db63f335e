"""The operators' password: hashed for the configuration, compared without holding up the event loop."""

import asyncio
import hashlib

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

SHORTEST = 12
LONGEST = 1024
AT_ONCE = 2  # a comparison takes 64 MB and a tenth of a second of one core


class UnfitPassword(ValueError):
    """Too short, or longer than we would compare."""


def hash_password(password: str, hasher: PasswordHasher | None = None) -> str:
    """What belongs into CSAT_DASHBOARD_PASSWORD_HASH (argon2id, RFC 9106; `hasher`: of other costs). UnfitPassword."""
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


class Password:
    """The one password that opens the pages."""

    def __init__(self, hashed: SecretStr) -> None:
        self._hashed = hashed.get_secret_value()
        self._turns = asyncio.Semaphore(AT_ONCE)

    @property
    def fingerprint(self) -> str:
        """Tells this hash from every other, and nothing else: sessions end when it changes."""
        return hashlib.sha256(self._hashed.encode()).hexdigest()[:16]

    async def matches(self, given: str) -> bool:
        """Compare in a thread, a few at a time; the time taken does not depend on what was given."""
        async with self._turns:
            return await asyncio.to_thread(self._matches, given[:LONGEST])

    def _matches(self, given: str) -> bool:
        try:
            return PasswordHasher().verify(self._hashed, given)
        except VerificationError:
            return False
