"""The calls to GitLab that we make, and what their answers mean (docs/vendors/gitlab.md#answers)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from random import random
from typing import Any, Protocol
from urllib.parse import quote

import httpx
import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from supportops.clock import Clock
from supportops.errors import CredentialRefused, DestinationPaused, Permanent
from supportops.json_text import load_cleaned
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call
from supportops.vendors.http_client import check, make_client, map_transport_errors, no_answer, retry_after

PAGE = 100
MOST_PAGES = 10
LONGEST_EXCERPT = 300
UNTOLD_WAIT = timedelta(seconds=60)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=15)
REFUSED_WAIT = timedelta(minutes=5)
"""Until a token that may not is tried again: somebody has to change something first."""

log = get_logger("supportops.gitlab")
sparse = LimitedWarnings(log)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Issue(_Answer):
    """An issue as GitLab shows it; `iid` is the number that people see and that addresses use.

    It is found by its description and named by its numbers; what decorates it may be anything.
    """

    project_id: int
    iid: int
    web_url: str
    title: str = ""
    description: str | None = None
    labels: tuple[str, ...] = ()
    confidential: bool = False

    @field_validator("title", "labels", "confidential", mode="wrap")
    @classmethod
    def _odd_is_none(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            return cls.model_fields[str(info.field_name)].default


class Note(_Answer):
    """A comment on an issue."""

    id: int
    body: str = ""


class NewIssue(Protocol):
    """What an issue is made of."""

    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def confidential(self) -> bool: ...


class GitLab:
    """One GitLab, one project, seen as its token's user.

    Errors: `supportops.vendors.http_client`, and below for 403, 409 and 429.
    """

    def __init__(self, client: httpx.AsyncClient, project: str, *, clock: Clock, metrics: Recorder) -> None:
        self._client, self._clock, self._metrics = client, clock, metrics
        self._project = f"/projects/{quote(project, safe='')}"

    async def create(self, draft: NewIssue) -> Issue:
        """A new issue. UnknownOutcome: it may be there, look for its marker."""
        body = {
            "title": draft.title,
            "description": draft.description,
            "labels": ",".join(draft.labels),
            "confidential": draft.confidential,
        }
        answer = await self._send("create_issue", "POST", f"{self._project}/issues", body=body)
        return _read(Issue, answer, "POST", "gitlab create_issue")

    async def search(self, word: str) -> list[Issue]:
        """Issues whose description holds `word`, as far as GitLab's index knows them by now."""
        query = {"search": word, "in": "description", "state": "all", "scope": "all", "per_page": str(PAGE)}
        rows = await self._list("search_issues", f"{self._project}/issues", query)
        return _readable(Issue, rows, "search_issues", word)

    async def newest(self, since: datetime, word: str) -> AsyncIterator[Issue]:
        """Issues made at or after `since`, newest first, at most 1000: straight from its table, not from an index.

        Of those that cannot be read it is enough that none holds `word`.
        """
        query = {
            "state": "all",
            "scope": "all",
            "created_after": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "order_by": "created_at",
            "sort": "desc",
            "per_page": str(PAGE),
        }
        for page in range(1, MOST_PAGES + 1):
            rows = await self._list("list_issues", f"{self._project}/issues", query | {"page": str(page)})
            for issue in _readable(Issue, rows, "list_issues", word):
                yield issue
            if len(rows) < PAGE:
                return

    async def issue(self, iid: str) -> Issue:
        """One issue by its number. NotFound when it is gone."""
        answer = await self._send("issue", "GET", f"{self._project}/issues/{int(iid)}")
        return _read(Issue, answer, "GET", "gitlab issue")

    async def document(self, iid: str) -> Mapping[str, Any]:
        """The same, with all that GitLab says of it."""
        return _object(await self._send("issue", "GET", f"{self._project}/issues/{int(iid)}"))

    async def label(self, iid: str, *, add: tuple[str, ...], remove: tuple[str, ...]) -> Issue:
        """Change labels and leave all others alone; once more changes nothing."""
        body = {"add_labels": ",".join(add), "remove_labels": ",".join(remove)}
        answer = await self._send("update_issue", "PUT", f"{self._project}/issues/{int(iid)}", body=body)
        return _read(Issue, answer, "PUT", "gitlab update_issue")

    async def note(self, iid: str, body: str) -> Note:
        """Say something on an issue. UnknownOutcome: it may be there, look for its marker."""
        path = f"{self._project}/issues/{int(iid)}/notes"
        answer = await self._send("create_note", "POST", path, body={"body": body})
        return _read(Note, answer, "POST", "gitlab create_note")

    async def notes(self, iid: str, word: str) -> AsyncIterator[Note]:
        """What was said on an issue, newest first, at most 1000; `word` as for `newest`."""
        query = {"sort": "desc", "order_by": "created_at", "per_page": str(PAGE)}
        for page in range(1, MOST_PAGES + 1):
            path = f"{self._project}/issues/{int(iid)}/notes"
            rows = await self._list("list_notes", path, query | {"page": str(page)})
            for note in _readable(Note, rows, "list_notes", word):
                yield note
            if len(rows) < PAGE:
                return

    async def user(self) -> Mapping[str, Any]:
        """Whose token this is."""
        return _object(await self._send("user", "GET", "/user"))

    async def project(self) -> Mapping[str, Any]:
        """The project with the user's permissions in it."""
        return _object(await self._send("project", "GET", self._project))

    async def token(self) -> Mapping[str, Any]:
        """The token's scopes and when it ends; NotFound for tokens that cannot be asked about."""
        return _object(await self._send("token", "GET", "/personal_access_tokens/self"))

    async def _list(self, call: str, path: str, query: Mapping[str, str]) -> list[object]:
        """The rows of a list. An answer without one does not say that there is nothing (decision 199)."""
        answer = await self._send(call, "GET", path, query=query)
        if not isinstance(answer, list):
            raise no_answer("GET", f"gitlab {call}: an answer without its list")
        return answer

    async def _send(
        self,
        call: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        content = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(method, path, params=query, content=content, headers=headers)
        what = f"gitlab {call}"
        with counted_call(self._metrics, "gitlab", call), map_transport_errors(method, what):
            response = await self._client.send(request)
            if not response.is_success:
                refuse(response, what, self._clock.now())
            return _json(response, what)


@asynccontextmanager
async def open_gitlab(
    base_url: str,
    token: SecretStr,
    project: str,
    *,
    clock: Clock,
    metrics: Recorder,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[GitLab]:
    """The project's GitLab; the token goes to no other host, and redirects are not followed."""
    authorization = f"Bearer {token.get_secret_value()}"
    async with make_client(f"{base_url}/api/v4", authorization=authorization, transport=transport) as client:
        yield GitLab(client, project, clock=clock, metrics=metrics)


def refuse(response: httpx.Response, what: str, now: datetime) -> None:
    """Raise what a refusal means: as `http_client.check`, but for the answers that GitLab uses in its own way.

    403: the token may not, for this row or any other. 409: transient only with "Resource lock". 429: everybody waits.
    """
    status, words = response.status_code, _words(response)
    message = f"{what}: {status}{' ' + words if words else ''}"
    if status == 429:
        raise DestinationPaused(message, wait_of(response.headers, now))
    if status in (401, 403):
        log.error("gitlab.refused", status=status, call=what, answer=words)
        raise CredentialRefused(message, REFUSED_WAIT)
    if status == 409 and "resource lock" not in words.casefold():
        raise Permanent(message)
    if status == 404:
        sparse.error("gitlab.not_found", "404", call=what, answer=words)
    check(response, what, now=now, detail=words)


def wait_of(headers: Mapping[str, str], now: datetime, jitter: float | None = None) -> timedelta:
    """How long a 429 asks to wait: Retry-After, else RateLimit-ResetTime, else RateLimit-Reset, else a minute.

    Up to a tenth is added (`jitter` in [0, 1), random by default); never below 1 s nor above 15 min.
    """
    named = (retry_after(headers, now), _until_date(headers, now), _until_reset(headers, now))
    wait = next((each for each in named if each is not None), UNTOLD_WAIT)
    part = random() if jitter is None else jitter  # noqa: S311  # no secret  # nosec B311
    return min(max(wait * (1 + part / 10), SHORTEST_WAIT), LONGEST_WAIT)


def _until_date(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(headers.get("ratelimit-resettime", ""))
    except ValueError:
        return None
    return _future((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now)


def _until_reset(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    text = headers.get("ratelimit-reset", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        return None
    return _future(datetime.fromtimestamp(int(text), UTC) - now)


def _future(wait: timedelta) -> timedelta | None:
    return wait if wait > timedelta() else None


def _words(response: httpx.Response) -> str:
    """What an error body says, a string, list or map under `message` or `error`; pages of proxies say nothing."""
    try:
        body = load_cleaned(response.content)
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    said = body.get("message") or body.get("error") or ""
    return (said if isinstance(said, str) else orjson.dumps(said).decode())[:LONGEST_EXCERPT]


def _json(response: httpx.Response, what: str) -> Any:
    try:
        return load_cleaned(response.content)
    except ValueError as error:
        raise no_answer(response.request.method, f"{what}: the answer is not JSON") from error


def _object(answer: Any) -> Mapping[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _readable[M: BaseModel](model: type[M], rows: Sequence[object], call: str, word: str) -> list[M]:
    """The rows that can be read; one that cannot takes no neighbour with it. Retryable when `word` stands in one: it is
    what is looked for.
    """
    found = []
    for row in rows:
        try:
            found.append(model.model_validate(row))
        except ValidationError as error:
            if word in orjson.dumps(row).decode():
                raise no_answer("GET", f"gitlab {call}: what we look for, and cannot read") from error
            sparse.warning("gitlab.row_unreadable", call, call=call)
    return found


def _read[M: BaseModel](model: type[M], value: object, method: str, what: str) -> M:
    """One object of an answer. After a write the work is done, so that an odd answer leaves its outcome unknown."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        fields = sorted({".".join(map(str, each["loc"])) or "(all)" for each in error.errors()})
        raise no_answer(method, f"{what}: a {model.__name__} we cannot read: {', '.join(fields)}") from None
