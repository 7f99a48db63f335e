"""What differs per deployment: frozen blocks of environment variables, read once in `__main__`."""

from supportops.settings.base import (
    Block,
    SecretList,
    ServiceSettings,
    SettingsError,
    TextList,
    Variable,
    blocks_of,
    describe,
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
)

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
]
