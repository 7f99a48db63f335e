"""The token of programs: compared in constant time, and not to be guessed at."""

import hmac
import time

from fastapi import HTTPException
from pydantic import SecretStr

from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.web.throttle import Throttle

GUESSES = 10  # a minute and address
MOST_HELD_UP = 10_000

log = LimitedWarnings(get_logger("supportops.login"))


class BearerToken:
    """Takes the one token, if there is one.

    Only wrong tokens are counted, so a right one costs no statement. Whoever has guessed too often waits, with a right
    one too: an answer that told right from wrong meanwhile would make the limit none. Each process remembers that for
    itself; the count is shared by all.
    """

    def __init__(self, token: SecretStr | None, guesses: Throttle) -> None:
        self._token = token.get_secret_value().encode() if token else None
        self._guesses = guesses
        self._held_up: dict[str, float] = {}

    async def take(self, given: str, client: str) -> None:
        """Nothing when `given` is the token. HTTPException 401, or 429 while `client` has to wait."""
        left = self._held_up.get(client, 0.0) - time.monotonic()
        if left > 0:
            raise _too_often(round(left) + 1)
        matches = hmac.compare_digest(given.encode(), self._token or b"")
        if matches and self._token:
            return
        log.warning("api.refused", cause="wrong token", client=client)
        if wait := await self._guesses.wait_before(client):
            self._hold_up(client, wait)
            raise _too_often(wait)
        raise HTTPException(401, "that is not the token", {"WWW-Authenticate": "Bearer"})

    def _hold_up(self, client: str, seconds: int) -> None:
        now = time.monotonic()
        if len(self._held_up) >= MOST_HELD_UP:
            self._held_up = {name: until for name, until in self._held_up.items() if until > now}
        if len(self._held_up) < MOST_HELD_UP:
            self._held_up[client] = now + seconds


def _too_often(seconds: int) -> HTTPException:
    return HTTPException(429, "too many wrong tokens; please wait", {"Retry-After": str(seconds)})
