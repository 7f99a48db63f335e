"""What differs per deployment: frozen blocks of environment variables, read once in `__main__`."""

from supportops.config.blocks import (
    ConfigSettings,
    DatabaseSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ShutdownSettings,
    SideSettings,
    safe_address,
)
from supportops.config.environment import (
    Block,
    SecretList,
    SettingsError,
    TextList,
    env_name,
)
from supportops.config.installation import InstallationSettings
from supportops.config.service_settings import (
    HIDDEN,
    NOT_SET,
    BrokerCommandSettings,
    DatabaseCommandSettings,
    RulesCommandSettings,
    ServiceSettings,
    SettingsGroup,
    Variable,
    blocks_of,
    describe,
)
from supportops.config.zendesk_settings import ZendeskSettings

__all__ = [
    "HIDDEN",
    "NOT_SET",
    "Block",
    "BrokerCommandSettings",
    "ConfigSettings",
    "DatabaseCommandSettings",
    "DatabaseSettings",
    "HttpSettings",
    "InstallationSettings",
    "KafkaSettings",
    "LogSettings",
    "RulesCommandSettings",
    "SecretList",
    "ServiceSettings",
    "SettingsError",
    "SettingsGroup",
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
