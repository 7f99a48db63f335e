"""Access tokens: `POST /oauth/tokens` by client credentials; they have a scope, an end, and may be revoked.

Several tokens of one client live side by side. An account grants whatever scope is asked for; here a client may be
narrowed, so that a missing scope can be tried.
"""

import hmac
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any

from starlette.routing import Route

from sandbox.clock import NANOS, Clock
from sandbox.settings import Settings
from sandbox.web import BadBody, Call, Handler, Reply, routes

USUAL_LIFE = 1_800
SHORTEST, LONGEST = 300, 172_800  # seconds; both are refused themselves
RESOURCES = ("tickets", "users", "organizations", "triggers", "automations", "targets", "webhooks", "apps")
SCOPES = frozenset({"read", "write"} | {f"{name}:{act}" for name in RESOURCES for act in ("read", "write")})


@dataclass(frozen=True, slots=True)
class Switches:
    """How tokens are granted.

    calls: how many calls a new token opens before it is dead, whatever was said (None: any number). says: `expires_in`
    of the answer instead of the life; "missing" leaves it out. refuse: OAuth's code to refuse with. narrowed: the only
    scopes that count. one_at_a_time: a new token ends the older ones.
    """

    calls: int | None = None
    says: Any = None
    refuse: str | None = None
    narrowed: tuple[str, ...] | None = None
    one_at_a_time: bool = False


@dataclass(slots=True)
class Token:
    scopes: frozenset[str]
    ends_ns: int
    calls_left: int | None


class OAuthTokens:
    """The tokens of one client; `granted` counts them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.switches = Switches()
        self.granted = 0
        self._settings = settings
        self._clock = clock
        self._live: dict[str, Token] = {}

    def routes(self) -> list[Route]:
        return routes([("POST", "/tokens", self.token)], _middleware)

    def token(self, call: Call) -> Reply:
        """JSON or form; anything wrong is refused in OAuth's shape."""
        asked = call.json() if "json" in call.headers.get("content-type", "") else call.form()
        scopes = str(asked.get("scope", "read write")).split()
        life = _seconds(asked.get("expires_in", USUAL_LIFE))
        if self.switches.refuse is not None:
            return _refused(self.switches.refuse, "The request was refused on purpose")
        if asked.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", "The authorization grant type is not supported")
        if not self._known(str(asked.get("client_id", "")), str(asked.get("client_secret", ""))):
            return _refused("invalid_client", "Client authentication failed due to unknown client", 401)
        if unknown := sorted(set(scopes) - SCOPES):
            return _refused("invalid_scope", f"The requested scope is invalid: {', '.join(unknown)}")
        if not SHORTEST < life < LONGEST:
            return _refused("invalid_request", f"expires_in must be over {SHORTEST} and under {LONGEST}")
        return Reply(200, self._grant(scopes, life))

    def open(self, token: str) -> frozenset[str] | None:
        """What a token may do in one more call; None when it is unknown, revoked or at its end."""
        found = self._live.get(token)
        if found is None or self._clock.now_ns() >= found.ends_ns or found.calls_left == 0:
            return None
        if found.calls_left is not None:
            found.calls_left -= 1
        return found.scopes

    def set(self, values: dict[str, Any]) -> dict[str, Any]:
        """Change switches; returns all of them."""
        if values.get("narrowed") is not None:
            values = values | {"narrowed": tuple(values["narrowed"])}
        self.switches = replace(self.switches, **values)
        return self.state()

    def state(self) -> dict[str, Any]:
        now = self._clock.now_ns()
        live = sum(now < token.ends_ns for token in self._live.values())
        return asdict(self.switches) | {"granted": self.granted, "live": live}

    def revoke(self) -> int:
        """All tokens, now; returns how many there were."""
        count = len(self._live)
        self._live.clear()
        return count

    def plant(self) -> None:
        """Switches as at the start; tokens stay, as they would."""
        self.switches = Switches()

    def _known(self, client: str, secret: str) -> bool:
        right = hmac.compare_digest(secret.encode(), self._settings.zendesk_client_key.encode())
        return right and client == self._settings.zendesk_client

    def _grant(self, scopes: list[str], life: float) -> dict[str, Any]:
        if self.switches.one_at_a_time:
            self._live.clear()
        self.granted += 1
        value = secrets.token_hex(32)
        allowed = scopes if self.switches.narrowed is None else self.switches.narrowed
        ends_ns = self._clock.now_ns() + int(life * NANOS)
        self._live[value] = Token(frozenset(allowed), ends_ns, self.switches.calls)
        answer: dict[str, Any] = {"access_token": value, "token_type": "bearer", "scope": " ".join(scopes)}  # nosec B105 # a kind of token
        if self.switches.says != "missing":
            answer["expires_in"] = life if self.switches.says is None else self.switches.says
        return answer


def missing_scope(scopes: frozenset[str], method: str, path: str) -> str | None:
    """The scope that a call lacks; None when it has it. Names without a scope of their own need the wide one."""
    act = "read" if method in ("GET", "HEAD") else "write"
    resource = path.partition("/api/v2/")[2].split("/")[0].split(".")[0]
    narrow = f"{resource}:{act}" if resource in RESOURCES else act
    return None if scopes & {act, narrow} else narrow


def _seconds(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _middleware(call: Call, handler: Handler) -> Reply:
    try:
        return handler(call)
    except BadBody as error:
        return _refused("invalid_request", str(error))


def _refused(error: str, description: str, status: int = 400) -> Reply:
    return Reply(status, {"error": error, "error_description": description})
