"""The client over a transport of the test's own: sessions, errors, usage. No network."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.salesforce.auth import TokenProvider
from sfdc_sync.salesforce.client import NotFound, Salesforce, open_salesforce
from sfdc_sync.salesforce.responses import ErrorAction
from sfdc_sync.settings import SalesforceSettings
from supportops.errors import DestinationPaused, Permanent, Retryable, UnknownOutcome
from supportops.observability.metrics import Metrics
from tests.support.eventually import eventually
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.salesforce_transport import ORIGIN, TOKEN, Answer, FakeSalesforce, bearer

SETTINGS = SalesforceSettings(
    login_url=ORIGIN, client_id="app", client_secret=SecretStr("hush"), sandbox_url=""
)
PAUSES = Pauses()
RECORD: dict[str, object] = {"attributes": {"type": "T__c"}, "Ext__c": "7"}
WRITTEN = [{"id": "001xx0000004GxDAAU", "success": True, "errors": [], "created": True}]
EXPIRED: Answer = (401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
Serve = Callable[[FakeSalesforce], Salesforce]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ThreadPoolExecutor(8) as pool:
        yield lambda fake: Salesforce(SETTINGS, PAUSES, pool, Metrics(), fake)


async def write(salesforce: Salesforce) -> Any:
    return await salesforce.upsert("T__c", "Ext__c", [RECORD])


async def test_an_upsert_names_object_and_external_id_in_the_path(serve: Serve) -> None:
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    [result] = await write(serve(fake))
    [request] = fake.calls
    assert result.reaction is ErrorAction.WRITTEN
    assert (request.method, request.url) == (
        "PATCH",
        f"{ORIGIN}/services/data/v62.0/composite/sobjects/T__c/Ext__c",
    )
    assert b'"allOrNone": false' in (request.body if isinstance(request.body, bytes) else b"")
    assert fake.timeouts == {(5.0, 30.0)}


async def test_a_call_is_counted_and_timed_under_its_name() -> None:
    metrics = Metrics()
    async with open_salesforce(
        SETTINGS, PAUSES, metrics, FakeSalesforce(lambda _request: (200, WRITTEN))
    ) as opened:
        await write(opened)
    assert metrics.value("vendor_calls", vendor="salesforce", call="upsert", outcome="ok") == 1
    assert metrics.value("vendor_call_seconds", vendor="salesforce", call="upsert") == 1


async def test_an_expired_session_is_replaced_once(serve: Serve) -> None:
    fake = FakeSalesforce(lambda request: EXPIRED if bearer(request) == f"{TOKEN}1" else (200, WRITTEN))
    assert (await write(serve(fake)))[0].created
    assert (fake.logins, len(fake.calls)) == (2, 2)


@pytest.mark.parametrize("answer", [EXPIRED, (401, {"error": "x"}), (401, b"")])
async def test_a_fresh_session_that_is_refused_too_pauses_the_destination(
    serve: Serve, answer: Answer
) -> None:
    fake = FakeSalesforce(lambda _request: answer)
    with pytest.raises(DestinationPaused):
        await write(serve(fake))
    assert (fake.logins, len(fake.calls)) == (2, 2)


def test_threads_that_meet_the_same_expired_session_log_in_once() -> None:
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    provider = TokenProvider(SETTINGS, PAUSES, fake)
    old = provider.current()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(provider.invalidate, [old] * 20))
        tokens = list(pool.map(lambda _n: provider.current(), range(40)))
        list(pool.map(provider.invalidate, [old] * 20))  # latecomers must not throw away the new one
        tokens.append(provider.current())
    assert {token.value.get_secret_value() for token in tokens} == {f"{TOKEN}2"}
    assert fake.logins == 2


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client"])
def test_a_refused_login_is_not_repeated_before_its_pause_is_over(error: str) -> None:
    now = [0.0]
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    fake.login = (400, {"error": error, "error_description": "authentication failure"})
    provider = TokenProvider(SETTINGS, PAUSES, fake, lambda: now[0])
    for _ in range(3):
        with pytest.raises(DestinationPaused, match=error) as caught:
            provider.current()
        assert caught.value.after == PAUSES.login
    assert fake.logins == 1
    now[0] += PAUSES.login.total_seconds() + 1
    fake.login = None
    assert provider.current().origin == ORIGIN


@for_each(
    "answer",
    [
        (503, b"<html>maintenance</html>"),
        (200, b"not json"),
        (200, {"instance_url": ORIGIN}),
        (200, {"access_token": "t", "instance_url": "https://salesforce.com.evil.example"}),
        (200, {"access_token": "t", "instance_url": "http://acme.my.salesforce.com"}),
        (200, {"access_token": "t"}),
        (200, {"access_token": "t", "instance_url": ORIGIN, "error": "invalid_grant"}),
        requests.ConnectionError("refused"),
        requests.ReadTimeout("slow"),
    ],
)
def test_login_trouble_pauses_the_destination(answer: Answer) -> None:
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    fake.login = answer
    with pytest.raises(DestinationPaused):
        TokenProvider(SETTINGS, PAUSES, fake).current()


def test_an_old_session_is_renewed_in_time() -> None:
    now = [0.0]
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    provider = TokenProvider(SETTINGS, PAUSES, fake, lambda: now[0])
    first = provider.current()
    assert provider.current() is first
    now[0] += SETTINGS.session_age.total_seconds() + 1
    assert provider.current() is not first


@pytest.mark.parametrize(
    ("answer", "error", "after"),
    [
        ((403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]), DestinationPaused, PAUSES.quota),
        (
            (400, [{"errorCode": "INVALID_FIELD", "message": "No such column"}]),
            DestinationPaused,
            PAUSES.config,
        ),
        ((404, [{"errorCode": "NOT_FOUND"}]), NotFound, PAUSES.config),
        ((410, b""), DestinationPaused, PAUSES.config),
        ((503, b"<html>down</html>"), UnknownOutcome, None),
        ((500, [{"errorCode": "UNABLE_TO_LOCK_ROW"}]), UnknownOutcome, None),
        ((400, [{"errorCode": "UNABLE_TO_LOCK_ROW"}]), Retryable, None),
        ((400, [{"errorCode": "JSON_PARSER_ERROR"}]), Permanent, None),
        ((300, ["/a", "/b"]), Permanent, None),
        ((200, b""), UnknownOutcome, None),
        ((200, b"<html>"), UnknownOutcome, None),
        ((200, 5), UnknownOutcome, None),
        (requests.ReadTimeout(), UnknownOutcome, None),
        (requests.ConnectTimeout(), Retryable, None),
        (requests.ConnectionError(), UnknownOutcome, None),
        (requests.exceptions.ChunkedEncodingError(), UnknownOutcome, None),
    ],
)
async def test_every_refusal_becomes_one_of_our_errors(
    serve: Serve, answer: Answer, error: type[Exception], after: timedelta | None
) -> None:
    with pytest.raises(error) as caught:
        await write(serve(FakeSalesforce(lambda _request: answer)))
    assert caught.type is error
    assert getattr(caught.value, "after", None) == after


@pytest.mark.parametrize("body", [[], {}, [1], {"success": True}, None])
async def test_an_answer_of_another_shape_is_no_success(serve: Serve, body: Any) -> None:
    try:
        results = await write(serve(FakeSalesforce(lambda _request: (200, body))))
    except UnknownOutcome:
        return
    assert [result.reaction for result in results] == [ErrorAction.TRANSIENT]


async def test_the_share_of_the_daily_requests_is_known_from_the_answers(serve: Serve) -> None:
    fake = FakeSalesforce(lambda _request: (200, WRITTEN))
    fake.usage = "api-usage=950/1000, per-app-api-usage=17/250(appName=x)"
    salesforce = serve(fake)
    assert not salesforce.quota_reached(0.95)
    await write(salesforce)
    assert salesforce.quota_reached(0.95)
    assert not salesforce.quota_reached(0.95)  # one call may look again after the pause


async def test_describe_of_an_object_that_is_not_there_is_none(serve: Serve) -> None:
    fake = FakeSalesforce(lambda _request: (404, [{"errorCode": "NOT_FOUND", "message": "no"}]))
    assert await serve(fake).describe("X__c") is None


async def test_closing_does_not_wait_for_a_call_that_hangs() -> None:
    released = threading.Event()

    def hang(_request: requests.PreparedRequest) -> Answer:
        released.wait(30)
        return 200, WRITTEN

    fake = FakeSalesforce(hang)
    try:
        async with asyncio.timeout(5), open_salesforce(SETTINGS, PAUSES, Metrics(), fake) as salesforce:
            call = asyncio.create_task(write(salesforce))
            await eventually(lambda: bool(fake.calls), about="the call")
    finally:
        released.set()
    await call
