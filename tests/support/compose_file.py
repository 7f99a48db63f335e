"""docker-compose.yml as Compose reads it: what each container's environment is with the variables of a file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def compose_document() -> dict[str, Any]:
    """The file, nothing put in yet."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def env_file(text: str) -> dict[str, str]:
    """The variables of a `.env` file: NAME=value lines, values perhaps in single quotes."""
    lines = (line.partition("=") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value.removeprefix("'").removesuffix("'") for name, _, value in lines}


def environment_of(container: str, variables: Mapping[str, str]) -> dict[str, str]:
    """What a container gets; a variable without a value in the file is handed on when it is set."""
    found: dict[str, str] = {}
    for name, value in compose_document()["services"][container]["environment"].items():
        if value is not None:
            found[name] = interpolated(str(value), variables)
        elif name in variables:
            found[name] = variables[name]
    return found


def secret_files() -> dict[str, str]:
    """The secrets that the file names, each with the path of its file as written."""
    return {name: secret["file"] for name, secret in compose_document()["secrets"].items()}


def with_secrets_in(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """A container's environment, with the files that Compose would mount taken from `folder`."""
    return {
        name: value.replace("/run/secrets/", f"{folder}/") if name.endswith("_FILE") else value
        for name, value in environment.items()
    }


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Compose's `$$`, `${NAME}`, `${NAME:-word}`, `${NAME-word}`, `${NAME:+word}`, `${NAME+word}`; words may nest."""
    done, at = "", 0
    while (found := text.find("$", at)) != -1:
        done += text[at:found]
        if text.startswith("$$", found):
            done, at = done + "$", found + 2
            continue
        end = _closing(text, found)
        done += _value(text[found + 2 : end], variables)
        at = end + 1
    return done + text[at:]


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    raise ValueError(f"not closed: {text[start:]}")


def _value(inside: str, variables: Mapping[str, str]) -> str:
    name = _NAME.match(inside)
    assert name is not None, inside
    given, rest = variables.get(name[0]), inside[name.end() :]
    operator = re.match(r":?[-+]", rest)
    if operator is None:
        return given or ""
    counts = bool(given) if operator[0].startswith(":") else given is not None
    word = interpolated(rest[operator.end() :], variables)
    if operator[0].endswith("+"):
        return word if counts else ""
    return (given or "") if counts else word
