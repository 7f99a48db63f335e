"""How to reach GitLab, for the services that do."""

from collections.abc import Iterator
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config.blocks import safe_address
from supportops.config.environment import Block
from supportops.config.secret_rules import is_stand_in


class GitLabSettings(Block):
    """The GitLab that takes feedback issues and holds sharing requests; both unset: there is none."""

    model_config = SettingsConfigDict(env_prefix="GITLAB_")

    base_url: str | None = Field(None, description="Address of GitLab, e.g. https://gitlab.example.com.")
    token: SecretStr | None = Field(
        None, description="Access token with the scope api, of a user who may label issues."
    )

    @field_validator("base_url")
    @classmethod
    def _address_is_safe(cls, value: str | None) -> str | None:
        return safe_address(value, "https://gitlab.example.com") if value else None

    @field_validator("token")
    @classmethod
    def _no_token_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value() else None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.base_url is None) != (self.token is None):
            missing = "GITLAB_TOKEN" if self.token is None else "GITLAB_BASE_URL"
            raise ValueError(f"{missing} is missing: set both, or neither")
        return self

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The GitLab, where there is one."""
        if self.base_url is not None:
            yield "GITLAB_BASE_URL", is_stand_in(self.base_url)
