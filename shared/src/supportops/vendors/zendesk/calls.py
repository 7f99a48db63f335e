"""How a call to Zendesk is made and its answer read: share, time-outs, errors in two shapes, cursor pages."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, overload

import httpx
import orjson
from pydantic import BaseModel, ValidationError

from supportops.clock import Clock
from supportops.errors import CredentialRefused, DestinationPaused, NotFound, Permanent, Retryable, Unreadable
from supportops.json_text import load_cleaned
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call
from supportops.vendors.http_client import (
    LOGIN_WAIT,
    READS,
    check,
    map_transport_errors,
    no_answer,
    retry_after,
)
from supportops.vendors.rate_limit import RateLimiter
from supportops.vendors.zendesk.models import Identified

log = get_logger("supportops.zendesk")
sparse = LimitedWarnings(log)

LONGEST_EXCERPT = 500
UNTOLD_WAIT = timedelta(seconds=10)
"""After a 429 without Retry-After."""
_SCOPES = "the token may not do this; docs/setup/zendesk.md lists the scopes that each service asks for"

type Answer = dict[str, Any]


class NotItsWords(NotFound):
    """A 404 whose body is no object: whatever has answered, it was not Zendesk's API."""


class Refused(Permanent):
    """422 of a write: Zendesk understood and says no; `details` by field, as Zendesk gives them."""

    def __init__(self, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.details = dict(details)

    @property
    def closed(self) -> bool:
        """Whether the reason is that the ticket is closed (it takes almost no update any more)."""
        return "closed" in orjson.dumps(self.details.get("status", "")).decode().lower()


class Rows[M](dict[str, M]):
    """Rows by id. What did not come is missing; who asks for a row that came and cannot be read gets `Unreadable`.

    Walking over them gives the readable ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: dict[str, Unreadable] = {}

    @overload
    def get(self, key: str, default: None = None, /) -> M | None: ...
    @overload
    def get[D](self, key: str, default: D, /) -> M | D: ...
    def get(self, key: str, default: object = None, /) -> object:
        """The row, or `default` where none came."""
        self._raise_for(key)
        return super().get(key, default)

    def add(self, others: "Rows[M]") -> None:
        """Take others in, with those that cannot be read."""
        self.update(others)
        self.unreadable |= others.unreadable

    def __missing__(self, key: str) -> M:
        self._raise_for(key)
        raise KeyError(key)

    def _raise_for(self, key: str) -> None:
        if (error := self.unreadable.get(key)) is not None:
            raise error


class Calls:
    """One call at a time: wait for our share, send, count, and raise what the answer means."""

    def __init__(
        self, client: httpx.AsyncClient, share: RateLimiter, *, clock: Clock, metrics: Recorder
    ) -> None:
        self._client, self._share, self._clock, self._metrics = client, share, clock, metrics

    async def get(self, call: str, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read; `call` is the name of the call in metrics and messages."""
        return await self._send(call, self._client.build_request("GET", path, params=dict(query or {})))

    async def find(self, call: str, path: str, query: Mapping[str, str] | None = None) -> Answer | None:
        """Read one thing; None when it is not there."""
        try:
            with in_its_words():
                return await self.get(call, path, query)
        except NotFound:
            return None

    async def put(self, call: str, path: str, body: Mapping[str, object]) -> Answer:
        """Write."""
        return await self._write("PUT", call, path, body)

    async def post(self, call: str, path: str, body: Mapping[str, object]) -> Answer:
        """Make; after a lost answer nobody knows whether it was made (UnknownOutcome)."""
        return await self._write("POST", call, path, body)

    async def delete(self, call: str, path: str, body: Mapping[str, object]) -> Answer:
        """Take away what `body` names."""
        return await self._write("DELETE", call, path, body)

    async def pages(
        self, call: str, path: str, query: Mapping[str, str], *, whole: bool = False
    ) -> AsyncIterator[Answer]:
        """Cursor pages. Only the cursor is taken from an answer, never an address (docs/vendors/zendesk.md#rest).

        `whole`: half of the list would mislead, so an odd cursor is no end.
        """
        page = await self.get(call, path, query)
        yield page
        seen: set[str] = set()
        while cursor := next_cursor(page, whole=whole):
            not_again(cursor, seen)
            page = await self.get(call, path, {**query, "page[after]": cursor})
            yield page

    async def _write(self, method: str, call: str, path: str, body: Mapping[str, object]) -> Answer:
        headers = {"Content-Type": "application/json"}
        request = self._client.build_request(method, path, content=orjson.dumps(body), headers=headers)
        return await self._send(call, request)

    async def _send(self, call: str, request: httpx.Request) -> Answer:
        await self._share.acquire()
        what = f"zendesk {call}"
        with counted_call(self._metrics, "zendesk", call), map_transport_errors(request.method, what):
            response = await self._client.send(request)
            if not response.is_success:
                self._refuse(response, what)
            return _json(response, what)

    def _refuse(self, response: httpx.Response, what: str) -> None:
        now = self._clock.now()
        if response.status_code == 429 and _is_account_wide(response):
            wait = retry_after(response.headers, now) or UNTOLD_WAIT
            self._share.close(wait)
            raise DestinationPaused(f"{what}: 429 {_error_of(_error_body(response) or {})[1]}", wait)
        check_answer(response, what, now=now)


@contextmanager
def in_its_words() -> Iterator[None]:
    """A 404 of somebody else (of a proxy, of an account that is suspended) does not say that a thing is gone."""
    try:
        yield
    except NotItsWords as error:
        raise Retryable(str(error)) from error


def check_answer(response: httpx.Response, what: str, *, now: datetime) -> None:
    """Return when the answer is 2xx, else raise what it means, in Zendesk's own words where it gives any."""
    if response.is_success:
        return
    body, status = _error_body(response), response.status_code
    details, words = _error_of(body or {})
    if status == 422 and response.request.method not in READS:
        raise Refused(f"{what}: 422 {words}", details)
    if status < 400:
        host = httpx.URL(response.headers.get("location", "")).host or "another page"
        told = f"{what}: {status}, the account is not here but at {host}: set ZENDESK_BASE_URL"
        raise DestinationPaused(told, LOGIN_WAIT)
    if status == 403 and "scope" in words.lower():
        raise CredentialRefused(f"{what}: 403 {words}: {_SCOPES}", LOGIN_WAIT)
    if status == 404 and body is None:
        raise NotItsWords(f"{what}: 404, and not in the words of Zendesk's API: is ZENDESK_BASE_URL right?")
    check(response, what, now=now, detail=words)


def read[M: BaseModel](model: type[M], answer: Answer, key: str) -> M:
    """The object under `key` of an answer; Permanent when it is not what Zendesk documents.

    Retryable when it is not there: such an answer (an error with a status of 200, say) says nothing about the object.
    """
    if answer.get(key) is None:
        raise Retryable(f"zendesk: an answer without its {key}")
    return as_model(model, answer[key])


def read_all[M: BaseModel](model: type[M], answer: Answer, key: str) -> list[M]:
    """The readable rows of the list under `key`. An odd one is logged and left out: it must not take the others along.

    Who needs that very row asks for it by itself, and is told what is wrong with it. Retryable without the list.
    """
    return readable(model, listed(answer, key))


def read_asked[M: Identified](
    model: type[M], answer: Answer, key: str, asked: Iterable[str], into: Rows[M]
) -> None:
    """Put the rows under `key` into `into`: those that cannot be read as unreadable, too.

    An odd row without an id may be any of those `asked` for that did not come: then nothing is known of these either.
    """
    nameless: Unreadable | None = None
    for row in listed(answer, key):
        try:
            read_row = as_model(model, row)
        except Unreadable as error:
            sparse.warning("vendor.odd_row", model.__name__, vendor="zendesk", reason=str(error))
            number = row.get("id") if isinstance(row, dict) else None
            if isinstance(number, int | str) and str(number).isdecimal():
                into.unreadable[str(number)] = error
            else:
                nameless = error
        else:
            into[read_row.id] = read_row
    if nameless is not None:
        into.unreadable |= {each: nameless for each in asked if each not in into}


def readable[M: BaseModel](model: type[M], rows: Iterable[object]) -> list[M]:
    """Those of `rows` that are what Zendesk documents."""
    found: list[M] = []
    for row in rows:
        try:
            found.append(as_model(model, row))
        except Permanent as error:
            sparse.warning("vendor.odd_row", model.__name__, vendor="zendesk", reason=str(error))
    return found


def objects(answer: Mapping[str, Any], key: str) -> list[Answer]:
    """The objects in the list under `key`; none where there is no list."""
    rows = answer.get(key)
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []


def listed(answer: Mapping[str, Any], key: str) -> list[object]:
    """The whole list under `key`; Retryable without one: such an answer says nothing, not that there is none."""
    rows = answer.get(key)
    if not isinstance(rows, list):
        raise Retryable(f"zendesk: an answer without its list of {key}")
    return rows


def as_model[M: BaseModel](model: type[M], value: object) -> M:
    """One object of an answer; Unreadable names fields only, values may be a customer's words."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = sorted({".".join(map(str, detail["loc"])) or "(all)" for detail in error.errors()})
        raise Unreadable(f"zendesk: a {model.__name__} we cannot read: {', '.join(fields)}") from None


def _json(response: httpx.Response, what: str) -> Answer:
    try:
        answer = load_cleaned(response.content)
    except ValueError as error:
        raise no_answer(response.request.method, f"{what}: the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise no_answer(response.request.method, f"{what}: the answer is not an object")
    return answer


def next_cursor(page: Answer, *, whole: bool = False) -> str | None:
    """Where a cursor list goes on; None on its last page.

    An odd cursor is the last page too, unless the `whole` list matters: then one that stops in its middle is Retryable.
    """
    meta = page.get("meta")
    if not isinstance(meta, dict) or not meta.get("has_more"):
        return None
    cursor = meta.get("after_cursor")
    if isinstance(cursor, str) and cursor:
        return cursor
    if whole:
        raise Retryable("zendesk: a list has more pages and does not say where")
    return None


def not_again(cursor: str, seen: set[str]) -> None:
    """Add a cursor to those of a list; Retryable when it is among them: the list would never end."""
    if cursor in seen:
        raise Retryable("zendesk: a list names a page again that it has given already")
    seen.add(cursor)


def _is_account_wide(response: httpx.Response) -> bool:
    """Whether a 429 is about the account's calls, not about one endpoint (docs/vendors/zendesk.md#rest, headers)."""
    left = response.headers.get("ratelimit-remaining") or response.headers.get("x-rate-limit-remaining")
    return left is None or left.strip() == "0"


def _error_body(response: httpx.Response) -> Answer | None:
    """The object in an error's body; None for HTML and whatever else is not in Zendesk's words."""
    try:
        body = load_cleaned(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _error_of(body: Answer) -> tuple[dict[str, Any], str]:
    """Details and words of an error in either shape (docs/vendors/zendesk.md#rest)."""
    details = body.get("details") if isinstance(body.get("details"), dict) else {}
    listed = [each.get("title") or each.get("code") for each in objects(body, "errors")]
    said = [body.get("error"), body.get("description"), *listed]
    words = "; ".join(str(each) for each in said if each)
    if details:
        words = f"{words} {orjson.dumps(details).decode()}"
    return details or {}, words[:LONGEST_EXCERPT]


def digits(zendesk_id: str) -> str:
    """The id, sure to be digits: nothing else may become a part of an address."""
    if not (zendesk_id.isascii() and zendesk_id.isdigit() and len(zendesk_id) <= 20):
        raise Permanent(f"not an id of Zendesk: {zendesk_id[:40]!r}")
    return zendesk_id
