"""The page's forms, as they arrive: limited, decoded, and nothing assumed of what is in them."""

from collections.abc import Mapping

from fastapi import Request

from csat.survey_page.errors import Refused
from csat.survey_page.opt_out import Wish
from supportops.web.forms import UnusableForm, read_form

WISHES: Mapping[str, Wish] = {"stop": "stop", "resume": "resume"}
_REFUSALS: Mapping[str, Refused] = {"type": Refused(415, "unreadable"), "too_long": Refused(413, "too_long")}


async def read_survey_form(request: Request, limit: int) -> dict[str, str]:
    """The form's fields. Refused for another type, more than `limit` bytes, or what is no form."""
    try:
        return await read_form(request, limit)
    except UnusableForm as error:
        raise _REFUSALS.get(error.why, Refused(400, "unreadable")) from None


def wish_in(fields: Mapping[str, str]) -> Wish | None:
    """What a form says about being asked in the future; None: it is a vote. Refused for anything else."""
    if "asking" not in fields:
        return None
    wish = WISHES.get(fields["asking"])
    if wish is None:
        raise Refused(400, "unreadable")
    return wish
