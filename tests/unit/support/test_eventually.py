"""Deadlines of tests grow with what else the machine does."""

import pytest

from tests.support.eventually import MOST, NotYet, eventually, eventually_now, patience
from tests.support.for_each import for_each


@for_each("load, cores, times", [(0.1, 2, 1), (2, 2, 1), (8, 2, 4), (900, 2, MOST), (3, None, 3)])
def test_a_busy_machine_gets_more_time(load: float, cores: int | None, times: float) -> None:
    assert patience(10, lambda: load, cores) == 10 * times


async def test_what_never_comes_true_ends() -> None:
    with pytest.raises(NotYet, match=r"^the sun did not come true within .*last seen: 0$"):
        eventually_now(lambda: 0, within=0.01, about="the sun")
    with pytest.raises(NotYet, match="not yet dark"):
        await eventually(never, within=0.01)


def never() -> bool:
    raise AssertionError("not yet dark")
