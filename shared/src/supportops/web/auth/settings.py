"""Who may log in to the operators' pages, as the environment says it."""

import re
from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config import (
    Block,
    SecretList,
)
from supportops.config.rules_file import Duration
from supportops.web.auth.passwords import is_hash

SHORTEST_SECRET = 16
_USER_HEADER = re.compile(r"[Xx]-[A-Za-z0-9-]{1,100}")

type Secrets = tuple[SecretStr, ...] | SecretStr | None


class DashboardSettings(Block):
    """Who may see the dashboard and the pages beside it; nobody while nothing is set."""

    model_config = SettingsConfigDict(env_prefix="CSAT_DASHBOARD_")

    password_hash: SecretStr | None = Field(
        None, description="Hash of the operators' password, as `csat hash-password` prints it."
    )
    session_keys: SecretList = Field(
        (),
        description="Keys that sign the operators' sessions, the current one first; at least 16 characters.",
    )
    session_lifetime: Duration = Field(
        timedelta(hours=12), description="How long an operator stays logged in."
    )
    login_attempts: int = Field(
        10,
        ge=1,
        le=600,
        description="Logins a minute that one address may try; six times that for all together.",
    )
    proxy_header: str | None = Field(
        None, description="Header in which a proxy that authenticates names the user, e.g. X-Forwarded-User."
    )
    proxy_secret: SecretStr | None = Field(
        None,
        description="What that proxy sends as X-Csat-Proxy-Secret, without which its header counts nothing.",
    )

    @field_validator("password_hash")
    @classmethod
    def _hash_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_hash(value.get_secret_value()):
            raise ValueError(
                "must be what `csat hash-password` prints, beginning with $argon2id$ (in a .env file: 'quoted')"
            )
        return value

    @field_validator("session_keys", "proxy_secret")
    @classmethod
    def _secrets_are_long(cls, value: Secrets) -> Secrets:
        secrets = value if isinstance(value, tuple) else (value,)
        if any(key is not None and len(key.get_secret_value()) < SHORTEST_SECRET for key in secrets):
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("proxy_header")
    @classmethod
    def _header_names_a_user(cls, value: str | None) -> str | None:
        if value is not None and not _USER_HEADER.fullmatch(value):
            raise ValueError("must be the name of a header that begins with X-, such as X-Forwarded-User")
        return value

    @model_validator(mode="after")
    def _nothing_is_half_set(self) -> Self:
        if (self.password_hash is None) != (not self.session_keys):
            raise ValueError("CSAT_DASHBOARD_PASSWORD_HASH and CSAT_DASHBOARD_SESSION_KEYS need each other")
        if (self.proxy_header is None) != (self.proxy_secret is None):
            raise ValueError("CSAT_DASHBOARD_PROXY_HEADER and CSAT_DASHBOARD_PROXY_SECRET need each other")
        if self.session_lifetime < timedelta(minutes=1):
            raise ValueError("CSAT_DASHBOARD_SESSION_LIFETIME must be at least a minute")
        return self
