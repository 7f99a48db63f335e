"""The organization's rules: one YAML file, one section per service, checked against a frozen model.

    policy = Section("csat", CsatPolicy).load(settings.config.file)

Every mistake is named with its place: `config/supportops.yaml:12: csat.survey_after: what is wrong; allowed: …`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from supportops.config.durations import Duration, parse_duration
from supportops.config.validation_messages import explain, suggest
from supportops.errors import SupportOpsError

__all__ = [
    "ConfigError",
    "Duration",
    "Listed",
    "Mistakes",
    "Place",
    "Rules",
    "Section",
    "load",
    "load_list",
    "mistakes_in",
    "parse_duration",
]

type Place = tuple[str | int, ...]
"""Where a value stands in the document: keys and list positions from the top."""


class ConfigError(SupportOpsError):
    """The rules cannot be used; the message names file, line, field and what is allowed, a line per mistake."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("The rules cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))


class Mistakes(ValueError):
    """What a model finds when it compares values: several at once, each with the place of the one to change.

    raise Mistakes({("page", "locale"): "there are no texts for it; allowed: en, de"})
    """

    def __init__(self, by_place: Mapping[Place, str]) -> None:
        self.by_place = dict(by_place)
        super().__init__("; ".join(f"{_field(place)}: {wrong}" for place, wrong in self.by_place.items()))


class Rules(BaseModel):
    """Base of every model of rules: frozen, and unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Section[R: Rules]:
    """A service's section of the rules' file; `also` checks what a model cannot, such as files that rules name.

    `also` takes the rules and the path of their file, and raises ConfigError.
    """

    name: str
    model: type[R]
    also: Callable[[R, Path], None] | None = None

    def load(self, file: Path) -> R:
        """The section in `file`, checked. Raises ConfigError."""
        rules = load(file, self.name, self.model)
        if self.also is not None:
            self.also(rules, file)
        return rules


def load[R: Rules](path: Path, section: str, model: type[R]) -> R:
    """One section of the file as `model` (`csat: {}` means: all by default). Raises ConfigError."""
    document, lines = _read(path)
    if section not in document:
        raise ConfigError([f'{path}:1: the section "{section}" is missing{suggest(section, document)}'])
    try:
        return model.model_validate(document[section] if document[section] is not None else {})
    except ValidationError as error:
        raise ConfigError(
            [
                _problem(path, lines, (section,), each, model)
                for detail in error.errors()
                for each in _apart(detail)
            ]
        ) from None


def mistakes_in(path: Path, section: str, by_place: Mapping[Place, str]) -> ConfigError:
    """The error for mistakes that were found after the rules were loaded, with their lines."""
    _, lines = _read(path)
    found = {(section, *place): wrong for place, wrong in by_place.items()}
    return ConfigError(
        [f"{path}:{_line_of(at, lines)}: {_field(at)}: {wrong}" for at, wrong in found.items()]
    )


@dataclass(frozen=True)
class Listed[M: Rules]:
    """The entries of a file that rules name, with their lines."""

    file: Path
    entries: tuple[M, ...]
    lines: Mapping[Place, int]

    def mistake(self, place: Place, wrong: str) -> str:
        """What is wrong at a place, which begins with the entry's position."""
        return f"{self.file}:{_line_of(place, self.lines)}: {_field(place)}: {wrong}"


def load_list[M: Rules](path: Path, model: type[M]) -> Listed[M]:
    """A file that holds a list of `model`, such as reviewed exceptions; an empty file is an empty list.

    Raises ConfigError.
    """
    with _reading(path):
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if node is None:
            return Listed(path, (), {})
        if not isinstance(node, yaml.SequenceNode):
            raise ConfigError([f"{path}:{node.start_mark.line + 1}: must be a list of entries"])
        _refuse_duplicates(path, node)
        document, lines = loader.construct_document(node), dict(_lines(node, ()))
    try:
        entries = TypeAdapter(tuple[model, ...]).validate_python(tuple(document))  # type: ignore[valid-type]  # a value
    except ValidationError as error:
        details = [each for detail in error.errors() for each in _apart(detail)]
        raise ConfigError([_problem(path, lines, (), each, model) for each in details]) from None
    return Listed(path, entries, lines)


@contextmanager
def _reading(path: Path, hint: str = "") -> Iterator[None]:
    """What a file that cannot be read, or is no YAML, comes to; `hint`: who names it."""
    try:
        yield
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}{hint}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from error
    except yaml.YAMLError as error:
        raise ConfigError([_not_yaml(path, error)]) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """The document and the line of every value in it."""
    with _reading(path, " (CONFIG_FILE names the file)"):
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError([f"{path}:1: must be a mapping of sections, such as csat: and notifier:"])
        _refuse_duplicates(path, node)
        document: dict[str, Any] = loader.construct_document(node)
    return document, dict(_lines(node, ()))


def _not_yaml(path: Path, error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{path}:{error.problem_mark.line + 1}: is not YAML: {error.problem}"
    return f"{path}: is not YAML: {error}"


def _refuse_duplicates(path: Path, top: yaml.Node) -> None:
    """YAML readers let the last of two equal keys win, silently; an operator cannot want that."""
    seen: dict[Place, int] = {}
    problems = []
    for place, line in _lines(top, ()):
        if place and place in seen and place[-1] != "<<":
            problems.append(f"{path}:{line}: {_field(place)}: is given twice, first in line {seen[place]}")
        seen.setdefault(place, line)
    if problems:
        raise ConfigError(problems)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    """Every place in the tree below `node` with its line; of a value in a mapping the line of its key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, key.value)
            yield inner, key.start_mark.line + 1
            yield from _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            inner = (*place, position)
            yield inner, value.start_mark.line + 1
            yield from _lines(value, inner)


def _problem(
    path: Path, lines: Mapping[Place, int], above: Place, detail: ErrorDetails, model: type[Rules]
) -> str:
    """`above`: where the model stands; nothing for an entry of a list, whose place begins with its position."""
    place: Place = (*above, *detail["loc"])
    wrong = explain(detail)
    if detail["type"] == "extra_forbidden":
        wrong = f"is not known{suggest(str(place[-1]), _keys_at(model, place[1:-1]))}"
    return f"{path}:{_line_of(place, lines)}: {_field(place)}: {wrong}"


def _apart(detail: ErrorDetails) -> Iterator[ErrorDetails]:
    """One detail per mistake: those that a model found by comparing come in one."""
    error = detail.get("ctx", {}).get("error")
    if not isinstance(error, Mistakes):
        yield detail
        return
    for place, wrong in error.by_place.items():
        yield {**detail, "loc": (*detail["loc"], *place), "ctx": {"error": ValueError(wrong)}}


def _line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of a place, or of the nearest thing around it (a missing key has no line)."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _field(place: Place) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")


def _keys_at(annotation: object, place: Place) -> set[str]:
    """The keys that a model allows at a place below it; empty when that cannot be told."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            return {field.alias or name for name, field in annotation.model_fields.items()}
        field = annotation.model_fields.get(str(place[0]))
        return _keys_at(field.annotation, place[1:]) if field else set()
    origin = get_origin(annotation)
    is_container = isinstance(origin, type) and issubclass(origin, Sequence | Mapping)
    below = place[1:] if is_container else place
    return {key for part in get_args(annotation) for key in _keys_at(part, below)}
