"""What differs per deployment (environment), and what the organization decides (YAML, section `ingest`)."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from supportops.config import (
    Block,
    HttpSettings,
    SecretList,
    ServiceSettings,
    TextList,
)
from supportops.config.rules_file import Duration
from supportops.web.auth.settings import OperatorsSettings

SHORTEST_TOKEN = 16


class IngestSettings(Block):
    """Whose webhooks are taken, and where they wait when the database is away."""

    model_config = SettingsConfigDict(env_prefix="INGEST_")

    account_id: str = Field(pattern=r"^[0-9]{1,32}$", description="Zendesk's numeric id of our account.")
    webhook_secrets: SecretList = Field(
        min_length=1,
        description="Signing secrets of our webhooks, the current first; rotation keeps the old one for a while.",
    )
    trigger_secrets: SecretList = Field(
        (),
        description="Signing secrets of webhooks that triggers and automations call, where they are others; "
        "unset: INGEST_WEBHOOK_SECRETS sign on both paths.",
    )
    integration_user_ids: TextList = Field(
        (), description="Zendesk ids of our own integration users: events they cause are marked."
    )
    freshness: Duration = Field(
        timedelta(minutes=5),
        description="A signature's time further from now is counted and warned of, the body kept; 0s: not watched.",
    )
    spool_dir: Path = Field(
        Path("spool"), description="Folder for signed bodies while the database is away; a disk of its own."
    )
    operator_token: SecretStr | None = Field(
        None,
        description="Bearer token of /api/counts for programs (16 characters or more); unset: operators alone.",
    )

    @field_validator("operator_token")
    @classmethod
    def _token_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"must have at least {SHORTEST_TOKEN} characters")
        return value


class Settings(ServiceSettings):
    """Everything ingest reads from the environment."""

    ingest: IngestSettings
    operators: OperatorsSettings
    http: HttpSettings
