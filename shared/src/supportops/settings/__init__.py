"""What differs per deployment: frozen blocks of environment variables, read once in `__main__`."""

from supportops.settings.base import (
    Block,
    SecretList,
    SettingsError,
    TextList,
    env_name,
)
from supportops.settings.blocks import (
    ConfigSettings,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ShutdownSettings,
    SideSettings,
    ZendeskSettings,
    safe_address,
)
from supportops.settings.service import ServiceSettings, Variable, blocks_of, describe

__all__ = [
    "Block",
    "ConfigSettings",
    "DatabaseSettings",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "SecretList",
    "ServiceSettings",
    "SettingsError",
    "ShutdownSettings",
    "SideSettings",
    "TextList",
    "Variable",
    "ZendeskSettings",
    "blocks_of",
    "describe",
    "env_name",
    "safe_address",
]
