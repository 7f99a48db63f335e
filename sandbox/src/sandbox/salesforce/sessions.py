"""Logging in and being counted: access tokens and the daily limit (docs/vendors/salesforce.md#login)."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field

import orjson

from sandbox.clock import NANOS, Clock
from sandbox.salesforce.rights import Rights
from sandbox.salesforce.seed import ORG_ID
from sandbox.settings import Settings
from sandbox.web import Call, Json, Reply

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(slots=True)
class User:
    """Who an app runs as: one per client id."""

    client: str
    secret: str
    rights: Rights = field(default_factory=Rights)


class Sessions:
    """Access tokens; a life in seconds may be set, else they last until they are expired on purpose."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.life: float | None = None
        self.refusal: Reply | None = None
        self.logins = 0
        self._settings = settings
        self._clock = clock
        self._issued: dict[str, tuple[int, str]] = {}  # token: since when, whose
        self.users: dict[str, User] = {}
        self.plant()

    def plant(self) -> None:
        """The one integration user of a fresh org."""
        own = User(self._settings.salesforce_client, self._settings.salesforce_key)
        self.users = {own.client: own}

    def user_of(self, token: str) -> "User | None":
        """Whose session it is; None when there is none any more."""
        since, client = self._issued.get(token, (0, ""))
        if not client or (self.life is not None and self._clock.now_ns() - since >= self.life * NANOS):
            return None
        return self.users.get(client)

    def expire(self) -> int:
        """All of them, now; returns how many there were."""
        count = len(self._issued)
        self._issued.clear()
        return count

    def token(self, call: Call) -> Reply:
        """`POST /services/oauth2/token`: client credentials in the form or by HTTP Basic, or a JWT assertion.

        Of the assertion only `iss` is looked at: there is no certificate here to check its signature with.
        """
        form = call.form()
        grant = form.get("grant_type")
        if self.refusal is not None:
            return Reply(self.refusal.status, self.refusal.body, dict(self.refusal.headers))
        if grant == _JWT:
            user = self.users.get(_issuer(form.get("assertion", "")))
            refused = _refused("invalid_grant", "invalid assertion")
        elif grant == "client_credentials":
            user = self._known(*_credentials(call, form))
            refused = _refused("invalid_client", "invalid client credentials")
        else:
            return _refused("unsupported_grant_type", "grant type not supported")
        return refused if user is None else Reply(200, self._issue(user.client, self._address(call)))

    def _known(self, client: str, secret: str) -> "User | None":
        user = self.users.get(client)
        if user is None or not hmac.compare_digest(secret.encode(), user.secret.encode()):
            return None
        return user

    def _address(self, call: Call) -> str:
        """The host that the client meant, when its loopback adapter names it; else ours.

        See docs/vendors/salesforce.md#the-library.
        """
        meant = call.headers.get("x-original-host")
        return f"https://{meant}" if meant else f"{self._settings.public_url}/salesforce"

    def _issue(self, client: str, address: str) -> Json:
        """No `expires_in`: the life of a session is learnt from the 401."""
        self.logins += 1
        now = self._clock.now_ns()
        access = f"{ORG_ID[:15]}!AQ{secrets.token_hex(24)}"
        self._issued[access] = (now, client)
        return {
            "access_token": access,
            "signature": secrets.token_hex(16),
            "token_format": "opaque",  # nosec B105 # a kind of token
            "instance_url": address,
            "id": f"https://login.salesforce.com/id/{ORG_ID}/0055f000000SbxUAAQ",
            "token_type": "Bearer",  # nosec B105 # a kind of token
            "scope": "api",
            "issued_at": str(now // 1_000_000),
        }


class Usage:
    """Requests of the rolling day, for `Sforce-Limit-Info`; over the ceiling everything is refused."""

    def __init__(self) -> None:
        self.used = 0
        self.ceiling = 100_000

    def header(self) -> dict[str, str]:
        return {"sforce-limit-info": f"api-usage={self.used}/{self.ceiling}"}


def _credentials(call: Call, form: dict[str, str]) -> tuple[str, str]:
    header = call.headers.get("authorization", "")
    if not header.startswith("Basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client, secret


def _issuer(assertion: str) -> str:
    parts = assertion.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, orjson.JSONDecodeError):
        return ""
    return str(claims.get("iss", "")) if isinstance(claims, dict) else ""


def _refused(error: str, description: str) -> Reply:
    return Reply(400, {"error": error, "error_description": description})
