"""How the workers of pytest-xdist share a run: who collects what first, in which order tests run, which stay together.

Two facts are behind it. Both cores should be busy from the first second to the last, though one test waits for a
minute and a hundred others never do; and what each worker does for itself is done six times.
"""

from pathlib import Path
from zlib import crc32

import pytest
from xdist.scheduler.loadgroup import LoadGroupScheduling

TESTS = Path(__file__).parents[1]
UNIT = "tests/unit/"
LONG = ("chaos", "e2e", "browser")
"""Markers of tests that take long: they begin in the first half of a run, so that none is alone at its end."""


class Distribution(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Each test goes to whoever is free; a module of unit tests, and an `xdist_group`, go to one worker as a whole: to
    hand out thousands of tests that take a millisecond one by one costs more than they do.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _module(nodeid) if nodeid.startswith(UNIT) else super()._split_scope(nodeid)


def collect_from_another_end(config: pytest.Config, worker: int, workers: int) -> None:
    """Have each worker begin with folders of its own, where the run is of all tests.

    Test modules are compiled by whoever comes first, after a change or in a fresh clone: workers that begin together
    compile every module six times, and those that begin elsewhere find most of it done.
    """
    if [Path(each).resolve() for each in config.args] == [TESTS]:
        ignored = {Path(each).resolve() for each in config.getoption("ignore") or ()}
        folders = [str(folder) for folder in folders_of_tests() if folder not in ignored]
        first = worker * len(folders) // workers
        config.args[:] = folders[first:] + folders[:first]


def folders_of_tests() -> list[Path]:
    """Folders that together hold every test once, none within another."""
    return sorted(
        folder
        for pattern in ("integration/*", "unit/*", "[!iu]*")
        for folder in TESTS.glob(pattern)
        if any(folder.rglob("test_*.py"))
    )


def mix(items: list[pytest.Item]) -> None:
    """Put tests into an order that is the same in every worker and has no system: those that wait come to run beside
    those that do not. A module of unit tests stays together.
    """
    items.sort(key=lambda item: (_place(item), _module(item.nodeid)))


def _place(item: pytest.Item) -> float:
    name = _module(item.nodeid) if item.nodeid.startswith(UNIT) else item.nodeid
    early = 0.5 if any(item.get_closest_marker(marker) for marker in LONG) else 1.0
    return crc32(name.encode()) * early


def _module(nodeid: str) -> str:
    return nodeid.partition("::")[0]
