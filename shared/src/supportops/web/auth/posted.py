"""Forms of operators' pages: only those that we gave out are taken, and only from whom they were given to."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Request

from supportops.web.auth.guard import Operator, OperatorAuth, RoleNeeded
from supportops.web.auth.roles import Role, includes
from supportops.web.forms import UnusableForm, read_form

LONGEST_FORM = 65_536  # bytes
STALE = (
    "That form was too old, or not ours. Nothing was done: please go back, load the page again and repeat."
)

type Page = Callable[..., Awaitable[Any]]


def guarded_form(app: FastAPI, auth: OperatorAuth, path: str, role: Role) -> Callable[[Page], Page]:
    """Decorator of a function that answers POST of `path`, for those whose role includes `role`.

    The function reads its fields with `form_of`. Give the form the path of the page that shows it: whoever has to log
    in first comes back to that page.
    """
    return app.post(path, include_in_schema=False, dependencies=[Depends(auth.page(role))])


async def form_of(request: Request, auth: OperatorAuth) -> Mapping[str, str]:
    """The fields of a form that we gave to this operator, without NULs, which no database keeps in a text.

    HTTPException 400 for what is no form, 403 for a form that is not ours.
    """
    try:
        fields = await read_form(request, LONGEST_FORM)
    except UnusableForm:
        raise HTTPException(400, STALE) from None
    if not await _is_ours(request, auth, fields):
        raise HTTPException(403, STALE)
    return {name: value.replace("\x00", "") for name, value in fields.items()}


def demand_role(operator: Operator, role: Role) -> None:
    """Raise RoleNeeded for whoever may not do what one of several buttons does."""
    if not includes(operator.role, role):
        raise RoleNeeded(role)


async def _is_ours(request: Request, auth: OperatorAuth, fields: Mapping[str, str]) -> bool:
    """By the token of their session; where a proxy logs in there is none, and the browser says whose page sent it."""
    operator: Operator = request.state.operator
    if operator.form_token is None:
        return _same_origin(request)
    session = await auth.session(request)
    token = fields.get("form_token", "")
    return (
        session is not None and auth.sessions is not None and auth.sessions.is_form_of(session.holder, token)
    )


def _same_origin(request: Request) -> bool:
    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host", "")
