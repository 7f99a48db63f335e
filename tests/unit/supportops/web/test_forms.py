"""Forms, as they arrive or do not."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.requests import Request

from supportops.web.forms import FORM, UnusableForm, read_form
from tests.support.for_each import for_each

BODY = {"type": "http.request", "body": b"a=1&b=%C3%BC&a=2", "more_body": False}
HALF = {"type": "http.request", "body": b"a=1&", "more_body": True}
GONE = {"type": "http.disconnect"}


def request(*messages: dict[str, Any], kind: str = FORM) -> Request:
    """A POST whose body arrives in these messages."""
    left = list(messages)

    async def receive() -> MutableMapping[str, Any]:
        return left.pop(0)

    return Request({"type": "http", "headers": [(b"content-type", kind.encode())]}, receive)


async def test_the_first_value_of_each_field() -> None:
    assert await read_form(request(BODY), 100) == {"a": "1", "b": "ü"}
    assert await read_form(request(HALF, BODY, kind=f"{FORM}; charset=utf-8"), 100) == {"a": "1", "b": "ü"}


@for_each(
    "arrives, why",
    [
        (request(BODY, kind="application/json"), "type"),
        (request(BODY, kind=""), "type"),
        (request(HALF, HALF, BODY), "too_long"),
        (request({**BODY, "body": b"\xff=1"}), "unreadable"),
        (request(HALF, GONE), "gone"),  # a login that was aborted: no error of ours
    ],
)
async def test_what_is_no_form_says_why(arrives: Request, why: str) -> None:
    with pytest.raises(UnusableForm) as refused:
        await read_form(arrives, 20)
    assert refused.value.why == why
