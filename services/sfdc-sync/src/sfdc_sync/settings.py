"""What differs per deployment of sfdc-sync: environment variables."""

import ipaddress
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from supportops.config import (
    Block,
    DatabaseCommandSettings,
    HttpSettings,
    ServiceSettings,
    ZendeskSettings,
)
from supportops.config.durations import Duration
from supportops.config.gitlab_settings import GitLabSettings
from supportops.web.auth.settings import OperatorsSettings


class SalesforceSettings(Block):
    """The Salesforce org, written as one integration user.

    OAuth client credentials: docs/vendors/salesforce.md#login.
    """

    model_config = SettingsConfigDict(env_prefix="SALESFORCE_")

    login_url: str = Field(
        "", description="The org's own domain, https://acme.my.salesforce.com; not needed with the sandbox."
    )
    client_id: str = Field(description="Consumer key of the External Client App (docs/setup/salesforce.md).")
    client_secret: SecretStr = Field(description="Consumer secret of the External Client App.")
    api_version: str = Field("62.0", pattern=r"^\d{2,3}\.0$", description="REST API version, without a v.")
    sandbox_url: str = Field(
        "",
        description="While SALESFORCE_LOGIN_URL is empty: the stand-in that gets every call; http, near hosts only.",
    )
    connect_timeout: Duration = Field(timedelta(seconds=5), description="Wait for a connection.")
    read_timeout: Duration = Field(timedelta(seconds=30), description="Wait for an answer.")
    session_age: Duration = Field(timedelta(hours=1), description="A session older than this is renewed.")

    @field_validator("login_url")
    @classmethod
    def _login_is_safe(cls, value: str) -> str:
        return salesforce_origin(value) if value else value

    @field_validator("sandbox_url")
    @classmethod
    def _sandbox_is_near(cls, value: str) -> str:
        return near_url(value) if value else value

    @model_validator(mode="after")
    def _somewhere_to_go(self) -> Self:
        if not self.login_url and not self.sandbox_url:
            raise ValueError("needs SALESFORCE_LOGIN_URL (or SALESFORCE_SANDBOX_URL for the stand-in)")
        return self

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The org, or what stands in for it."""
        yield ("SALESFORCE_SANDBOX_URL", True) if self.stand_in else ("SALESFORCE_LOGIN_URL", False)

    @property
    def stand_in(self) -> str:
        """Where every call goes instead of Salesforce; empty as soon as a real org is named."""
        return "" if self.login_url else self.sandbox_url

    @property
    def call_timeout(self) -> timedelta:
        """The longest that one call may take."""
        return self.connect_timeout + self.read_timeout

    @property
    def login_origin(self) -> str:
        """Where sessions come from; with the sandbox a name that no real call can reach."""
        return self.login_url or SANDBOX_ORIGIN


SANDBOX_ORIGIN = "https://sandbox.my.salesforce.com"
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+salesforce\.com", re.ASCII)
_COMPOSE_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def salesforce_origin(url: str) -> str:
    """`url` as `https://host`; ValueError unless it is https, below salesforce.com, and nothing but an
    origin.

    Our session token is sent there, so an address that an answer named is checked like one that a person
    typed.
    """
    parts = urlsplit(url)
    plain = parts.scheme == "https" and parts.path in ("", "/") and not (parts.query or parts.fragment)
    host = (parts.netloc or "").lower()
    if not plain or not _HOST.fullmatch(host):
        raise ValueError("must be https://<my-domain>.my.salesforce.com, without a path")
    return f"https://{host}"


def near_url(url: str) -> str:
    """`url` without a final slash; ValueError unless it is http(s) on this machine or on a compose network.

    A compose name has no dots, so it can be no public host.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if (
        parts.scheme not in ("http", "https")
        or parts.username is not None
        or parts.query
        or parts.fragment
        or not (_COMPOSE_NAME.fullmatch(host) or _is_loopback(host))
    ):
        raise ValueError("must be http://127.0.0.1:<port>/... or the name of a container, such as sandbox")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebSettings(ServiceSettings):
    """What sfdc-sync's HTTP side reads: it calls nobody, so it holds nobody's credential."""

    operators: OperatorsSettings
    http: HttpSettings


class Settings(WebSettings):
    """Everything that differs per deployment of sfdc-sync."""

    salesforce: SalesforceSettings
    zendesk: ZendeskSettings


class ImportSettings(DatabaseCommandSettings):
    """What `sharing import` reads: the database, and the GitLab that holds the issue."""

    gitlab: GitLabSettings


ZENDESK_SCOPES: Final = ("read", "tickets:write", "users:write", "organizations:write")
"""What our tokens may do, and no more: sharing sets organizations and their users, and comments on the ticket; runs
write organizations and ask what became of the jobs that do it, which have no scope of their own.
"""
