"""Who may log in to the operators' pages of all services, as the environment says it."""

import re
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config import Block, SecretList
from supportops.config.durations import Duration
from supportops.web.auth.accounts import UsersFileError, read_users
from supportops.web.auth.passwords import is_hash
from supportops.web.auth.roles import Role

SHORTEST_SECRET = 16
_USER_HEADER = re.compile(r"[Xx]-[A-Za-z0-9-]{1,100}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ADDRESS = "Address of {}'s pages, for the other services' navigation and log-out."

type Secrets = tuple[SecretStr, ...] | SecretStr | None


class OperatorsSettings(Block):
    """One login for the pages of all services, so the same values in each; closed while nothing is set."""

    model_config = SettingsConfigDict(env_prefix="OPERATORS_")
    former_prefix: ClassVar[str] = "CSAT_DASHBOARD_"

    password_hash: SecretStr | None = Field(
        None,
        description="Hash of one password for all operators (role operate), as `hash-password` prints it.",
    )
    users_file: Path | None = Field(
        None, description="File with a user a line, name:role:hash, as `operators add` writes it."
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
        description="Logins a minute that one address may try; six times that for all strangers together.",
    )
    cookie_domain: str | None = Field(
        None,
        description="Domain above the services' hosts, e.g. ops.example.com; unset: they share one host.",
    )
    proxy_header: str | None = Field(
        None, description="Header in which a proxy that authenticates names the user, e.g. X-Forwarded-User."
    )
    proxy_secret: SecretStr | None = Field(
        None,
        description="What that proxy sends as X-Operators-Proxy-Secret, without which its headers count nothing.",
    )
    proxy_role: Role = Field("look", description="Role of everybody whom that proxy names.")
    proxy_role_header: str | None = Field(
        None, description="Header in which it names roles instead, separated by commas; none: not let in."
    )
    ingest_url: str | None = Field(None, description=_ADDRESS.format("ingest"))
    csat_url: str | None = Field(None, description=_ADDRESS.format("csat"))
    sfdc_sync_url: str | None = Field(None, description=_ADDRESS.format("sfdc-sync"))
    notifier_url: str | None = Field(None, description=_ADDRESS.format("notifier"))

    @field_validator("password_hash")
    @classmethod
    def _hash_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_hash(value.get_secret_value()):
            raise ValueError(
                "must be what `hash-password` prints, beginning with $argon2id$ (in a .env file: 'quoted')"
            )
        return value

    @field_validator("users_file")
    @classmethod
    def _users_can_be_read(cls, value: Path | None) -> Path | None:
        try:
            return value if value is None or read_users(value) is not None else None
        except UsersFileError as error:
            raise ValueError(str(error)) from None

    @field_validator("session_keys", "proxy_secret")
    @classmethod
    def _secrets_are_long(cls, value: Secrets) -> Secrets:
        secrets = value if isinstance(value, tuple) else (value,)
        if any(key is not None and len(key.get_secret_value()) < SHORTEST_SECRET for key in secrets):
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("proxy_header", "proxy_role_header")
    @classmethod
    def _header_is_one(cls, value: str | None) -> str | None:
        if value is not None and not _USER_HEADER.fullmatch(value):
            raise ValueError("must be the name of a header that begins with X-, such as X-Forwarded-User")
        return value

    @field_validator("cookie_domain")
    @classmethod
    def _domain_is_one(cls, value: str | None) -> str | None:
        if value is not None and not _DOMAIN.fullmatch(value):
            raise ValueError("must be a domain such as ops.example.com")
        return value

    @field_validator("ingest_url", "csat_url", "sfdc_sync_url", "notifier_url")
    @classmethod
    def _address_is_an_origin(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("must be an address such as https://csat.example.com")
        if parts.path.strip("/") or parts.fragment:
            raise ValueError("must be a host of its own, without a path, such as https://csat.example.com")
        return value.rstrip("/") if value else None

    @model_validator(mode="after")
    def _nothing_is_half_set(self) -> Self:
        if (self.password_hash is None and self.users_file is None) != (not self.session_keys):
            raise ValueError(
                "OPERATORS_PASSWORD_HASH or OPERATORS_USERS_FILE, and OPERATORS_SESSION_KEYS, need each other"
            )
        if (self.proxy_header is None) != (self.proxy_secret is None):
            raise ValueError("OPERATORS_PROXY_HEADER and OPERATORS_PROXY_SECRET need each other")
        if self.proxy_role_header is not None and self.proxy_header is None:
            raise ValueError("OPERATORS_PROXY_ROLE_HEADER needs OPERATORS_PROXY_HEADER")
        if self.session_lifetime < timedelta(minutes=1):
            raise ValueError("OPERATORS_SESSION_LIFETIME must be at least a minute")
        return self

    def addresses(self) -> dict[str, str]:
        """The services whose pages have an address, by name."""
        found = {
            "ingest": self.ingest_url,
            "csat": self.csat_url,
            "sfdc-sync": self.sfdc_sync_url,
            "notifier": self.notifier_url,
        }
        return {service: url for service, url in found.items() if url}
