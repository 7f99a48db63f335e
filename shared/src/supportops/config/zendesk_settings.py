"""The Zendesk account: where it is, and the one way in. An OAuth client, or an API token until Zendesk ends those."""

from collections.abc import Iterator
from datetime import date
from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from supportops.config.blocks import safe_address
from supportops.config.environment import Block
from supportops.config.secret_rules import is_stand_in

API_TOKENS_END: Final = date(2027, 4, 30)
"""Zendesk: none can be made since 27 October 2026, and on this day all of them stop working."""
_OAUTH = ("client_id", "client_secret")
_TOKEN = ("email", "token")


class ZendeskSettings(Block):
    """The Zendesk account, read and written as one integration user.

    Exactly one way in: CLIENT_ID with CLIENT_SECRET, or EMAIL with TOKEN.
    """

    model_config = SettingsConfigDict(env_prefix="ZENDESK_")

    base_url: str = Field(
        description="https://<subdomain>.zendesk.com, or the sandbox's http://127.0.0.1:9400/zendesk."
    )
    client_id: str | None = Field(
        None, description="Identifier of the OAuth client (docs/setup/zendesk.md), kind Confidential."
    )
    client_secret: SecretStr | None = Field(None, description="Secret of the OAuth client.")
    email: str | None = Field(
        None, description="Until 30 April 2027, instead of the OAuth client: whose API token it is."
    )
    token: SecretStr | None = Field(
        None, description="Until 30 April 2027, instead of the OAuth client: an API token made earlier."
    )
    rate_limit: int = Field(
        400, ge=1, le=100_000, description="Calls a minute of the account's plan, all users."
    )
    rate_share: float = Field(0.2, gt=0, le=1, description="This service's share of the account's calls.")

    @field_validator("base_url")
    @classmethod
    def _address_is_safe(cls, value: str) -> str:
        return safe_address(value, "https://acme.zendesk.com")

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        oauth, token = self._set(_OAUTH), self._set(_TOKEN)
        if oauth and token:
            raise ValueError(
                f"two ways in: {_names(oauth)} and {_names(token)} are set; keep the OAuth client "
                "(ZENDESK_CLIENT_ID, ZENDESK_CLIENT_SECRET) and remove ZENDESK_EMAIL and ZENDESK_TOKEN"
            )
        if not oauth and not token:
            raise ValueError(
                "no way in: set ZENDESK_CLIENT_ID and ZENDESK_CLIENT_SECRET (or ZENDESK_CLIENT_SECRET_FILE), "
                "an OAuth client of the account: docs/setup/zendesk.md"
            )
        missing = [name for name in (_OAUTH if oauth else _TOKEN) if name not in (oauth or token)]
        if missing:
            raise ValueError(f"{_names(missing)} is missing: {_names(oauth or token)} alone opens nothing")
        return self

    def _set(self, names: tuple[str, ...]) -> list[str]:
        """Those of the fields that hold something; a secret of blanks is none."""
        values = ((name, getattr(self, name)) for name in names)
        plain = (
            (name, value.get_secret_value() if isinstance(value, SecretStr) else value)
            for name, value in values
        )
        return [name for name, value in plain if value and value.strip()]

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The account."""
        yield "ZENDESK_BASE_URL", is_stand_in(self.base_url)

    def token_warning(self, today: date) -> str:
        """What is to be said about an API token on a day; nothing with an OAuth client."""
        if self.token is None:
            return ""
        days = (API_TOKENS_END - today).days
        when = f"in {days} days" if days > 0 else "that day has come"
        return (
            f"ZENDESK_TOKEN is an API token: Zendesk ends all of them on 30 April 2027 ({when}); make an OAuth client "
            "and set ZENDESK_CLIENT_ID and ZENDESK_CLIENT_SECRET instead (docs/setup/zendesk.md)"
        )


def _names(fields: list[str]) -> str:
    return " and ".join(f"ZENDESK_{field.upper()}" for field in fields)
