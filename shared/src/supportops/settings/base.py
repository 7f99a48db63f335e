"""Settings: frozen blocks read once from the environment, composed into one class per service.

A block is a group of variables with one prefix (`KAFKA_…`). Every secret may be given as `NAME` or as
`NAME_FILE`, the path of a file that holds it. A variable that is set to nothing counts as not set.
What is missing or wrong is reported together, by name, in one `SettingsError`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableError

from supportops.durations import format_duration
from supportops.errors import SupportOpsError
from supportops.problems import allowed_values, explain, limits

HIDDEN = "(set, not shown)"


class SettingsError(SupportOpsError):
    """Variables are missing or wrong; the message lists each of them by name."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"The settings cannot be used, {len(problems)} to put right:\n{lines}")


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.replace("\n", ",").split(",") if part.strip())
    return value


TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several values in one variable, separated by commas."""
SecretList = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""Several secrets in one variable (or one a line in its file), the current first: rotation loses nothing."""


def env_name(block: type[BaseSettings], field_name: str) -> str:
    """The environment variable of one field."""
    return f"{block.model_config.get('env_prefix', '')}{field_name}".upper()


def is_secret(annotation: object) -> bool:
    """Whether values of this annotation must never be shown."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` for the secrets whose `NAME` is not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{env_name(self.settings_cls, field_name)}_FILE"
        path = os.environ.get(variable, "")
        if not path or not is_secret(field.annotation):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                [f"{variable}: the file {path} cannot be read ({type(error).__name__})"]
            ) from error

    def __call__(self) -> dict[str, Any]:
        missing = [
            item for item in self.settings_cls.model_fields.items() if item[0] not in self.current_state
        ]
        values = ((name, self.get_field_value(field, name)[0]) for name, field in missing)
        return {name: value for name, value in values if value is not None}


class Block(BaseSettings):
    """A frozen group of variables that share a prefix: subclass it and set `env_prefix`.

    Every field has a description: it is the one line of meaning in `.env.example`.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_unused: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first (tests), then the environment, then the files named by `*_FILE`."""
        return init_settings, env_settings, _SecretFiles(settings_cls)


class ServiceSettings(BaseModel):
    """Base of a service's settings: one field per block; a model validator may compare blocks."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    @classmethod
    def load(cls) -> Self:
        """Read all blocks from the environment; SettingsError names every variable missing or wrong."""
        problems: list[str] = []
        blocks = {name: _read_block(block, problems) for name, block in blocks_of(cls)}
        if problems:
            raise SettingsError(problems)
        try:
            return cls.model_validate(blocks)
        except ValidationError as error:
            raise SettingsError([explain(detail) for detail in error.errors()]) from None

    def summary(self) -> dict[str, str]:
        """Every variable with its value in force; of a secret only whether it is set."""
        shown: dict[str, str] = {}
        for name, block in blocks_of(type(self)):
            values = getattr(self, name)
            for field_name, field in block.model_fields.items():
                shown[env_name(block, field_name)] = _show(getattr(values, field_name), field)
        return shown

    def secrets(self) -> tuple[str, ...]:
        """The secret values in force, for the log filter alone."""
        blocks = (getattr(self, name) for name, _ in blocks_of(type(self)))
        values = (getattr(block, field) for block in blocks for field in type(block).model_fields)
        flat = (part for value in values for part in (value if isinstance(value, tuple) else (value,)))
        return tuple(part.get_secret_value() for part in flat if isinstance(part, SecretStr))


def blocks_of(settings: type[ServiceSettings]) -> Iterator[tuple[str, type[Block]]]:
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
            _problem(block, cast(str, detail["loc"][0]) if detail["loc"] else "", explain(detail))
            for detail in error.errors()
        )
    except SettingsError as error:
        problems.extend(error.problems)
    except UnreadableError as error:
        problems.append(str(error))
    return None


def _problem(block: type[Block], field_name: str, wrong: str) -> str:
    field = block.model_fields.get(field_name)
    if field is None:
        return f"{block.model_config.get('env_prefix', '')}*: {wrong}"
    name = env_name(block, field_name)
    either = f" (or {name}_FILE)" if is_secret(field.annotation) else ""
    return f"{name}{either}: {wrong}. {field.description}"


def _show(value: object, field: FieldInfo) -> str:
    if is_secret(field.annotation):
        return HIDDEN if value else "(not set)"
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


def describe(settings: type[ServiceSettings]) -> tuple[Variable, ...]:
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
