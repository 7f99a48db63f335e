"""The settings of one service: its blocks, read together, with every mistake named in one message."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings.exceptions import SettingsError as UnreadableError

from supportops.config.blocks import (
    ConfigSettings,
    DatabaseSettings,
    KafkaSettings,
    LogSettings,
    ShutdownSettings,
    SideSettings,
)
from supportops.config.durations import format_duration
from supportops.config.environment import Block, SettingsError, env_name, is_secret
from supportops.config.installation import InstallationSettings, unsafe
from supportops.config.validation_messages import allowed_values, explain, limits

HIDDEN, NOT_SET = "(set, not shown)", "(not set)"
"""What is shown of a secret, in tables and in the log."""


class SettingsGroup(BaseModel):
    """Blocks of the environment that are read together, one field per block; a model validator may compare them."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    installation: InstallationSettings = Field(default_factory=InstallationSettings)

    @classmethod
    def load(cls) -> Self:
        """Read all blocks from the environment; SettingsError names every variable missing, wrong or unsafe."""
        problems: list[str] = []
        blocks = {name: _read_block(block, problems) for name, block in blocks_of(cls)}
        if problems:
            raise SettingsError(problems)
        try:
            settings = cls.model_validate(blocks)
        except ValidationError as error:
            raise SettingsError([explain(detail) for detail in error.errors()]) from None
        values: list[Block] = [getattr(settings, name) for name, _ in blocks_of(cls)]
        if problems := unsafe(settings.installation.mode, values):
            raise SettingsError(problems)
        return settings

    @classmethod
    def readable(cls) -> dict[str, str]:
        """Every variable of the blocks that can be read, as `summary` shows it, whatever is wrong with others."""
        shown: dict[str, str] = {}
        for _, block in blocks_of(cls):
            values = _read_block(block, [])
            shown |= {} if values is None else _shown(values)
        return shown

    def summary(self) -> dict[str, str]:
        """Every variable with its value in force; of a secret only whether it is set."""
        shown: dict[str, str] = {}
        for name, _ in blocks_of(type(self)):
            shown |= _shown(getattr(self, name))
        return shown

    def secrets(self) -> tuple[str, ...]:
        """The secret values in force, for the log filter alone."""
        blocks = (getattr(self, name) for name, _ in blocks_of(type(self)))
        values = (getattr(block, field) for block in blocks for field in type(block).model_fields)
        flat = (part for value in values for part in (value if isinstance(value, tuple) else (value,)))
        return tuple(part.get_secret_value() for part in flat if isinstance(part, SecretStr))


class DatabaseCommandSettings(SettingsGroup):
    """All that a command reads which only looks into, or writes, its service's database."""

    database: DatabaseSettings
    log: LogSettings = Field(default_factory=LogSettings)


class RulesCommandSettings(DatabaseCommandSettings):
    """The same for a command that also asks the organization's rules."""

    config: ConfigSettings


class BrokerCommandSettings(DatabaseCommandSettings):
    """The same for a command that also reads or publishes records."""

    kafka: KafkaSettings


class ServiceSettings(SettingsGroup):
    """Base of a service's settings: the blocks that every service has; each adds its own."""

    kafka: KafkaSettings
    database: DatabaseSettings
    config: ConfigSettings
    log: LogSettings = Field(default_factory=LogSettings)
    shutdown: ShutdownSettings = Field(default_factory=ShutdownSettings)
    side: SideSettings = Field(default_factory=SideSettings)


def blocks_of(settings: type[SettingsGroup]) -> Iterator[tuple[str, type[Block]]]:
    """The blocks of a settings class by field name, in order."""
    for name, field in settings.model_fields.items():
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, Block)):
            raise TypeError(f"{settings.__name__}.{name} is not a Block")
        yield name, field.annotation


def _read_block(block: type[Block], problems: list[str]) -> Block | None:
    try:
        return block()
    except ValidationError as error:
        problems.extend(
            _problem(block, str(next(iter(detail["loc"]), "")), explain(detail)) for detail in error.errors()
        )
    except SettingsError as error:
        problems.extend(error.problems)
    except UnreadableError as error:
        problems.append(str(error))
    return None


def _problem(block: type[Block], field_name: str, wrong: str) -> str:
    prefix = str(block.model_config.get("env_prefix", "")).lower()
    field_name = field_name.lower().removeprefix(prefix)  # a field with another name is told by its variable
    field = block.model_fields.get(field_name)
    if field is None:
        return f"{block.model_config.get('env_prefix', '')}*: {wrong}"
    name = env_name(block, field_name)
    either = f" (or {name}_FILE)" if is_secret(field.annotation) else ""
    return f"{name}{either}: {wrong}. {field.description}"


def _shown(values: Block) -> dict[str, str]:
    block = type(values)
    return {
        env_name(block, name): _show(getattr(values, name), field)
        for name, field in block.model_fields.items()
    }


def _show(value: object, field: FieldInfo) -> str:
    if is_secret(field.annotation):
        return HIDDEN if value else NOT_SET
    return as_text(value)


def as_text(value: object) -> str:
    """A value as it would be written in the environment."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return format_duration(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable as `.env.example` and the operators' page show it."""

    name: str
    default: str | None
    """As it is written in the environment; None: it must be set."""
    meaning: str
    secret: bool
    allowed: str


def describe(settings: type[SettingsGroup]) -> tuple[Variable, ...]:
    """Every variable of a settings class, in the order of its blocks."""
    return tuple(
        _variable(block, name, field)
        for _, block in blocks_of(settings)
        for name, field in block.model_fields.items()
    )


def _variable(block: type[Block], name: str, field: FieldInfo) -> Variable:
    secret = is_secret(field.annotation)
    default = (
        None
        if field.is_required()
        else ("" if secret else as_text(field.get_default(call_default_factory=True)))
    )
    allowed = ", ".join(allowed_values(field.annotation)) or limits(field.metadata)
    return Variable(env_name(block, name), default, field.description or "", secret, allowed)
