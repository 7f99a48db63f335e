"""A proxy in front of us that authenticates: its headers count only beside a secret that it shares with us."""

import hmac

from starlette.datastructures import Headers

from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.web.auth.roles import Role, highest
from supportops.web.auth.settings import OperatorsSettings

SECRET_HEADER = "X-Operators-Proxy-Secret"  # noqa: S105 - the name of a header  # nosec B105
FORMER_SECRET_HEADER = "X-Csat-Proxy-Secret"  # noqa: S105 - the name of a header; goes with the next release  # nosec B105
LONGEST = 200

log = LimitedWarnings(get_logger("supportops.login"))


class ProxyLogin:
    """Reads who the proxy says is there.

    Each header must come exactly once: a client could send one of its own for the proxy to append to.
    """

    def __init__(self, settings: OperatorsSettings, metrics: Recorder) -> None:
        self._header = settings.proxy_header or ""
        self._secret = settings.proxy_secret.get_secret_value().encode() if settings.proxy_secret else b""
        self._role = settings.proxy_role
        self._role_header = settings.proxy_role_header
        self._metrics = metrics

    @property
    def trusts_somebody(self) -> bool:
        """Whether there is such a proxy."""
        return bool(self._header and self._secret)

    def user(self, headers: Headers) -> tuple[str, Role | None] | None:
        """The user's name and role (None: may do nothing); None when the proxy names nobody, or it is not the proxy."""
        if not self.trusts_somebody:
            return None
        names = headers.getlist(self._header)
        secrets = headers.getlist(SECRET_HEADER) + headers.getlist(FORMER_SECRET_HEADER)
        if not names and not secrets:
            return None
        if len(secrets) != 1 or not hmac.compare_digest(secrets[0].encode("latin-1"), self._secret):
            log.warning("login.proxy_refused", cause="without the shared secret")
            self._metrics.count("dashboard_logins", outcome="proxy_refused")
            return None
        name = names[0].strip() if len(names) == 1 else ""
        if not 0 < len(name) <= LONGEST or not name.isprintable():
            return None
        return name, self._role_in(headers)

    def _role_in(self, headers: Headers) -> Role | None:
        if self._role_header is None:
            return self._role
        given = headers.getlist(self._role_header)
        return highest(given[0].split(",")) if len(given) == 1 else None
