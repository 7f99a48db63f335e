"""Salesforce, the only file that knows simple-salesforce: direct mode, in a bounded pool of threads.

The library blocks, has no locks and no time-outs, and its session refresh can loop for ever
(docs/vendors/salesforce.md#the-library), so sessions, time-outs and retries are ours. Its errors are translated here;
past this door only our own tree exists.
"""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import batched
from typing import Any

from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession

from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.salesforce.auth import (
    Session,
    Token,
    TokenProvider,
    Transport,
    offered_versions,
    transport_errors,
)
from sfdc_sync.salesforce.composite import MOST_QUERIES, composite_of, page_of, parts_of
from sfdc_sync.salesforce.described import described
from sfdc_sync.salesforce.refusals import moved, version_refusal, versions_in
from sfdc_sync.salesforce.responses import (
    ErrorAction,
    Record,
    RecordResult,
    read_results,
    refusal,
    refused_with_200,
)
from sfdc_sync.salesforce.usage import Usage
from sfdc_sync.settings import SalesforceSettings
from supportops.errors import CredentialRefused, DestinationPaused, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Recorder
from supportops.vendors.call_metrics import counted_call

THREADS = 4
_CURSOR = re.compile(r"query(?:All)?/[A-Za-z0-9_=%-]{1,2000}$", re.ASCII)


class Salesforce:
    """The calls we make. Every method may raise DestinationPaused, Retryable, UnknownOutcome or Permanent."""

    def __init__(
        self,
        settings: SalesforceSettings,
        pauses: Pauses,
        pool: ThreadPoolExecutor,
        metrics: Recorder,
        transport: Transport | None = None,
    ) -> None:
        self._usage = Usage(metrics)
        self._settings = settings
        self._pauses = pauses
        self._tokens = TokenProvider(settings, pauses, transport)
        self._pool = pool
        self._metrics = metrics
        self._transport = transport
        self._of_thread = threading.local()

    async def upsert(
        self, object_name: str, external_id: str, records: Sequence[Record]
    ) -> list[RecordResult]:
        """Write up to 200 records of one object by external id in one call; results in their order.

        Some may be written and others not (`allOrNone` is false). The names must have passed `ApiName`.
        """
        body = {"allOrNone": False, "records": list(records)}
        path = f"composite/sobjects/{object_name}/{external_id}"
        answer = await self._in_thread("upsert", partial(self._call, "PATCH", path, json=body))
        if refused_with_200(answer):
            raise self._error(*refusal(answer, 200), 200)
        return read_results(answer, records)

    async def delete(self, record_ids: Sequence[str]) -> list[RecordResult]:
        """Put up to 200 records into the recycle bin, in one call; results in their order.

        `record_ids` have 18 characters. A record that is not there any more is refused, and `gone`.
        """
        path = f"composite/sobjects?ids={','.join(record_ids)}&allOrNone=false"
        answer = await self._in_thread("delete", partial(self._call, "DELETE", path))
        return read_results(answer, len(record_ids))

    async def queries(self, soql: Sequence[str], *, deleted: bool = False) -> list[list[Mapping[str, Any]]]:
        """All rows of each query, five queries in a call; `deleted`: the recycle bin included.

        A query that is refused fails them all: half an answer is none.
        """
        found: list[list[Mapping[str, Any]]] = []
        for some in batched(soql, MOST_QUERIES):
            body = composite_of(some, self._settings.api_version, deleted=deleted)
            answer = await self._in_thread("query", partial(self._call, "POST", "composite", json=body))
            for status, part in parts_of(answer, len(some)):
                if status >= 300:
                    raise self._error(*refusal(part, status), status)
                rows, following = page_of(part)
                found.append([*rows, *await self.more(following)])
        return found

    async def describe(self, object_name: str) -> Mapping[str, Any] | None:
        """What the integration user sees of an object; None when it does not exist for it."""
        try:
            path = f"sobjects/{object_name}/describe"
            answer = await self._in_thread("describe", partial(self._call, "GET", path))
        except NotFound:
            return None
        return described(answer, object_name)

    async def sign_in(self) -> None:
        """Log in, if that is not done yet. Raises DestinationPaused, with what to do about it."""
        await self._in_thread("token", self._tokens.current)

    async def limits(self) -> Mapping[str, Any]:
        """The org's limits; empty when the integration user may not see them."""
        answer = await self._in_thread("limits", partial(self._call, "GET", "limits"))
        return answer if isinstance(answer, dict) else {}

    async def pages(self, soql: str, *, deleted: bool = False) -> AsyncIterator[list[Mapping[str, Any]]]:
        """The rows of a query, page by page (2,000 at most); `deleted`: also those in the recycle bin.

        A cursor that Salesforce has lost is Retryable: begin again with the first page.
        """
        call = partial(self._call, "GET", "queryAll" if deleted else "query", params={"q": soql})
        rows, following = page_of(await self._in_thread("query", call))
        yield list(rows)
        async for page in self._following(following):
            yield page

    async def more(self, url: object) -> list[Mapping[str, Any]]:
        """The rows of a query that its first page did not hold; `url`: where it said that they are, None: nowhere."""
        return [row async for rows in self._following(url) for row in rows]

    async def _following(self, url: object) -> AsyncIterator[list[Mapping[str, Any]]]:
        seen: set[str] = set()
        while url is not None:
            path = cursor_path(url)
            if path in seen:
                raise Retryable("Salesforce names a page of a query again that it has given already")
            seen.add(path)
            rows, url = page_of(await self._in_thread("query", partial(self._call, "GET", path)))
            yield list(rows)

    def quota_reached(self, share: float) -> bool:
        """Whether the last answer said that `share` of the daily requests is used; asked once per answer."""
        return self._usage.reached(share)

    @property
    def quota_used(self) -> float:
        """The share of the daily requests that is used, as the last answer said; 0 before the first."""
        return self._usage.share

    @property
    def date(self) -> str:
        """The `Date` of the last answer; empty before the first."""
        return self._usage.date

    async def _in_thread[T](self, call: str, work: Callable[[], T]) -> T:
        with counted_call(self._metrics, "salesforce", call):
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _call(self, method: str, path: str, **more: Any) -> Any:
        """One call; a session that Salesforce refuses is replaced once, then the destination pauses."""
        token = self._tokens.current()
        try:
            return self._send(token, method, path, **more)
        except SalesforceExpiredSession:
            self._tokens.invalidate(token)
        fresh = self._tokens.current()
        try:
            return self._send(fresh, method, path, **more)
        except SalesforceExpiredSession as error:
            self._tokens.invalidate(fresh)
            told = refusal(error.content, error.status)[1]
            raise CredentialRefused(
                f"Salesforce refuses a session that it has just opened ({told}): may the Run As user use the API "
                "(permission API Enabled), from this address, and is its password valid?",
                self._pauses.login,
            ) from error

    def _send(self, token: Token, method: str, path: str, **more: Any) -> Any:
        try:
            with transport_errors():
                return self._client(token).restful(path, method=method, **more)
        except SalesforceExpiredSession:
            raise
        except SalesforceError as error:
            if error.status in (404, 410) and (wrong := self._wrong_version(token)):
                raise DestinationPaused(wrong, self._pauses.config) from error
            if 300 < error.status < 400:
                raise DestinationPaused(moved(self._session().location), self._pauses.config) from error
            raise self._error(*refusal(error.content, error.status), error.status) from error
        except TypeError as error:  # the library asks for the length of whatever JSON came back
            raise UnknownOutcome("Salesforce's answer is neither an array nor an object") from error

    def _wrong_version(self, token: Token) -> str:
        """An unknown API version gets the same 404 as an unknown object, a retired one 410: ask which there are."""
        return version_refusal(
            self._settings.api_version, versions_in(offered_versions(self._session(), token.origin))
        )

    def _session(self) -> Session:
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = Session(self._settings, self._usage.note, self._transport)
        session: Session = self._of_thread.session
        return session

    def _client(self, token: Token) -> Client:
        """This thread's client: nobody promises that a requests session can be shared."""
        if getattr(self._of_thread, "token", None) is not token:
            self._of_thread.client = Client(
                instance_url=token.origin,
                session_id=token.value.get_secret_value(),
                session=self._session(),
                version=self._settings.api_version,
                object_pairs_hook=dict,
            )
            self._of_thread.token = token
        client: Client = self._of_thread.client
        return client

    def _error(self, reaction: ErrorAction, why: str, status: int) -> Exception:
        match reaction:
            case ErrorAction.QUOTA:
                return DestinationPaused(f"Salesforce's limit is reached: {why}", self._pauses.quota)
            case ErrorAction.BUSY:
                return DestinationPaused(f"Salesforce is busy with long calls: {why}", self._pauses.busy)
            case ErrorAction.LOGIN:
                return CredentialRefused(f"Salesforce refuses the session: {why}", self._pauses.login)
            case ErrorAction.CONFIG if status == 404:
                return NotFound(why, self._pauses.config)
            case ErrorAction.CONFIG:
                return DestinationPaused(f"Salesforce is not as the rules say: {why}", self._pauses.config)
            case ErrorAction.TRANSIENT if status >= 500:
                return UnknownOutcome(why)
            case ErrorAction.REJECTED:
                return Permanent(why)
            case _:
                return Retryable(why)


def cursor_path(url: object) -> str:
    """The part of `nextRecordsUrl` below the version's path; never an address of its own."""
    found = _CURSOR.search(url) if isinstance(url, str) else None
    if found is None:
        raise Retryable("Salesforce names no next page that we can read")
    return found[0]


class NotFound(DestinationPaused):
    """The object or the external id field does not exist, or the integration user may not see it."""


@asynccontextmanager
async def open_salesforce(
    settings: SalesforceSettings, pauses: Pauses, metrics: Recorder, transport: Transport | None = None
) -> AsyncIterator[Salesforce]:
    """A client with its own threads. Closing waits for no call: who stops has waited for its calls before."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="salesforce")
    try:
        yield Salesforce(settings, pauses, pool, metrics, transport)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
