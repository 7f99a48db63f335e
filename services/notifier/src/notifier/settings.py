"""What differs per deployment of the notifier: environment variables."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
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

    @field_validator("timeout")
    @classmethod
    def _is_shorter_than_an_attempt(cls, value: timedelta) -> timedelta:
        if not timedelta() < value < timedelta(seconds=30):
            raise ValueError("must be more than 0s and less than 30s")
        return value

    @field_validator("base_url")
    @classmethod
    def _address_is_usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://slack.com/api")
        return value.rstrip("/")

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The workspace."""
        yield "SLACK_BASE_URL", is_stand_in(self.base_url)


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


class WebSettings(ServiceSettings):
    """What the notifier's HTTP side reads: it calls nobody, so it holds nobody's credential."""

    notifier: NotifierSettings
    operators: OperatorsSettings
    http: HttpSettings


class Settings(WebSettings):
    """Everything the notifier reads from the environment."""

    zendesk: ZendeskSettings
    slack: SlackSettings


ZENDESK_SCOPES: Final = ("read", "tickets:write")
"""What our tokens may do, and no more: tickets, comments and names; forms and groups have no scope of their own."""
