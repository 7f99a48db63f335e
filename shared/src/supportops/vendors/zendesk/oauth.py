"""Our way into Zendesk: OAuth client credentials, a token of limited scope and life, renewed before it ends.

`POST /oauth/tokens` with the client's identifier and secret gives a token; asking anew leaves older ones alone (only
*refreshing*, which this grant does not need, ends them), so replicas each have a token of their own and never race.
The end is counted on the monotonic clock from before the question was sent: no clock of either side matters.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
from pydantic import SecretStr

from supportops.clock import Clock
from supportops.errors import CredentialRefused, DestinationPaused
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call
from supportops.vendors.http_client import LOGIN_WAIT, BoundAuth, make_client
from supportops.vendors.zendesk.grant import LIFE, Grant, away, read_answer

RENEW_AT = 0.8
"""The share of a token's life after which it is renewed, beside the calls that go on with it."""

log = get_logger("supportops.zendesk")


@dataclass(frozen=True)
class OAuthClient:
    """A confidential OAuth client of the account, and what its tokens may do."""

    base_url: str
    client_id: str
    client_secret: SecretStr
    scopes: Sequence[str]


@dataclass(frozen=True, eq=False)
class AccessToken:
    """A granted token; both moments are of the monotonic clock."""

    value: SecretStr
    renew_at: float
    ends_at: float


class AccessTokens:
    """The token of this process: one question at a time, however many calls wait for its answer.

    After a refusal nobody asks again before the pause is over: it would only be refused again.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        client: OAuthClient,
        *,
        clock: Clock,
        metrics: Recorder,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._client, self._clock, self._metrics = http, client, clock, metrics
        self._monotonic = monotonic
        self._warnings = LimitedWarnings(log, monotonic)
        self._token: AccessToken | None = None
        self._renewal: asyncio.Task[AccessToken] | None = None
        self._refusal = DestinationPaused("")
        self._refused_until = 0.0

    async def current(self) -> AccessToken:
        """A token that is valid as far as we know. Raises DestinationPaused, with the remedy."""
        now, token = self._monotonic(), self._token
        if token is None or now >= token.ends_at:
            return await self._renewed()
        if now >= token.renew_at and now >= self._refused_until:
            self._renew()
        return token

    async def instead_of(self, refused: AccessToken) -> AccessToken:
        """The token to repeat a call with that got 401: a newer one if there is, else a new one."""
        if self._token is refused:
            self._token = None
        return await self.current()

    def refuse(self, why: str, wait: timedelta = LOGIN_WAIT) -> DestinationPaused:
        """The error for a credential that Zendesk does not take; nobody asks again while it lasts."""
        self._token = None
        refusal = CredentialRefused(why, wait)
        self._rest(refusal)
        return refusal

    async def aclose(self) -> None:
        """Give up a question that is still open."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _rest(self, refusal: DestinationPaused) -> None:
        wait = (refusal.after or LOGIN_WAIT).total_seconds()
        why = type(refusal).__name__
        self._warnings.warning("zendesk.token_refused", why, reason=str(refusal), again_in=wait)
        self._refusal, self._refused_until = refusal, self._monotonic() + wait

    async def _renewed(self) -> AccessToken:
        left = self._refused_until - self._monotonic()
        if left > 0:
            raise type(self._refusal)(str(self._refusal), timedelta(seconds=left))
        # shielded: a caller whose own time is up must not take the token away from the others
        return await asyncio.shield(self._renew())

    def _renew(self) -> asyncio.Task[AccessToken]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._ask(), name="zendesk-token")
            self._renewal.add_done_callback(_seen)
        return self._renewal

    async def _ask(self) -> AccessToken:
        asked = self._monotonic()
        try:
            with counted_call(self._metrics, "zendesk", "token"):
                grant = await self._grant()
        except DestinationPaused as refusal:
            self._rest(refusal)
            raise
        life = grant.life.total_seconds()
        self._token = AccessToken(grant.token, asked + RENEW_AT * life, asked + life)
        log.info("zendesk.token_granted", seconds=life)
        return self._token

    async def _grant(self) -> Grant:
        question = {
            "grant_type": "client_credentials",
            "client_id": self._client.client_id,
            "client_secret": self._client.client_secret.get_secret_value(),
            "scope": " ".join(self._client.scopes),
            "expires_in": int(LIFE.total_seconds()),
        }
        try:
            response = await self._http.post("/oauth/tokens", json=question)
        except httpx.RequestError as error:
            raise away(type(error).__name__) from error
        return read_answer(response, self._clock.now(), self._client.client_secret)


class OAuth(BoundAuth):
    """Puts the token on each request of one host; a 401 renews it once and repeats the request once.

    Repeating is safe for writes too: whoever gets 401 has done nothing.
    """

    def __init__(self, base_url: str, tokens: AccessTokens) -> None:
        super().__init__(httpx.URL(base_url))
        self._tokens = tokens

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self.refuse_other_hosts(request)
        token = await self._tokens.current()
        response = yield _signed(request, token)
        if response.status_code != 401:
            return
        token = await self._tokens.instead_of(token)
        response = yield _signed(request, token)
        if response.status_code == 401:
            raise self._tokens.refuse(
                "zendesk refuses a token that it has just granted (401): is the person who made the OAuth client "
                "suspended, or no agent any more? Look in Admin Center, People, and in `doctor`"
            )


@asynccontextmanager
async def open_oauth(
    client: OAuthClient, *, clock: Clock, metrics: Recorder, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[OAuth]:
    """The credential for calls to `client`'s account; no token is asked for before the first call."""
    async with make_client(client.base_url, transport=transport) as http:
        tokens = AccessTokens(http, client, clock=clock, metrics=metrics)
        try:
            yield OAuth(client.base_url, tokens)
        finally:
            await tokens.aclose()


def _signed(request: httpx.Request, token: AccessToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value.get_secret_value()}"
    return request


def _seen(renewal: asyncio.Task[AccessToken]) -> None:
    """A renewal that nobody waits for has said in the log what went wrong; asyncio need not say it again."""
    if not renewal.cancelled():
        renewal.exception()
