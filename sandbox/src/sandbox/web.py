"""The door: HTTP requests become `Call`s, vendors answer with `Reply`s, JSON is read and written here only.

Handlers are plain functions: all state is in memory, so there is nothing to wait for.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Json = dict[str, Any]


class BadBody(Exception):
    """The request body is not the JSON object that the endpoint needs."""


@dataclass(slots=True)
class Reply:
    """Status, body (JSON value, or bytes sent as they are) and extra headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        if isinstance(self.body, bytes):
            return Response(self.body, self.status, self.headers)
        content = b"" if self.body is None else orjson.dumps(self.body)
        return Response(
            content, self.status, {"content-type": "application/json; charset=utf-8", **self.headers}
        )


@dataclass(slots=True)
class Call:
    """One request, body already read."""

    method: str
    path: str
    params: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """The JSON object of the body; an empty body is an empty object."""
        if not self.body:
            return {}
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise BadBody(str(error)) from error
        if not isinstance(value, dict):
            raise BadBody("a JSON object is needed")
        return value

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def number(self, name: str) -> int:
        """A numeric path parameter; anything else is -1, which no record has."""
        text = str(self.params[name])
        return int(text) if text.isascii() and text.isdigit() else -1

    def ids(self, name: str = "ids") -> list[int]:
        """A comma-separated query parameter of ids, words left out."""
        return [int(part) for part in self.query.get(name, "").split(",") if part.strip().isdigit()]


Handler = Callable[[Call], Reply]
Middleware = Callable[[Call, Handler], Reply]
RouteRow = tuple[str, str, Handler]


def routes(rows: Iterable[RouteRow], middleware: Middleware) -> list[Route]:
    """Starlette routes for (method, path, handler) rows, each behind its vendor's middleware.

    A row that stands twice would hide its second handler without a word: ValueError.
    """
    rows = list(rows)
    addresses = [(method, path) for method, path, _ in rows]
    if doubled := {address for address in addresses if addresses.count(address) > 1}:
        raise ValueError(f"routes: each method and path once; twice here: {sorted(doubled)}")
    return [Route(path, _endpoint(handler, middleware), methods=[method]) for method, path, handler in rows]


def _endpoint(handler: Handler, middleware: Middleware) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        call = Call(
            request.method,
            request.scope["path"],
            request.path_params,
            request.query_params,
            request.headers,
            await request.body(),
        )
        return middleware(call, handler).response()

    return endpoint
