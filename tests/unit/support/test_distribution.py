"""How a run is shared out: nothing is forgotten, whoever begins where."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import distribution
from tests.support.distribution import TESTS


def collected(worker: int, workers: int, ignore: list[str]) -> list[str]:
    config: Any = SimpleNamespace(args=[str(TESTS)], getoption=lambda name: {"ignore": ignore}[name])
    distribution.collect_from_another_end(cast(pytest.Config, config), worker, workers)
    return cast(list[str], config.args)


def test_every_worker_collects_every_test_once_and_each_begins_elsewhere() -> None:
    shares = [collected(worker, 6, []) for worker in range(6)]
    assert len({share[0] for share in shares}) == 6
    for share in shares:
        files = [file for folder in share for file in (TESTS / folder).rglob("test_*.py")]
        assert sorted(files) == sorted(TESTS.rglob("test_*.py"))


def test_what_the_run_leaves_out_stays_out() -> None:
    everything = set(collected(0, 6, []))
    assert everything - set(collected(3, 6, [str(TESTS / "architecture")])) == {str(TESTS / "architecture")}


def test_a_run_of_some_tests_is_left_alone() -> None:
    config: Any = SimpleNamespace(args=["tests/unit"])
    distribution.collect_from_another_end(config, 1, 6)
    assert config.args == ["tests/unit"]
