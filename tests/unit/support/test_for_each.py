"""A table of cases: every row is tried, and what failed is told with its row."""

import asyncio
from itertools import product

import pytest

from tests.support.for_each import MOST, for_each

TRIED: list[object] = []


@for_each("number, square", [(1, 1), (2, 5), (3, 8)])
def wrong_squares(number: int, square: int) -> None:
    assert number**2 == square


@for_each("left", [0, 1])
@for_each("right", "ab")
def stacked(left: int, right: str) -> None:
    TRIED.append((left, right))


@for_each("text", ["1", "x" * 9_000])
async def never_refused(text: str) -> None:
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="invalid literal"):
        int(text)


@for_each("number", [1, 0, 2, 0])
async def never_zero(number: int) -> None:
    await asyncio.sleep(0)
    assert number > 0


def test_all_that_failed_is_told_with_its_row() -> None:
    with pytest.raises(BaseExceptionGroup, match="2 of 3 rows failed") as caught:
        wrong_squares()
    assert [error.__notes__ for error in caught.value.exceptions] == [
        ["number = 2", "square = 5"],
        ["number = 3", "square = 8"],
    ]


def test_of_many_that_failed_the_first_are_shown_and_all_counted() -> None:
    with pytest.raises(BaseExceptionGroup, match="400 of 400 rows failed") as caught:
        for_each("number", range(400))(lambda number: 1 / (number - number))()
    assert len(caught.value.exceptions) == MOST


async def test_one_that_was_not_refused_is_told_as_it_is() -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE") as caught:
        await never_refused()
    assert caught.value.__notes__ == ["text = '1'"]


async def test_rows_that_wait_are_all_tried_as_well() -> None:
    with pytest.raises(BaseExceptionGroup, match="2 of 4 rows failed") as caught:
        await never_zero()
    assert [error.__notes__ for error in caught.value.exceptions] == [["number = 0"], ["number = 0"]]


def test_stacked_tables_are_a_product() -> None:
    stacked()
    assert sorted(TRIED, key=str) == sorted(product([0, 1], "ab"), key=str)


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would be tested"):
        for_each("a", [])
