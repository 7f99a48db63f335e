"""Settings: frozen blocks read once from the environment, composed into one class per service.

A block is a group of variables with one prefix (`KAFKA_…`). Every secret may be given as `NAME` or as
`NAME_FILE`, the path of a file that holds it. A variable, or such a file, with nothing in it counts as not set.
What is missing or wrong is reported together, by name, in one `SettingsError`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args

from pydantic import BeforeValidator, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from supportops.errors import SupportOpsError


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

    def variable(self, field_name: str) -> str:
        """The variable that names the file."""
        return f"{env_name(self.settings_cls, field_name)}_FILE"

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = self.variable(field_name)
        path = os.environ.get(variable, "")
        if not path or not is_secret(field.annotation):
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None, field_name, False
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


class _FormerNames(_SecretFiles):
    """Reads what is not set under its name by the one that it had before (`former_prefix`), value or file."""

    def variable(self, field_name: str) -> str:
        return f"{self._former(field_name)}_FILE"

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value = os.environ.get(self._former(field_name)) if self._prefix else None
        if value:
            return value, field_name, False
        return super().get_field_value(field, field_name) if self._prefix else (None, field_name, False)

    @property
    def _prefix(self) -> str:
        return str(getattr(self.settings_cls, "former_prefix", ""))

    def _former(self, field_name: str) -> str:
        return f"{self._prefix}{field_name}".upper()


class Block(BaseSettings):
    """A frozen group of variables that share a prefix: subclass it and set `env_prefix`.

    Every field has a description: it is the one line of meaning in `.env.example`. Variables that began with
    `former_prefix` until the last release are still read.
    """

    former_prefix: ClassVar[str] = ""

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
        """Arguments first (tests), then the environment, the files named by `*_FILE`, and former names."""
        return init_settings, env_settings, _SecretFiles(settings_cls), _FormerNames(settings_cls)

    def credentials(self) -> Iterator[tuple[str, str]]:
        """Every secret that is set, by its variable: for the checks of secrets alone."""
        for field_name in type(self).model_fields:
            value = getattr(self, field_name)
            for secret in value if isinstance(value, tuple) else (value,):
                if isinstance(secret, SecretStr) and secret.get_secret_value():
                    yield env_name(type(self), field_name), secret.get_secret_value()

    def outside_accounts(self) -> Iterator[tuple[str, bool]]:
        """The addresses of accounts outside, by their variables, each with whether it is a stand-in's."""
        yield from ()
