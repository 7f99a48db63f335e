"""The budgets of style §6: hard stops fail, medians are printed (pytest -s shows them)."""

import statistics

import pytest

from tests.architecture import tree

FILE_STOP = 400
FUNCTION_STOP = 60
TEST_FUNCTION_STOP = 50
MODULES_PER_FOLDER = 12
PACKAGES_PER_SERVICE = 9  # a service that needs packages is read a package at a time (decision 0070)


def test_no_file_is_longer_than_the_hard_stop() -> None:
    modules = (*tree.sources(), *tree.tests(), *tree.benches())
    assert {module.path: module.lines for module in modules if module.lines > FILE_STOP} == {}


def test_no_function_is_longer_than_the_hard_stop() -> None:
    shipped = [entry for module in (*tree.sources(), *tree.benches()) for entry in module.functions()]
    in_tests = [entry for module in tree.tests() for entry in module.functions()]
    too_long = [entry for entry in shipped if entry[1] > FUNCTION_STOP]
    too_long += [entry for entry in in_tests if entry[1] > TEST_FUNCTION_STOP]
    assert too_long == []


def test_medians_are_within_their_aim() -> None:
    files = [module.lines for module in tree.sources() if module.lines > 1]
    functions = [lines for module in tree.sources() for _, lines in module.functions()]
    figures = {"file": statistics.median(files), "function": statistics.median(functions)}
    nineties = {"file": _ninetieth(files), "function": _ninetieth(functions)}
    tested = sum(module.lines for module in tree.tests()) / sum(files)
    print(f"\nmedian lines: {figures}; p90: {nineties}; test lines per source line: {tested:.2f}")
    assert figures["file"] <= 120
    assert figures["function"] <= 10


def _ninetieth(numbers: list[int]) -> float:
    return statistics.quantiles(numbers, n=10)[-1]


@pytest.mark.parametrize("service", tree.SERVICES)
def test_a_service_and_each_of_its_packages_have_few_modules(service: str) -> None:
    folders: dict[str, list[str]] = {}
    for module in tree.sources():
        if f"/src/{service}/" in module.path and "/migrations/" not in module.path:
            folders.setdefault(module.path.rpartition("/")[0], []).append(module.path)
    for paths in folders.values():
        assert len([path for path in paths if not path.endswith("__init__.py")]) <= MODULES_PER_FOLDER, paths
    assert len(folders) - 1 <= PACKAGES_PER_SERVICE, sorted(folders)
