"""Forms as they arrive: limited, decoded, and nothing assumed of what is in them."""

from typing import Literal
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 20

type Why = Literal["type", "too_long", "unreadable", "gone"]


class UnusableForm(Exception):
    """There is no form to work with: `why`. `gone`: its sender has left, and nobody reads the answer."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


async def read_form(request: Request, limit: int) -> dict[str, str]:
    """The first value of each field of a form of at most `limit` bytes. UnusableForm."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise UnusableForm("type")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise UnusableForm("too_long")
    except ClientDisconnect:
        raise UnusableForm("gone") from None
    return parse_form(bytes(body))


def parse_form(body: bytes) -> dict[str, str]:
    """The fields of a body. UnusableForm when it is not UTF-8 or has more than `MOST_FIELDS` fields."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise UnusableForm("unreadable") from None
    return {name: values[0] for name, values in fields.items()}
