"""Programs of others that need node: fetched once by their lock file, then run as processes of their own."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sandbox.demo import reaper
from tests.support.downloads import kept

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
    for file in source.iterdir():
        shutil.copyfile(file, folder / file.name)
    modules = folder / "node_modules"
    if modules.exists() and not modules.is_symlink():
        shutil.rmtree(modules)
    modules.unlink(missing_ok=True)
    modules.symlink_to(_fetched(npm, source) / "node_modules")
    return folder


def _fetched(npm: str, source: Path) -> Path:
    """What the lock file names, by the digest of the lock file."""

    def fetch(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(source / name, folder / name)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = reaper.run(command, folder=folder, seconds=FETCH_SECONDS)
        assert done.returncode == 0, done.stdout[-1500:]

    digest = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()[:16]
    return kept(f"node-{source.name}-{digest}", fetch)


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
