"""Bad days on demand: answers that the vendors never meant, in front of their stand-ins.

A fault matches a service and a path; it is used up by count, by time, or never.
"""

import asyncio
import fnmatch
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.chance import dice
from sandbox.clock import NANOS, Clock

KINDS = ("rate_limit", "error", "hang", "slow", "drop", "expire_session", "record_error")
DROP = "sandbox.drop"  # scope extension: closes the connection at once (server.py)
HTML = (
    b"<html><head><title>Service Unavailable</title></head><body><h1>Something went wrong</h1></body></html>"
)


@dataclass(slots=True)
class Fault:
    """One armed fault.

    kind: rate_limit (429, or Salesforce's 403), error (`status` with HTML, or `code` in the vendor's own shape),
    hang (no answer for `delay` seconds), slow (`delay` seconds, then the real answer), drop (connection closed),
    expire_session (Salesforce), record_error (Salesforce collections: `code` for the next `count` records).
    rate_limit with code "endpoint" (GitLab): the limit of one endpoint, which names no time to wait.
    after_commit: the real work is done first and its answer thrown away.
    """

    kind: str
    service: str = "*"
    path: str = "*"
    method: str = "*"
    status: int = 503
    code: str | None = None
    retry_after: int = 10
    delay: float = 30.0
    count: int | None = None
    seconds: float | None = None
    share: float = 1.0
    after_commit: bool = False
    id: int = 0
    hits: int = 0
    since: int = 0

    def matches(self, service: str, path: str, method: str) -> bool:
        return (
            self.service in ("*", service)
            and (self.path in path or fnmatch.fnmatch(path, self.path))
            and self.method in ("*", method)
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fault_of(values: dict[str, Any]) -> Fault:
    """A fault from JSON. `429` and `drop_after_commit` are short for rate_limit and drop + after_commit.

    Raises ValueError for unknown kinds and keys.
    """
    values = dict(values)
    kind = str(values.get("kind", ""))
    if kind == "drop_after_commit":
        values |= {"kind": "drop", "after_commit": True}
    elif kind == "429":
        values["kind"] = "rate_limit"
    elif kind.isdigit():
        values |= {"kind": "error", "status": int(kind)}
    known = {f.name for f in fields(Fault)} - {"id", "hits", "since"}
    if unknown := values.keys() - known:
        raise ValueError(f"unknown keys {sorted(unknown)}; known: {sorted(known)}")
    if values.get("kind") not in KINDS:
        raise ValueError(
            f"unknown kind {kind!r}; known: {', '.join(KINDS)}, drop_after_commit, or a status code"
        )
    return Fault(**values)


class FaultBook:
    """The armed faults; the first that matches is used."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._armed: list[Fault] = []
        self._next = 1
        self._random = dice()

    def arm(self, fault: Fault) -> Fault:
        fault.id, self._next = self._next, self._next + 1
        fault.since = self._clock.now_ns()
        self._armed.append(fault)
        return fault

    def list(self) -> list[Fault]:
        self._armed = [fault for fault in self._armed if self._alive(fault)]
        return self._armed

    def clear(self, fault_id: int | None = None) -> None:
        self._armed = [f for f in self._armed if fault_id is not None and f.id != fault_id]

    def take(self, service: str, path: str, method: str) -> Fault | None:
        if not self._armed:
            return None
        for fault in self.list():
            if fault.matches(service, path, method) and self._random.random() < fault.share:
                fault.hits += 1
                return fault
        return None

    def _alive(self, fault: Fault) -> bool:
        if fault.count is not None and fault.hits >= fault.count:
            return False
        return fault.seconds is None or self._clock.now_ns() - fault.since < fault.seconds * NANOS


class FaultMiddleware:
    """Outermost: a fault may answer instead of the stand-in, or after it did its work."""

    def __init__(self, app: ASGIApp, book: FaultBook, expire_sessions: Callable[[], int]) -> None:
        self._app = app
        self._book = book
        self._expire_sessions = expire_sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = _service(scope)
        fault = self._book.take(service, scope["path"], scope["method"]) if service else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.kind == "expire_session":
            self._expire_sessions()
            await self._app(scope, receive, send)
            return
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay)
            await self._app(scope, receive, send)
            return
        if fault.after_commit:
            await self._app(scope, receive, _thrown_away)
        await _misbehave(fault, service, scope, receive, send)


def _service(scope: Scope) -> str:
    if scope["type"] != "http":
        return ""
    first = scope["path"].split("/", 2)[1]
    return first if first in ("zendesk", "salesforce", "slack", "gitlab") else ""


async def _thrown_away(message: Message) -> None:
    """The answer that nobody gets."""


async def _misbehave(fault: Fault, service: str, scope: Scope, receive: Receive, send: Send) -> None:
    if fault.kind == "hang":
        await _until_gone(receive, fault.delay)
    if fault.kind in ("hang", "drop"):
        await _drop(scope, receive)
        return
    status, headers, body = answer_of(fault, service)
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _until_gone(receive: Receive, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return


async def _drop(scope: Scope, receive: Receive) -> None:
    drop = scope.get("extensions", {}).get(DROP)
    if drop is None:  # called in-process, without a connection
        raise ConnectionResetError("connection dropped by an injected fault")
    drop["close"]()
    await _until_gone(receive, 1.0)


def answer_of(fault: Fault, service: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an injected refusal, in the shape of the vendor."""
    if fault.kind == "rate_limit":
        return _limited(fault, service)
    if fault.code is None:
        return fault.status, {"content-type": "text/html"}, HTML
    if service == "slack":
        return 200, _JSON, orjson.dumps({"ok": False, "error": fault.code})
    if service == "salesforce":
        return (
            fault.status,
            _JSON,
            orjson.dumps([{"message": f"injected: {fault.code}", "errorCode": fault.code}]),
        )
    if service == "gitlab":
        return fault.status, _JSON, orjson.dumps({"message": fault.code})
    return fault.status, _JSON, orjson.dumps({"error": fault.code, "description": "injected"})


_JSON = {"content-type": "application/json"}


def _limited(fault: Fault, service: str) -> tuple[int, dict[str, str], bytes]:
    headers = _JSON | {"retry-after": str(fault.retry_after)}
    if service == "slack":
        return 429, headers, orjson.dumps({"ok": False, "error": "ratelimited"})
    if (
        service == "salesforce"
    ):  # its quota error is a 403 without Retry-After (docs/vendors/salesforce.md#errors)
        body = [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        return 403, _JSON, orjson.dumps(body)
    if service == "gitlab":
        return _gitlab_limited(fault, headers)
    body_ = {
        "error": "APIRateLimitExceeded",
        "description": "Number of allowed API requests per minute exceeded",
    }
    return 429, headers, orjson.dumps(body_)


def _gitlab_limited(fault: Fault, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Its limit for all calls has plain text and a Retry-After; that of one endpoint has neither.

    See docs/vendors/gitlab.md#answers.
    """
    if fault.code == "endpoint":
        words = "This endpoint has been requested too many times. Try again later."
        others = {"ratelimit-limit": "600", "ratelimit-remaining": "599", "ratelimit-name": "throttle_api"}
        return 429, _JSON | others, orjson.dumps({"message": {"error": words}})
    return 429, headers | {"content-type": "text/plain", "ratelimit-remaining": "0"}, b"Retry later\n"
