"""`check-config`: everything that is wrong with settings and rules, at once, without touching network or database.

csat check-config                    settings from the environment, and the file that CONFIG_FILE names
csat check-config new-rules.yaml     that file alone, before it is rolled out; no variable needs to be set
csat check-config --show             the rules in force, defaults included
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from supportops.config import ConfigSettings, ServiceSettings, SettingsError
from supportops.config.rules_file import ConfigError, Rules, Section
from supportops.runtime.output import Row, emit

VALID, UNUSABLE = 0, 2


def check_config_command[R: Rules](
    service: str, settings: type[ServiceSettings], section: Callable[[], Section[R]]
) -> Callable[..., None]:
    """The command of one service."""

    def check_config(
        file: Annotated[
            Path | None, typer.Argument(help="Check this file alone, instead of what CONFIG_FILE names.")
        ] = None,
        show: Annotated[bool, typer.Option("--show", help="Show the rules in force, with defaults.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        problems = [] if file is not None else _settings_problems(settings)
        path = file if file is not None else _configured()
        rules = None
        if path is not None:
            rules, wrong = _rules_of(path, section())
            problems += wrong
        _print(service, path, problems, rules if show else None, as_json=as_json)
        raise typer.Exit(UNUSABLE if problems else VALID)

    return check_config


def _settings_problems(settings: type[ServiceSettings]) -> list[str]:
    try:
        settings.load()
    except SettingsError as error:
        return list(error.problems)
    return []


def _configured() -> Path | None:
    """The file that the environment names, whatever else is wrong there; None: that very name is unusable."""
    try:
        return ConfigSettings().file
    except ValueError:
        return None


def _rules_of[R: Rules](path: Path, section: Section[R]) -> tuple[R | None, list[str]]:
    try:
        rules = section.load(path)
    except ConfigError as error:
        return None, list(error.problems)
    return rules, []


def _print(
    service: str, path: Path | None, problems: list[str], rules: Rules | None, *, as_json: bool
) -> None:
    values = rules.model_dump(mode="json") if rules is not None else None
    if as_json:
        emit({"valid": not problems, "problems": problems, "rules": values}, as_json=True)
        return
    if values is not None:
        emit([{"rule": name, "value": value} for name, value in flat(values)], as_json=False)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        typer.echo(f"{service}: {len(problems)} to put right:\n{lines}", err=True)
    else:
        typer.echo(f"{service}: valid: {path}")


def flat(values: Row, above: str = "") -> list[tuple[str, object]]:
    """Nested rules as lines: `page.locale` and its value."""
    found: list[tuple[str, object]] = []
    for name, value in values.items():
        full = f"{above}{name}"
        nested: Any = value
        found += flat(nested, f"{full}.") if isinstance(nested, dict) and nested else [(full, value)]
    return found
