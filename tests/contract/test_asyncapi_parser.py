"""The AsyncAPI project's own parser accepts docs/asyncapi.yaml, and refuses a broken one."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from supportops.contracts import EVENTS

HERE = Path(__file__).parent / "asyncapi"
DOCUMENT = Path("docs/asyncapi.yaml")


def install_parser() -> Path:
    """A folder with the parser installed, kept between runs; without node the test is skipped, in CI it fails."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are needed in CI")
        pytest.skip("no node on this machine")
    folder = Path(".cache/asyncapi-parser")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "check.mjs"):
        shutil.copyfile(HERE / name, folder / name)
    if not (folder / "node_modules" / ".package-lock.json").exists():
        install = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=110)
    return folder


def verdict(parser: Path, document: Path) -> tuple[int, dict[str, Any]]:
    command = ["node", "check.mjs", str(document.resolve())]
    done = subprocess.run(command, cwd=parser, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_the_parser_accepts_the_document_and_refuses_a_broken_one(tmp_path: Path) -> None:
    parser = install_parser()
    code, found = verdict(parser, DOCUMENT)
    assert [each for each in found["diagnostics"] if each["severity"] == 0] == []
    assert code == 0
    assert found["messages"] == len(EVENTS)
    broken = tmp_path / "broken.yaml"
    broken.write_text(DOCUMENT.read_text().replace("action: send", "action: shout", 1))
    assert verdict(parser, broken)[0] == 1
