"""The blocks that services compose their settings from; a service adds its own beside them."""

import ipaddress
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config.durations import Duration
from supportops.config.environment import Block, TextList
from supportops.config.secret_rules import password_of

DATABASE_SCHEMES = ("postgresql", "sqlite")
_USER_ALONE = re.compile(r"postgresql(\+\w+)?://[^:@/?#]+@")


class KafkaSettings(Block):
    """Where the broker is and how to speak to it."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    bootstrap_servers: str = Field(
        description="Brokers to start from: host:port, several separated by commas."
    )
    flavour: Literal["apache", "embedded"] = Field(
        "apache", description="apache: any Kafka; embedded: the in-memory broker of the demo."
    )
    replication_factor: int = Field(
        1, ge=1, le=9, description="Copies of each topic that we create; 3 in a cluster."
    )
    group_instance_id: str | None = Field(
        None, description="Static membership for clusters with rolling restarts: a stable name per replica."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How the connection is protected."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How we log in, with a SASL protocol."
    )
    sasl_username: str | None = Field(None, description="Name to log in with, with a SASL protocol.")
    sasl_password: SecretStr | None = Field(
        None, description="Password to log in with, with a SASL protocol."
    )
    ca_file: Path | None = Field(
        None, description="Certificates to trust, with SSL; the system's when not set."
    )

    @model_validator(mode="after")
    def _login_is_complete(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
        return self


class DatabaseSettings(Block):
    """The service's own database."""

    model_config = SettingsConfigDict(env_prefix="DATABASE_")

    url: SecretStr = Field(description="postgresql://user:password@host/name, or sqlite:///path/to/file.db.")
    password: SecretStr | None = Field(
        None, description="The password, where DATABASE_URL has a user and no password."
    )
    pool: int = Field(
        10,
        ge=3,
        le=100,
        description="Connections to PostgreSQL that one process may hold; a worker listens on one.",
    )

    @field_validator("url")
    @classmethod
    def _scheme_is_known(cls, url: SecretStr) -> SecretStr:
        scheme = url.get_secret_value().partition("://")[0].partition("+")[0]
        if scheme not in DATABASE_SCHEMES:
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return url

    @model_validator(mode="after")
    def _password_is_given_once(self) -> Self:
        if self.password is not None and not _USER_ALONE.match(self.url.get_secret_value()):
            raise ValueError("DATABASE_PASSWORD needs a DATABASE_URL such as postgresql://user@host/name")
        return self

    def address(self) -> str:
        """The whole URL, with its password: for drivers alone."""
        url = self.url.get_secret_value()
        if self.password is None:
            return url
        user, host = url.split("@", 1)
        return f"{user}:{quote(self.password.get_secret_value(), safe='')}@{host}"

    def credentials(self) -> Iterator[tuple[str, str]]:
        """The password, inside the address or beside it, if there is one."""
        if password := password_of(self.url.get_secret_value()):
            yield "DATABASE_URL (its password)", password
        if self.password is not None:
            yield "DATABASE_PASSWORD", self.password.get_secret_value()


class HttpSettings(Block):
    """The service's HTTP side."""

    model_config = SettingsConfigDict(env_prefix="HTTP_")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 inside a container.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    allowed_hosts: TextList = Field(
        (), description="Host names by which it may be asked, e.g. csat.example.com,*.local; unset: any."
    )
    trusted_proxies: TextList = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For names the client."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError(f"{each!r} is no address or network such as 10.0.0.0/8") from None
        return value


class SideSettings(Block):
    """The side port of every process: health and metrics. Never publish it to the world."""

    model_config = SettingsConfigDict(env_prefix="SIDE_")

    host: str = Field(
        "127.0.0.1", description="Address of /healthz, /readyz and /metrics; 0.0.0.0 in a container."
    )
    port: int = Field(
        9090, ge=0, le=65535, description="Port of /healthz, /readyz and /metrics; 0 takes any free one."
    )


class ShutdownSettings(Block):
    """How long a stopping process may take."""

    model_config = SettingsConfigDict(env_prefix="SHUTDOWN_")

    grace: Duration = Field(
        timedelta(seconds=20),
        description="Time to finish the work in hand after SIGTERM; keep it below the orchestrator's own.",
    )


class LogSettings(Block):
    """What is logged, and how it looks."""

    model_config = SettingsConfigDict(env_prefix="LOG_")

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important line to log."
    )
    format: Literal["json", "console"] = Field(
        "json", description="json: one object a line; console: for people."
    )


class ConfigSettings(Block):
    """The organization's rules."""

    model_config = SettingsConfigDict(env_prefix="CONFIG_")

    file: Path = Field(
        Path("config/supportops.yaml"), description="The YAML file with the organization's rules."
    )


def safe_address(value: str, example: str) -> str:
    """The address of a server that gets a token, without a slash at its end. Raises ValueError, with an example."""
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise ValueError(f"must be an address such as {example}")
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise ValueError("must be https: the token would travel in clear text (http is for local stand-ins)")
    return value.rstrip("/")


def _is_near(host: str) -> bool:
    """Whether a host is of this machine or network: a private address, or a name without dots."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(".localhost")
