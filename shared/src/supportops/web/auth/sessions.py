"""Signed values that we hand to a browser and know again: sessions, and the tokens of forms."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from supportops.clock import Clock

LONGEST = 1024
SKEW = timedelta(minutes=5)  # between the clocks of two replicas


@dataclass(frozen=True)
class Session:
    """An operator who logged in: `holder` is random, and different for each login."""

    holder: str
    began_at: datetime


class Sessions:
    """Opens and reads sessions.

    `keys`: the current key first, then older ones, whose sessions stay open until they are taken off the list.
    `fingerprint`: of the password that opens sessions; those opened with another one are closed.
    """

    def __init__(self, keys: Sequence[str], fingerprint: str, lifetime: timedelta, clock: Clock) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one key is needed, and none may be empty")
        self.lifetime = lifetime
        self._fingerprint = fingerprint
        self._clock = clock
        self._cookies = _serializer(keys, "csat.session")
        self._forms = _serializer(keys, "csat.form")

    def open(self) -> str:
        """The cookie of somebody who has just logged in."""
        at = int(self._clock.now().timestamp())
        return str(self._cookies.dumps({"holder": new_holder(), "at": at, "fingerprint": self._fingerprint}))

    def read(self, cookie: str) -> Session | None:
        """The session of this cookie; None when it is not ours, too old, or of another password."""
        found = _load(self._cookies, cookie)
        if not isinstance(found, dict) or found.get("fingerprint") != self._fingerprint:
            return None
        began_at = datetime.fromtimestamp(found["at"], UTC)
        age = self._clock.now() - began_at
        return Session(found["holder"], began_at) if -SKEW <= age < self.lifetime else None

    def form_token(self, holder: str) -> str:
        """What a form must bring back that was given to `holder`."""
        return str(self._forms.dumps(holder))

    def is_form_of(self, holder: str, token: str) -> bool:
        """Whether a form with this token was given to `holder`, by us."""
        given = _load(self._forms, token)
        return isinstance(given, str) and hmac.compare_digest(given.encode(), holder.encode())


def new_holder() -> str:
    """A name that nobody can guess."""
    return secrets.token_urlsafe(16)


def _serializer(keys: Sequence[str], salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(
        list(reversed(keys)),  # itsdangerous signs with the last one
        salt=salt,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _load(serializer: URLSafeSerializer, text: str) -> Any:
    if len(text) > LONGEST:
        return None
    try:
        return serializer.loads(text)
    except BadData:
        return None
