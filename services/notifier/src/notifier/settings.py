"""What differs per deployment of the notifier: environment variables."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config import (
    Block,
    HttpSettings,
    ServiceSettings,
    ZendeskSettings,
)
from supportops.config.durations import Duration
from supportops.config.secret_rules import is_stand_in
from supportops.web.auth.settings import SHORTEST_SECRET, OperatorsSettings


def usable_address(value: str, example: str) -> str:
    """An address without a slash at its end; ValueError names an example."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"must be an address such as {example}")
    return value.rstrip("/")


class SlackSettings(Block):
    """The Slack workspace, as one bot."""

    model_config = SettingsConfigDict(env_prefix="SLACK_")

    base_url: str = Field(
        "https://slack.com/api",
        description="Slack's Web API, or the sandbox's http://127.0.0.1:9400/slack/api.",
    )
    token: SecretStr = Field(description="Bot token (xoxb-…) with chat:write and channels:history.")
    timeout: Duration = Field(
        timedelta(seconds=10), description="How long one call to Slack may take; less than 30s."
    )
    response_base_url: str = Field(
        "https://hooks.slack.com",
        description="Where Slack's addresses for later answers must lie, or the sandbox's …/slack/commands.",
    )
    app_token: SecretStr | None = Field(
        None,
        description="App-level token (xapp-…) for Socket Mode, without a public address; needs notifier[socket].",
    )

    @field_validator("timeout")
    @classmethod
    def _is_shorter_than_an_attempt(cls, value: timedelta) -> timedelta:
        if not timedelta() < value < timedelta(seconds=30):
            raise ValueError("must be more than 0s and less than 30s")
        return value

    @field_validator("app_token")
    @classmethod
    def _token_is_the_apps(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("xapp-"):
            raise ValueError("must be an app-level token, which begins with xapp-: the bot's is SLACK_TOKEN")
        return value

    @field_validator("base_url", "response_base_url")
    @classmethod
    def _address_is_usable(cls, value: str) -> str:
        return usable_address(value, "https://slack.com/api")

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The workspace."""
        yield "SLACK_BASE_URL", is_stand_in(self.base_url)


class SlackRequestsSettings(Block):
    """What Slack sends us: buttons, commands, mentions."""

    model_config = SettingsConfigDict(env_prefix="SLACK_")

    signing_secret: SecretStr | None = Field(
        None,
        description="Signing secret of the Slack app; unset: buttons, commands and mentions are not taken over HTTP.",
    )
    previous_signing_secret: SecretStr | None = Field(
        None, description="The secret before it, while it is being replaced."
    )
    team_id: str | None = Field(
        None,
        pattern=r"^T[A-Z0-9]{2,20}$",
        description="Id of the workspace (T…): requests of others and of guests are refused.",
    )

    @field_validator("signing_secret", "previous_signing_secret")
    @classmethod
    def _secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value

    @model_validator(mode="after")
    def _workspace_is_named(self) -> Self:
        if self.signing_secret is not None and self.team_id is None:
            raise ValueError("SLACK_TEAM_ID must be set with SLACK_SIGNING_SECRET: whose requests are taken")
        return self


class SecondRoadSettings(Block):
    """A webhook for breach notices that Slack does not take."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_")

    webhook_url: SecretStr | None = Field(
        None, description="Address that gets breach notices which Slack did not take (second_roads)."
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Secret of its signature (Standard Webhooks): whsec_… or any 16 characters or more."
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret is None):
            raise ValueError("NOTIFIER_WEBHOOK_URL and NOTIFIER_WEBHOOK_SECRET: set both or neither")
        if self.webhook_secret is not None and len(self.webhook_secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"NOTIFIER_WEBHOOK_SECRET must have at least {SHORTEST_SECRET} characters")
        return self


class SmtpSettings(Block):
    """A mail server for breach notices that Slack does not take."""

    model_config = SettingsConfigDict(env_prefix="SMTP_")

    host: str | None = Field(None, description="Mail server for breach notices by e-mail (second_roads).")
    port: int = Field(587, ge=1, le=65_535, description="Its port.")
    sender: str | None = Field(None, description="From whom these letters are.")
    user: str | None = Field(None, description="Login at the mail server, if it wants one.")
    password: SecretStr | None = Field(None, description="Password of that login.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is secured."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.host is None) != (self.sender is None):
            raise ValueError("SMTP_HOST and SMTP_SENDER: set both or neither")
        if (self.user is None) != (self.password is None):
            raise ValueError("SMTP_USER and SMTP_PASSWORD: set both or neither")
        return self


class NotifierSettings(Block):
    """The figures' API."""

    model_config = SettingsConfigDict(env_prefix="NOTIFIER_")

    api_token: SecretStr | None = Field(
        None,
        description="Bearer token of /api/figures for programs (16 characters or more); unset: operators alone.",
    )

    @field_validator("api_token")
    @classmethod
    def _token_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value


class CsatApiSettings(Block):
    """csat's API, for the bot's answer about this week."""

    model_config = SettingsConfigDict(env_prefix="CSAT_API_")

    url: str | None = Field(
        None,
        description="csat's address for the bot, such as http://csat-web:8000; unset: csat is not connected.",
    )
    token: SecretStr | None = Field(None, description="Bearer token of /api/kpi; at least 16 characters.")

    @field_validator("url")
    @classmethod
    def _address_is_usable(cls, value: str | None) -> str | None:
        return None if value is None else usable_address(value, "http://csat-web:8000")

    @model_validator(mode="after")
    def _token_is_there(self) -> Self:
        if self.url is not None and self.token is None:
            raise ValueError("CSAT_API_TOKEN must be set with CSAT_API_URL: csat asks for it")
        return self


class WebSettings(ServiceSettings):
    """What the notifier's HTTP side reads: it calls nobody, so it holds nobody's credential."""

    notifier: NotifierSettings
    slack_requests: SlackRequestsSettings
    operators: OperatorsSettings
    http: HttpSettings


class Settings(WebSettings):
    """Everything the notifier reads from the environment."""

    zendesk: ZendeskSettings
    slack: SlackSettings
    second_road: SecondRoadSettings
    smtp: SmtpSettings
    csat: CsatApiSettings

    @model_validator(mode="after")
    def _workspace_of_the_socket_is_named(self) -> Self:
        if self.slack.app_token is not None and self.slack_requests.team_id is None:
            raise ValueError("SLACK_TEAM_ID must be set with SLACK_APP_TOKEN: whose requests are taken")
        return self


ZENDESK_SCOPES: Final = ("read", "tickets:write")
"""What our tokens may do, and no more: tickets, comments and names; forms and groups have no scope of their own."""

SLACK_SCOPES: Final = {
    "chat:write": "nothing can be posted",
    "chat:write.customize": "breach notices are posted under the bot's own name",
    "channels:history": "after a lost answer a line is given up instead of looked for",
    "groups:history": "the same in private channels",
    "channels:read": "channels cannot be looked up, so the bot answers mentions to who asked alone",
    "groups:read": "nothing confidential is posted: who reads a private channel cannot be told",
    "users:read": "the bot answers nobody: who asks cannot be told",
    "users:read.email": "people are not found by e-mail: no direct messages, no `mine`",
    "usergroups:read": "permissions for user groups let nobody in",
    "app_mentions:read": "mentions do not arrive",
    "commands": "the slash command does not arrive",
}
"""What the bot's token may do, and what does not work without it. The manifest in docs/setup asks for exactly these."""
