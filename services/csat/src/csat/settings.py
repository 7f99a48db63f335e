"""What differs per deployment of csat: environment variables."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from supportops.config import (
    Block,
    HttpSettings,
    SecretList,
    ServiceSettings,
    ZendeskSettings,
)
from supportops.config.gitlab_settings import GitLabSettings
from supportops.web.auth.settings import SHORTEST_SECRET, OperatorsSettings


class SurveySettings(Block):
    """Survey links and the numbers' API."""

    model_config = SettingsConfigDict(env_prefix="CSAT_")

    base_url: str = Field(description="Public address of the survey page, e.g. https://survey.example.com.")
    link_keys: SecretList = Field(
        min_length=1,
        description="Keys that sign survey links, the current one first; older ones still open theirs.",
    )
    api_token: SecretStr = Field(description="Bearer token of /api/kpi; at least 16 characters.")

    @field_validator("base_url")
    @classmethod
    def _address_is_usable(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an address such as https://survey.example.com")
        return value.rstrip("/")

    @field_validator("link_keys")
    @classmethod
    def _keys_are_long(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SHORTEST_SECRET for key in value):
            raise ValueError(f"every key must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("api_token")
    @classmethod
    def _token_is_long(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters")
        return value


class WebSettings(ServiceSettings):
    """What csat's HTTP side reads: it calls nobody, so it holds nobody's credential."""

    survey: SurveySettings
    operators: OperatorsSettings
    http: HttpSettings


class Settings(WebSettings):
    """Everything csat reads from the environment."""

    zendesk: ZendeskSettings
    gitlab: GitLabSettings


ZENDESK_SCOPES: Final = ("read", "tickets:write")
"""What our tokens may do, and no more: csat reads nearly everything, and writes tickets alone."""
