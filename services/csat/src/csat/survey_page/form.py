"""The page's forms, as they arrive: limited, decoded, and nothing assumed of what is in them."""

from collections.abc import Mapping
from urllib.parse import parse_qs

from fastapi import Request

from csat.survey_page.errors import Refused
from csat.survey_page.opt_out import Wish

FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 20
WISHES: Mapping[str, Wish] = {"stop": "stop", "resume": "resume"}


async def read_form(request: Request, limit: int) -> dict[str, str]:
    """The form's fields. Refused for another type, more than `limit` bytes, or what is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused(415, "unreadable")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused(413, "too_long")
    try:
        return parse_form(bytes(body))
    except ValueError:
        raise Refused(400, "unreadable") from None


def parse_form(body: bytes) -> dict[str, str]:
    """The first value of each field. ValueError when it is not UTF-8 or has more than `MOST_FIELDS` fields."""
    fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    return {name: values[0] for name, values in fields.items()}


def wish_in(fields: Mapping[str, str]) -> Wish | None:
    """What a form says about being asked in the future; None: it is a vote. Refused for anything else."""
    if "asking" not in fields:
        return None
    wish = WISHES.get(fields["asking"])
    if wish is None:
        raise Refused(400, "unreadable")
    return wish
