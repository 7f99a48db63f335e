"""The source tree as the architecture tests see it."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE_FOLDERS = (
    "shared/src",
    "services/ingest/src",
    "services/csat/src",
    "services/sfdc-sync/src",
    "services/notifier/src",
    "sandbox/src",
)
SERVICES = ("ingest", "csat", "sfdc_sync", "notifier")


@dataclass(frozen=True)
class Module:
    """One Python file, parsed."""

    path: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Lines, blank ones and comments included."""
        return self.text.count("\n")

    def functions(self) -> Iterator[tuple[str, int]]:
        """Every function with its number of lines, decorators left out."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield (
                    f"{self.path}:{node.lineno} {node.name}",
                    (node.end_lineno or node.lineno) - node.lineno + 1,
                )


def _read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(str(path.relative_to(ROOT)), text, ast.parse(text))


def _below(*folders: str) -> tuple[Module, ...]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(_read(path) for path in paths if "__pycache__" not in path.parts)


@cache
def sources() -> tuple[Module, ...]:
    """Every module that ships."""
    return _below(*SOURCE_FOLDERS)


@cache
def tests() -> tuple[Module, ...]:
    """Every module of the test tree."""
    return _below("tests")


@cache
def benches() -> tuple[Module, ...]:
    """Every module of the benchmarks."""
    return _below("bench")


@cache
def calls(module: Module) -> tuple[tuple[str, ast.Call], ...]:
    """Every call with the dotted name that is called, as written."""
    nodes = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
    return tuple((ast.unparse(node.func), node) for node in nodes)
