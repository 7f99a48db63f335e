"""Programs of others that need node: fetched once by their lock file, then run as processes of their own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FETCH_SECONDS, RUN_SECONDS = 110, 60


def installed(source: Path) -> Path:
    """A folder with the files of `source` (package.json, package-lock.json, …) and what they name, kept between runs.

    Without node the test is skipped, in CI it fails.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are needed in CI")
        pytest.skip("no node on this machine")
    folder = Path(".cache") / f"node-{source.name}"
    folder.mkdir(parents=True, exist_ok=True)
    lock, fetched = source / "package-lock.json", folder / "fetched-lock.json"
    for file in source.iterdir():
        shutil.copyfile(file, folder / file.name)
    if not fetched.exists() or fetched.read_bytes() != lock.read_bytes():
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_SECONDS)
        shutil.copyfile(lock, fetched)
    return folder


def check(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """`node check.mjs ARGUMENTS`: its exit code and the JSON document that it prints. Raises what it said instead."""
    command = ["node", "check.mjs", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
    )
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise AssertionError(f"check.mjs: {done.stderr or done.stdout}") from error
    return done.returncode, found
