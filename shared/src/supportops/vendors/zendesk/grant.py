"""What the token endpoint's answer means. Pure: a grant, or a refusal with what to do about it.

Errors have OAuth's shape, `{"error", "error_description"}` (RFC 6749 5.2). Neither the token nor the secret is ever
part of a text: of the answer only the error's code and description are kept, the latter without long words.
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx
import orjson
from pydantic import SecretStr

from supportops.errors import CredentialRefused, DestinationAway
from supportops.vendors.http_client import LOGIN_WAIT, retry_after

LIFE = timedelta(hours=1)
"""What we ask for: Zendesk grants more than 5 minutes and less than 2 days."""
LEAST_LIFE, LONGEST_LIFE = timedelta(minutes=5), timedelta(days=2)
AWAY_WAIT = timedelta(seconds=3)
_CLIENTS = "Admin Center, Apps and integrations, APIs, OAuth clients"
_REMEDIES = {
    "invalid_client": (
        "check ZENDESK_CLIENT_ID (the client's identifier, not its name) and ZENDESK_CLIENT_SECRET against "
        f"{_CLIENTS}; a secret is shown in full only when it is made"
    ),
    "unauthorized_client": f"the OAuth client must be of the kind Confidential ({_CLIENTS})",
    "unsupported_grant_type": f"the OAuth client must be of the kind Confidential ({_CLIENTS})",
    "invalid_scope": "this version asks for a scope that Zendesk does not know, or the client may not have: "
    "docs/setup/zendesk.md lists them",
    "invalid_grant": "the person who made the OAuth client must be an active administrator (Admin Center, People)",
    "invalid_request": "Zendesk does not understand the question: compare this version with docs/setup/zendesk.md",
}
_UNTOLD = {401: "invalid_client"}
"""What a status means where the answer holds no code; else `invalid_request`."""
_TOKEN = re.compile(r"[\x21-\x7e]+", re.ASCII)
_CODE = re.compile(r"[a-z_]{1,40}", re.ASCII)
_LONG_WORD = re.compile(r"\S{25,}")


@dataclass(frozen=True)
class Grant:
    """A token and for how long it is valid from when it was asked for."""

    token: SecretStr
    life: timedelta


def read_answer(response: httpx.Response, now: datetime, secret: SecretStr) -> Grant:
    """The grant that `response` holds. Raises CredentialRefused or DestinationAway; no text quotes `secret`."""
    status, after = response.status_code, retry_after(response.headers, now)
    body = _object(response)
    if response.is_success:
        return _grant(body)
    if response.has_redirect_location:
        host = urlsplit(response.headers["location"]).hostname or "another address"
        raise _refused(f"zendesk has moved to {host}: set ZENDESK_BASE_URL to its new address")
    if status == 404:
        raise _refused("zendesk has no account at ZENDESK_BASE_URL (404): https://<subdomain>.zendesk.com")
    if status == 403:
        raise _refused("zendesk refuses this machine (403): look at Admin Center, Security, IP restrictions")
    if status in (408, 425, 429) or status >= 500:
        raise away(str(status), after)
    raise _refused(_words(status, body, secret))


def away(what: str, after: timedelta | None = None) -> DestinationAway:
    """The error when it is nobody's mistake: the endpoint is away, or its answer says nothing."""
    return DestinationAway(f"zendesk grants no token now ({what}); it is asked again", after or AWAY_WAIT)


def _refused(why: str) -> CredentialRefused:
    return CredentialRefused(why, LOGIN_WAIT)


def _grant(body: dict[str, object]) -> Grant:
    token = body.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise away("an answer without a token")
    return Grant(SecretStr(token), _life(body.get("expires_in")))


def _life(said: object) -> timedelta:
    """Seconds as a number or as text; the least that Zendesk grants where it does not say."""
    try:
        seconds = float(said) if isinstance(said, int | float | str) and not isinstance(said, bool) else 0.0
    except ValueError:
        seconds = 0.0
    if not math.isfinite(seconds) or seconds <= 0:
        return LEAST_LIFE
    return timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()))


def _words(status: int, body: dict[str, object], secret: SecretStr) -> str:
    code = body.get("error")
    known = code if isinstance(code, str) and _CODE.fullmatch(code) else ""
    remedy = _REMEDIES.get(known) or _REMEDIES[_UNTOLD.get(status, "invalid_request")]
    said = body.get("error_description")
    safe = said.replace(secret.get_secret_value(), "…") if isinstance(said, str) else ""
    explained = f" {_LONG_WORD.sub('…', safe)[:200]}" if safe else ""
    return f"zendesk refuses the login ({status} {known or 'without a code'}){explained}: {remedy}"


def _object(response: httpx.Response) -> dict[str, object]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
