"""A proxy in front of us that authenticates: its header counts only beside a secret that it shares with us."""

import hmac

from pydantic import SecretStr
from starlette.datastructures import Headers

from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

SECRET_HEADER = "X-Csat-Proxy-Secret"  # noqa: S105 - the name of a header
LONGEST = 200

log = get_logger("csat.login")


class ProxyLogin:
    """Reads who the proxy says is there.

    Each header must come exactly once: a client could send one of its own for the proxy to append to.
    """

    def __init__(self, header: str, secret: SecretStr, metrics: Recorder) -> None:
        self._header = header
        self._secret = secret.get_secret_value().encode()
        self._metrics = metrics

    def user(self, headers: Headers) -> str | None:
        """The user's name; None when the proxy names nobody, or it is not the proxy."""
        names, secrets = headers.getlist(self._header), headers.getlist(SECRET_HEADER)
        if not names and not secrets:
            return None
        if len(secrets) != 1 or not hmac.compare_digest(secrets[0].encode("latin-1"), self._secret):
            log.warning("login.proxy_refused", reason="without the shared secret")
            self._metrics.count("dashboard_logins", outcome="proxy_refused")
            return None
        name = names[0].strip() if len(names) == 1 else ""
        return name if 0 < len(name) <= LONGEST and name.isprintable() else None
