"""How we reach Salesforce: one kind of HTTP session, and the token behind a lock
(docs/vendors/salesforce.md#the-library).

Everything here blocks and runs in the threads of the Salesforce client. Tokens are never logged.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.salesforce.refusals import login_refusal, moved
from sfdc_sync.salesforce.responses import ErrorAction, refusal
from sfdc_sync.settings import SalesforceSettings, salesforce_origin
from supportops.errors import CredentialRefused, DestinationPaused, Retryable, UnknownOutcome
from supportops.observability.logging import get_logger

log = get_logger("sfdc_sync.salesforce")

Answered = Callable[[Mapping[str, str]], None]
Transport = requests.adapters.BaseAdapter


class LoopbackAdapter(requests.adapters.HTTPAdapter):
    """Only for the stand-in: every https request goes to one plain-http address instead.

    simple-salesforce builds https URLs whatever it is told (docs/vendors/salesforce.md#the-library); the transport
    rewrites them.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send `request` to the stand-in; the header says which host was meant."""
        meant = urlsplit(request.url or "")
        query = f"?{meant.query}" if meant.query else ""
        request.headers["X-Original-Host"] = meant.netloc
        request.url = f"{self._target}{meant.path}{query}"
        return super().send(request, *args, **kwargs)


class Session(requests.Session):
    """A session that always has a time-out, ignores the environment and follows no redirect.

    The library sets no time-out anywhere, and a proxy or a CA bundle of the environment would override ours.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        on_answer: Answered | None = None,
        transport: Transport | None = None,
    ) -> None:
        super().__init__()
        self.trust_env = False
        self.location = ""
        """Where the last answer sent us, which we do not follow."""
        self._timeout = (
            settings.connect_timeout.total_seconds(),
            settings.read_timeout.total_seconds(),
        )
        if on_answer is not None:
            self.hooks["response"].append(lambda response, **_more: on_answer(response.headers))
        if settings.stand_in:
            self.mount("https://", LoopbackAdapter(settings.stand_in))
        if transport is not None:
            self.mount("https://", transport)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As the library's, with our time-out where the caller gives none."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeout
        kwargs["allow_redirects"] = False
        response = super().send(request, **kwargs)
        self.location = response.headers.get("Location", "")
        return response


@contextmanager
def transport_errors() -> Iterator[None]:
    """Whatever goes wrong on the way, as Retryable (nothing was sent) or UnknownOutcome."""
    try:
        yield
    except requests.ConnectTimeout as error:
        raise Retryable("Salesforce cannot be reached") from error
    except requests.exceptions.JSONDecodeError as error:
        raise UnknownOutcome("Salesforce's answer is not JSON") from error
    except requests.RequestException as error:
        raise UnknownOutcome(f"no answer from Salesforce: {type(error).__name__}") from error


def offered_versions(session: Session, origin: str) -> object:
    """The answer about the org's API versions, which needs no login; None without one: it only explains a refusal."""
    try:
        return _json(session.get(f"{origin}/services/data", headers={"Accept": "application/json"}))
    except requests.RequestException as error:
        log.debug("salesforce.versions_unknown", reason=type(error).__name__)
        return None


@dataclass(frozen=True)
class Token:
    """A session of the integration user at one origin."""

    value: SecretStr
    origin: str
    born: float


class TokenProvider:
    """The current session of the integration user, shared by all threads of the process.

    One thread logs in while the others wait. After a refused login nobody asks again until the pause is over:
    a loop of failing logins locks the user.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        pauses: Pauses,
        transport: Transport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._pauses = pauses
        self._transport = transport
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._refused = ""
        self._refused_until = 0.0

    def current(self) -> Token:
        """The session to use now; logs in when there is none or it is old. Raises DestinationPaused."""
        with self._lock:
            if self._token is None or self._is_old(self._token):
                self._token = self._log_in()
            return self._token

    def invalidate(self, token: Token) -> None:
        """Forget `token` after Salesforce refused it; a newer one that another thread fetched stays."""
        with self._lock:
            if self._token is token:
                self._token = None

    def _is_old(self, token: Token) -> bool:
        return self._monotonic() - token.born > self._settings.session_age.total_seconds()

    def _log_in(self) -> Token:
        if self._monotonic() < self._refused_until:
            raise CredentialRefused(self._refused, self._pauses.login)
        try:
            with Session(self._settings, None, self._transport) as session, self._ask(session) as response:
                status, body, location = (
                    response.status_code,
                    _json(response),
                    response.headers.get("Location"),
                )
        except requests.RequestException as error:
            raise self._away(f"the login did not answer: {type(error).__name__}") from error
        if 300 <= status < 400 and location:
            raise self._refuse(moved(location))
        if status != 200 or not isinstance(body, dict) or body.get("error"):
            raise self._refusal(status, body)
        return self._token_of(body)

    def _ask(self, session: Session) -> requests.Response:
        return session.request(
            "POST",
            f"{self._settings.login_origin}/services/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_id": self._settings.client_id,
                "client_secret": self._settings.client_secret.get_secret_value(),
            },
            headers={"Accept": "application/json"},
        )

    def _refusal(self, status: int, body: object) -> DestinationPaused:
        reaction, why = refusal(body, status)
        if reaction in (ErrorAction.QUOTA, ErrorAction.BUSY):
            return self._refuse(f"too many logins: stop whatever else logs in as this user ({why})")
        if reaction is ErrorAction.TRANSIENT:
            return self._away(f"the login failed: {why}")
        return self._refuse(
            login_refusal(status, body, secret=self._settings.client_secret.get_secret_value())
        )

    def _away(self, why: str) -> DestinationPaused:
        return DestinationPaused(why, self._pauses.login_away)

    def _token_of(self, body: Mapping[str, object]) -> Token:
        value, origin = body.get("access_token"), body.get("instance_url")
        if not isinstance(value, str) or not value:
            raise self._refuse("the login answered without a token")
        if self._settings.stand_in:
            origin = self._settings.login_origin  # the transport decides where calls go
        try:
            checked = salesforce_origin(str(origin))
        except ValueError as error:
            raise self._refuse("the login named an address that is not Salesforce's") from error
        return Token(SecretStr(value), checked, self._monotonic())

    def _refuse(self, why: str) -> DestinationPaused:
        log.warning("salesforce.login_refused", reason=why)
        self._refused = why
        self._refused_until = self._monotonic() + self._pauses.login.total_seconds()
        return CredentialRefused(why, self._pauses.login)


def _json(response: requests.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text
