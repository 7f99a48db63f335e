"""What documents, docstrings and comments name is there: files, tests, commands, targets, settings, keys, sections."""

import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from tests.architecture import tree
from tests.architecture.tree import ROOT

COMMANDS = {"csat": "csat", "ingest": "ingest", "sfdc-sync": "sfdc_sync", "notifier": "notifier"}
PACKAGES = ("supportops", "sandbox", *COMMANDS.values())
SUFFIXES = "py|md|yaml|yml|toml|html|css|js|csv|sh|env|lock"
WRITTEN_BY_A_RUN = {"endpoints.json", "settings.toml"}
EXAMPLES = {"fr.yaml", "pt-BR.yaml", "new-rules.yaml"}
MADE_UP = "archive/"  # the service that docs/adding-a-service.md builds, and its test with it
LOOKS_LIKE_A_FILE = {"gitlab.html"}  # a kind of entry in the sandbox's ledger
NOT_OURS = {"ignore_startup_parameters", "meta.sequence.id"}  # PgBouncer's, Zendesk's

# A decision is of its day and may name what has gone since.
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / ".env.example"]
    + [page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts]
)
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@cache
def files() -> frozenset[str]:
    """Every file of the repository, as a path from its root."""
    parts = ("shared", "services", "sandbox", "tests", "bench", "docs", "config", "deploy", ".ci")
    below = [path for part in parts for path in (ROOT / part).rglob("*") if path.is_file()]
    top = [path for path in ROOT.iterdir() if path.is_file()]
    return frozenset(str(path.relative_to(ROOT)) for path in [*below, *top])


@cache
def called(last: str) -> tuple[str, ...]:
    """The files whose path ends with this name."""
    return tuple(name for name in files() if Path(name).name == last)


@cache
def folders() -> frozenset[str]:
    return frozenset(str(parent) for name in files() for parent in Path(name).parents)


@cache
def corpus() -> frozenset[str]:
    """Every word, dotted or not, that code and configuration consist of; documents are not asked about themselves."""
    ends = (
        ".py",
        ".yaml",
        ".yml",
        ".toml",
        ".html",
        ".css",
        ".js",
        ".csv",
        ".sh",
        ".env",
        "Dockerfile",
        "Makefile",
    )
    named = [name for name in files() if name.endswith(ends) and not name.startswith("docs/")]
    words: set[str] = set()
    for name in [*named, ".env.example"]:
        for found in re.findall(r"[A-Za-z_][\w.-]*", (ROOT / name).read_text(encoding="utf-8")):
            words.update((found.rstrip("."), *re.split(r"[.-]", found)))
    return frozenset(words)


@cache
def anchors(name: str) -> frozenset[str]:
    """The sections of a page, as its links call them."""
    heads = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads)


@cache
def command_of(service: str) -> Any:
    app = importlib.import_module(f"{COMMANDS[service]}.__main__").app
    app.complete()
    return typer.main.get_command(app)


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def policies() -> dict[str, type[BaseModel]]:
    """The sections of the rules file."""
    wirings = (importlib.import_module(f"{package}.wiring") for package in COMMANDS.values())
    return {wiring.POLICY.name: wiring.POLICY.model for wiring in wirings}


def is_rule(path: str) -> bool:
    """Whether `path` (`csat.numbers.time_zone`, or without its section) is a key of the rules file."""
    first, *rest = path.split(".")
    if first in policies():
        return _has_keys(policies()[first], rest)
    return any(_has_keys(model, [first, *rest]) for model in policies().values())


def _has_keys(model: object, keys: list[str]) -> bool:
    if not keys:
        return True
    field = getattr(model, "model_fields", {}).get(keys[0])
    if field is None:
        return False
    return any(_has_keys(kind, keys[1:]) for kind in (field.annotation, *get_args(field.annotation)))


def spans(text: str) -> Iterator[str]:
    """What stands between backticks."""
    yield from re.findall(r"`([^`\n]+)`", text)


def missing_paths(text: str) -> Iterator[str]:
    """Names of files (with `::test`, too) and folders that nothing in the repository ends with."""
    for named, test in re.findall(
        rf"(?<![\w/.:{{*-])((?:[\w.-]+/)*[\w-]+\.(?:{SUFFIXES}))\b(?:::(\w+))?", text
    ):
        below = re.sub(r"^(\.\./)+", "", named)  # of a link; missing_links looks where it leads
        there = [name for name in called(Path(named).name) if f"/{name}".endswith(f"/{below}")]
        if Path(named).name in WRITTEN_BY_A_RUN | EXAMPLES | LOOKS_LIKE_A_FILE or MADE_UP in named:
            continue
        if not there:
            yield named
        elif test and not any(re.search(rf"\b{test}\b", (ROOT / name).read_text()) for name in there):
            yield f"{named}::{test}"


def missing_folders(text: str) -> Iterator[str]:
    for span in spans(text):
        if re.fullmatch(r"(?:[a-z][\w-]*/)+", span):
            folder = span.rstrip("/")
            if not span.endswith(MADE_UP) and not any(
                name == folder or name.endswith(f"/{folder}") for name in folders()
            ):
                yield span


def missing_sections(text: str) -> Iterator[str]:
    """Cited sections of pages, and rules by number, that are not there."""
    for name, anchor in re.findall(r"(docs/[\w/-]+\.md)#([\w-]+)", text):
        if name in files() and anchor not in anchors(name):
            yield f"{name}#{anchor}"
    rules = (ROOT / "docs/rules.md").read_text()
    for cited in re.findall(r"docs/rules\.md ((?:[CSN]\d+(?:-[CSN]\d+)?(?:, | and )?)+)", text):
        for rule in re.findall(r"[CSN]\d+", cited):
            if f"| {rule} |" not in rules:
                yield f"docs/rules.md {rule}"


def examples(text: str) -> Iterator[str]:
    """The lines of fenced and indented blocks, as a reader types them."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```|^((?:    .*\n)+)", text, re.MULTILINE | re.DOTALL)
    for fenced, indented in blocks:
        for line in (fenced or indented).splitlines():
            yield re.split(r"\s#|\|", line.strip().removeprefix("$ "))[0].strip()


def missing_options(text: str) -> Iterator[str]:
    """Options of our commands (`csat kpi --json`) that the command named before them does not have."""
    for span in (*spans(text), *examples(text)):
        first, *words = span.split() or [""]
        if first in COMMANDS:
            command, words = command_of(first), [word.strip("[]") for word in words]
            for word in words:
                command = getattr(command, "commands", {}).get(word, command)
            known = {"--help", *(option for given in command.params for option in given.opts)}
            wanted = {word.partition("=")[0] for word in words if word.startswith("--")}
            yield from (f"{span}: {option}" for option in sorted(wanted - known))


def missing_commands(text: str) -> Iterator[str]:
    for span in (*spans(text), *examples(text)):
        first, *words = span.split() or [""]
        if first == "make" and words and words[0] not in targets():
            yield span
        if first in COMMANDS and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
            command = command_of(first)
            for word in words:
                below = getattr(command, "commands", None)  # of a group; a command has arguments instead
                if below is None or word.startswith("-"):  # an option of the group itself
                    break
                command = below.get(word)
                if command is None:
                    yield span
                    break


def missing_names(text: str) -> Iterator[str]:
    """Settings (DATABASE_URL), keys and names in code (`survey_after: 24h`, `numbers.time_zone`, `csat.kpi.api`)."""
    for span in spans(text):
        name = re.sub(r"(?<=\w):( .*)?$", "", span)
        if name.endswith(tuple(f".{suffix}" for suffix in SUFFIXES.split("|"))):
            continue  # a file, looked for above
        if not re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[a-z]\w*(_\w+)+|[a-z]\w*(\.[a-z]\w*)+", name):
            continue
        known = {name, name.removesuffix("_FILE"), name.removeprefix("supportops_").removesuffix("_total")}
        if not known & (corpus() | NOT_OURS) and not is_rule(name):
            yield span


def missing_modules(text: str) -> Iterator[str]:
    """Dotted names of ours that can be imported neither as a module nor as something in one."""
    for span in spans(text):
        if (
            re.fullmatch(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+", span)
            and not _importable(span)
            and span not in corpus()
        ):
            yield span


def _importable(name: str) -> bool:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def missing_links(page: Path, text: str) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and anchor not in anchors(str(path.relative_to(ROOT)))):
            yield target


CHECKS = (missing_paths, missing_folders, missing_sections, missing_commands, missing_names, missing_modules)


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_what_a_page_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    prose = re.sub(r"https?://\S+|^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    about_others = "vendors/" in name  # full of names that are not ours
    missing = [
        found for check in CHECKS if not (about_others and check is missing_names) for found in check(prose)
    ]
    typed = [found for check in (missing_commands, missing_options) for found in check(text)]
    assert missing + typed + list(missing_links(ROOT / name, prose)) == []


def remarks(module: tree.Module) -> str:
    """Docstrings and comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(module.text).readline)
    return "\n".join(
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT
        or (token.type == tokenize.STRING and token.string.startswith(('"""', 'r"""')))
    )


def test_what_docstrings_and_comments_name_is_there() -> None:
    checks = (missing_paths, missing_sections, missing_commands, missing_modules)
    texts = {module.path: remarks(module) for module in (*tree.sources(), *tree.tests(), *tree.benches())}
    missing = [
        f"{path}: {found}" for path, text in texts.items() for check in checks for found in check(text)
    ]
    assert missing == []


def test_nothing_cites_a_document_that_nobody_has() -> None:
    """Facts stand in docs/vendors and docs/rules.md; a number of a paper outside the repository helps no reader."""
    elsewhere = re.compile(
        r"\b[Dd]esign §|\bhandbook [A-Z]\d|(?<![/\w])(?:zendesk|slack|salesforce|gitlab)\.md §?\d"
    )
    modules = (*tree.sources(), *tree.tests(), *tree.benches())
    texts = {module.path: module.text for module in modules} | {
        name: (ROOT / name).read_text() for name in PAGE_NAMES
    }
    del texts["tests/architecture/test_documents.py"]
    assert [name for name, text in texts.items() if elsewhere.search(text)] == []


def test_every_decision_has_a_number_of_its_own_and_a_line_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text()
    heads = {page.name: page.read_text().partition("\n")[0] for page in sorted(folder.glob("0*.md"))}
    titles = {name: head.removeprefix(f"# {int(name[:4])}. ") for name, head in heads.items()}
    assert [head for name, head in heads.items() if head == titles[name]] == []  # no number, or another one
    assert len({name[:4] for name in heads}) == len(heads)
    lines = [f"- [{int(name[:4])}. {title}]({name})" for name, title in titles.items()]
    assert [line for line in lines if index.count(line) != 1] == []
    assert index.count("](0") == len(lines)  # none that is gone
