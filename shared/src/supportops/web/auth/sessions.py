"""Signed values that we hand to a browser and know again: sessions, tokens of forms, and the word that one ended."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from supportops.clock import Clock
from supportops.web.auth.accounts import Account
from supportops.web.auth.roles import Role, role_of

LONGEST = 1024
SKEW = timedelta(minutes=5)  # between the clocks of two replicas
WORD_IS_GOOD_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Session:
    """An operator who logged in: `holder` is random, and different for each login.

    `replaced`: the holder of the session that the same browser had before; none: it had none.
    """

    holder: str
    name: str
    role: Role
    fingerprint: str
    began_at: datetime
    replaced: str = ""


class Sessions:
    """Opens and reads sessions; every service with the same keys knows them.

    `keys`: the current key first, then older ones, whose sessions stay open until they are taken off the list.
    """

    def __init__(self, keys: Sequence[str], lifetime: timedelta, clock: Clock) -> None:
        if not keys or not all(keys):
            raise ValueError("at least one key is needed, and none may be empty")
        self.lifetime = lifetime
        self._clock = clock
        self._cookies = _serializer(keys, "supportops.session")
        self._forms = _serializer(keys, "supportops.form")
        self._browsers = _serializer(keys, "supportops.browser")
        self._ended = _serializer(keys, "supportops.session-ended")

    def open(self, account: Account, replaced: str = "") -> str:
        """The cookie of somebody who has just logged in, in a browser that had the session `replaced`."""
        who = {"name": account.name, "role": account.role, "fingerprint": account.fingerprint}
        before = {"replaced": replaced} if replaced else {}
        return str(self._cookies.dumps({"holder": new_holder(), "at": self._now(), **who, **before}))

    def read(self, cookie: str) -> Session | None:
        """The session of this cookie; None when it is not ours or too old. Whether it has ended is asked elsewhere."""
        found = _load(self._cookies, cookie)
        role = role_of(found.get("role", "")) if isinstance(found, dict) else None
        if role is None:
            return None
        began_at = datetime.fromtimestamp(found["at"], UTC)
        age = self._clock.now() - began_at
        if not -SKEW <= age < self.lifetime:
            return None
        replaced = found.get("replaced", "")
        return Session(found["holder"], found["name"], role, found["fingerprint"], began_at, replaced)

    def form_token(self, holder: str) -> str:
        """What a form must bring back that was given to `holder`."""
        return str(self._forms.dumps(holder))

    def is_form_of(self, holder: str, token: str) -> bool:
        """Whether a form with this token was given to `holder`, by us."""
        given = _load(self._forms, token)
        return isinstance(given, str) and hmac.compare_digest(given.encode(), holder.encode())

    def know_browser(self) -> str:
        """A cookie that tells a browser in which somebody has logged in from those of strangers; it opens nothing."""
        return str(self._browsers.dumps(new_holder()))

    def browser(self, cookie: str) -> str | None:
        """The name of a known browser; None when the cookie is not ours."""
        name = _load(self._browsers, cookie)
        return name if isinstance(name, str) else None

    def say_ended(self, holder: str) -> str:
        """Our word to the sibling services that a session has ended; good for a few minutes, and for nothing else."""
        return str(self._ended.dumps({"holder": holder, "at": self._now()}))

    def hear_ended(self, word: str) -> str | None:
        """The holder whose session has ended by a sibling's word; None when it is not ours, or old."""
        said = _load(self._ended, word)
        if not isinstance(said, dict):
            return None
        age = self._clock.now() - datetime.fromtimestamp(said["at"], UTC)
        return str(said["holder"]) if -SKEW <= age < WORD_IS_GOOD_FOR else None

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


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
