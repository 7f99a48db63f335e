"""Logging in and being counted: access tokens and the daily limit (docs/vendors/salesforce.md#login)."""

import base64
import binascii
import hmac
import secrets

import orjson

from sandbox.clock import NANOS, Clock
from sandbox.settings import Settings
from sandbox.web import Call, Json, Reply

ORG_ID = "00DS70000000SbxMAE"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Sessions:
    """Access tokens; a life in seconds may be set, else they last until they are expired on purpose."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.life: float | None = None
        self.refusal: Reply | None = None
        self.logins = 0
        self._settings = settings
        self._clock = clock
        self._issued: dict[str, int] = {}

    def valid(self, token: str) -> bool:
        since = self._issued.get(token)
        if since is None:
            return False
        return self.life is None or self._clock.now_ns() - since < self.life * NANOS

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
            if _issuer(form.get("assertion", "")) != self._settings.salesforce_client:
                return _refused("invalid_grant", "invalid assertion")
        elif grant != "client_credentials":
            return _refused("unsupported_grant_type", "grant type not supported")
        elif not self._known(*_credentials(call, form)):
            return _refused("invalid_client", "invalid client credentials")
        return Reply(200, self._issue(self._address(call)))

    def _known(self, client: str, secret: str) -> bool:
        right = hmac.compare_digest(secret.encode(), self._settings.salesforce_key.encode())
        return right and client == self._settings.salesforce_client

    def _address(self, call: Call) -> str:
        """The host that the client meant, when its loopback adapter names it; else ours.

        See docs/vendors/salesforce.md#the-library.
        """
        meant = call.headers.get("x-original-host")
        return f"https://{meant}" if meant else f"{self._settings.public_url}/salesforce"

    def _issue(self, address: str) -> Json:
        """No `expires_in`: the life of a session is learnt from the 401."""
        self.logins += 1
        now = self._clock.now_ns()
        access = f"{ORG_ID[:15]}!AQ{secrets.token_hex(24)}"
        self._issued[access] = now
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
