"""Compose's preflight names everything that is missing, in one message."""

import runpy
from collections.abc import Callable
from typing import Any

import pytest

from tests.architecture.tree import ROOT

PREFLIGHT: dict[str, Any] = runpy.run_path(str(ROOT / "deploy/preflight.py"))
check: Callable[[dict[str, str], bool], tuple[int, str]] = PREFLIGHT["check"]
REQUIRED: tuple[str, ...] = PREFLIGHT["REQUIRED"]


def test_everything_set_starts_the_services() -> None:
    assert check(dict.fromkeys(REQUIRED, "x"), False)[0] == 0


def test_all_that_is_missing_is_named_at_once() -> None:
    code, said = check(dict.fromkeys(REQUIRED[2:], "x"), False)
    assert code == 1
    assert f"  {REQUIRED[0]}\n  {REQUIRED[1]}\n" in said
    assert REQUIRED[2] not in said


def test_the_sandbox_fills_the_gaps() -> None:
    assert check({}, True)[0] == 0


@pytest.mark.parametrize("sandbox", [True, False])
def test_values_are_never_shown(sandbox: bool) -> None:
    assert "hush" not in check({REQUIRED[0]: "hush"}, sandbox)[1]
