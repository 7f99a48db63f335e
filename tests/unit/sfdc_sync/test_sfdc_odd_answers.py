"""Answers that are refusals in disguise, half an answer, or somebody else's: the real client, no network."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import requests

from sfdc_sync.integrity.prerequisites import check_account
from sfdc_sync.operations.doctor import check_comments, check_record, examine
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.salesforce.responses import ErrorAction, read_results
from supportops.clock import SystemClock
from supportops.errors import CredentialRefused, DestinationPaused, Retryable
from supportops.observability.metrics import Metrics
from tests.support.for_each import for_each
from tests.unit.sfdc_sync.salesforce_transport import Answer, FakeSalesforce
from tests.unit.sfdc_sync.test_sfdc_client import PAUSES, SETTINGS, Serve, write

ROW = {"Id": "001xx0000004GxDAAU"}
PAGE = b"<!DOCTYPE html><html><body>Access to this site is blocked</body></html>"
NEXT = "/services/data/v62.0/query/01g-2000"


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ThreadPoolExecutor(2) as pool:
        yield lambda fake: Salesforce(SETTINGS, PAUSES, pool, Metrics(), fake)


def refused(code: str, message: str = "") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


@pytest.mark.parametrize(
    ("answer", "after", "told"),
    [
        ((403, refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")), PAUSES.quota, "Total"),
        (
            (403, refused("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.")),
            PAUSES.busy,
            "busy",
        ),
        ((200, refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")), PAUSES.quota, "Total"),
        ((200, {"errorCode": "INVALID_SESSION_ID", "message": "expired"}), PAUSES.login, "INVALID_SESSION"),
        ((403, PAGE), PAUSES.config, "a proxy, a firewall"),
        ((407, PAGE), PAUSES.config, "a proxy, a firewall"),
        ((401, PAGE), PAUSES.login, "a proxy, a firewall"),
        (
            (401, refused("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "The users password has expired")),
            PAUSES.login,
            "password has expired",
        ),
        (
            (403, refused("API_DISABLED_FOR_USER", "API is disabled for this User")),
            PAUSES.config,
            "API is disabled for this User",
        ),
        ((403, refused("ORG_LOCKED", "the organization is locked")), PAUSES.config, "organization is locked"),
    ],
)
async def test_who_may_not_call_reads_why_in_salesforces_words(
    serve: Serve, answer: Answer, after: timedelta, told: str
) -> None:
    with pytest.raises(DestinationPaused, match=told) as caught:
        await write(serve(FakeSalesforce(lambda _request: answer)))
    assert caught.value.after == after


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://acme-new.my.salesforce.com/services", "https://acme-new.my.salesforce.com"),
        ("https://login.portal.example/captive", "not Salesforce's"),
        ("", "not Salesforce's"),
    ],
)
async def test_a_call_that_is_sent_elsewhere_is_not_followed_and_told(
    serve: Serve, location: str, told: str
) -> None:
    fake = FakeSalesforce(lambda _request: (302, b""))
    fake.location = location
    with pytest.raises(DestinationPaused, match=told):
        await write(serve(fake))
    assert len(fake.calls) == 1


HALVES: list[Any] = [
    {"records": [ROW]},
    {"records": [ROW], "done": "false", "nextRecordsUrl": NEXT},
    {"records": [ROW], "done": False},
    {"records": [ROW], "done": False, "nextRecordsUrl": ""},
    {"records": [ROW], "done": False, "nextRecordsUrl": "https://evil.example/steal"},
    {"records": [ROW], "done": False, "nextRecordsUrl": NEXT},  # and the next page names itself again
    {"records": [ROW, None], "done": True},
    {"records": None, "done": True},
    {"records": {}, "done": True},
    refused("INVALID_SESSION_ID"),
]


@pytest.mark.parametrize("half", HALVES)
async def test_half_a_query_is_none_for_pages_for_look_ups_and_for_later_pages(
    serve: Serve, half: Any
) -> None:
    """Rows that are missing would look like accounts that are gone."""

    def composite(_request: requests.PreparedRequest) -> Answer:
        part = {"referenceId": "q0", "httpStatusCode": 200, "body": half}
        return 200, {"compositeResponse": [part]}

    def by_road(request: requests.PreparedRequest) -> Answer:
        return composite(request) if (request.url or "").endswith("/composite") else (200, half)

    salesforce = serve(FakeSalesforce(by_road))
    with pytest.raises(Retryable):
        [page async for page in salesforce.pages("SELECT Id FROM Account")]
    with pytest.raises(Retryable):
        await salesforce.queries(["SELECT Id FROM Account"])
    with pytest.raises(Retryable):
        await salesforce.more(NEXT)


async def test_every_page_is_read_once(serve: Serve) -> None:
    pages: list[Answer] = [
        (200, {"records": [ROW], "done": False, "nextRecordsUrl": NEXT}),
        (200, {"records": [ROW], "done": False, "nextRecordsUrl": f"{NEXT}x"}),
        (200, {"records": [], "done": True}),
    ]
    salesforce = serve(FakeSalesforce(lambda _request: pages.pop(0)))
    assert [len(page) async for page in salesforce.pages("SELECT Id FROM Account")] == [1, 1, 0]


@pytest.mark.parametrize("body", [{}, [1], {"fields": None}, {"fields": "all"}])
async def test_an_object_without_its_fields_is_not_one_that_hides_them_all(serve: Serve, body: Any) -> None:
    with pytest.raises(Retryable, match="without its fields"):
        await serve(FakeSalesforce(lambda _request: (200, body))).describe("Account")


WHOLE: dict[str, Any] = {
    "type": "picklist",
    "length": 40,
    "createable": True,
    "updateable": True,
    "externalId": True,
    "unique": True,
    "restrictedPicklist": True,
    "referenceTo": ["Account"],
    "relationshipName": "Account",
    "picklistValues": [{"value": "new", "active": True}],
}
ODD: tuple[Any, ...] = (None, "x", 5, -1, [], [None], [5], {}, {"a": 1})


def _say(body: object, _request: requests.PreparedRequest) -> Answer:
    return 200, body


@pytest.mark.parametrize("key", WHOLE)
async def test_an_odd_description_of_a_field_is_judged_and_breaks_no_check(serve: Serve, key: str) -> None:
    policy = SfdcPolicy()
    record, accounts = policy.ticket_record, policy.organizations
    names = {*record.fields, record.external_id, "Type", *(rule.source for rule in accounts.fields.values())}
    for odd in ODD:
        answer = {"keyPrefix": "001", "fields": [{**WHOLE, "name": name, key: odd} for name in names]}
        fake = FakeSalesforce(partial(_say, answer))
        found = await serve(fake).describe("Account")
        assert found is not None
        assert len(check_record(record, found)) >= len(record.fields)
        assert check_comments(record.comments, found)
        assert check_account(accounts, found)


@pytest.mark.parametrize(
    "limits", [{}, [1], {"DailyApiRequests": None}, {"DailyApiRequests": {"Max": 5000, "Remaining": -12}}]
)
async def test_the_doctor_reads_whatever_stands_in_limits_and_describe(serve: Serve, limits: Any) -> None:
    described = {"fields": [None, "Name", {"name": None}, {"name": "X", "picklistValues": None}]}

    def answer(request: requests.PreparedRequest) -> Answer:
        if (request.url or "").endswith("/limits"):
            return 200, limits
        if (request.url or "").endswith("/composite"):
            return 503, PAGE
        return 200, described

    found = await examine(serve(FakeSalesforce(answer)), SfdcPolicy(), SystemClock())
    assert found[-1].check == "daily requests"
    assert {each.verdict for each in found if each.check.startswith("field ")} == {"failed"}


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ((400, {"error": "invalid_grant", "error_description": "expired password"}), "password has expired"),
        ((400, {"error": "invalid_grant", "error_description": "Login IP not allowed"}), "IP Relaxation"),
        ((400, {"error": "invalid_grant", "error_description": "login hours restriction"}), "outside"),
        ((400, {"error": "invalid_grant", "error_description": "multi-factor required"}), "second factor"),
        (
            (400, {"error": "OAUTH_APP_BLOCKED", "error_description": "this app is blocked by admin"}),
            "blocked or not installed",
        ),
        (
            (400, {"error": "invalid_client", "error_description": "External client app is not installed"}),
            "blocked or not installed",
        ),
        (
            (400, {"error": "OAUTH_APP_ACCESS_DENIED", "error_description": "user is not admin approved"}),
            "Permitted Users",
        ),
        ((403, PAGE), "a proxy or a firewall"),
        ((404, PAGE), "compare SALESFORCE_LOGIN_URL"),
        ((429, b""), "too many logins"),
        ((200, {"error": "invalid_grant", "error_description": "ip restricted"}), "IP Relaxation"),
    ],
)
async def test_a_refused_login_says_what_to_mend(serve: Serve, login: Answer, told: str) -> None:
    fake = FakeSalesforce(lambda _request: (200, []))
    fake.login = login
    with pytest.raises(CredentialRefused, match=told):
        await serve(fake).sign_in()


@pytest.mark.parametrize("login", [(400, {"error": "unknown_error"}), (500, PAGE), (200, PAGE)])
async def test_a_login_that_salesforce_wants_repeated_is_repeated_soon(serve: Serve, login: Answer) -> None:
    fake = FakeSalesforce(lambda _request: (200, []))
    fake.login = login
    with pytest.raises(DestinationPaused) as caught:
        await serve(fake).sign_in()
    assert caught.value.after == PAUSES.login_away


SENT: dict[str, object] = {
    "Subject__c": "The password of Ada is hunter2, and she waits",
    "Email__c": "ada@customer.example",
    "Status__c": "hold",
    "Count__c": 7,
}


@for_each(
    "code, message, reaction, told",
    [
        (
            "STRING_TOO_LONG",
            f"Subject: data value too large: {SENT['Subject__c']} (max length=20)",
            ErrorAction.REJECTED,
            "STRING_TOO_LONG: Subject: data value too large: … (max length=20)",
        ),
        (
            "STRING_TOO_LONG",
            f"Subject: data value too large: {str(SENT['Subject__c'])[:30]}",
            ErrorAction.REJECTED,
            "STRING_TOO_LONG: Subject: data value too large: …",
        ),
        (
            "FIELD_INTEGRITY_EXCEPTION",
            "Sub-status does not go with hold",
            ErrorAction.REJECTED,
            "FIELD_INTEGRITY_EXCEPTION: Sub-status does not go with …",
        ),
        ("A_NEW_CODE", "Only eve@acme.example may", ErrorAction.REJECTED, "A_NEW_CODE: Only … may"),
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "TicketTrigger: UNABLE_TO_LOCK_ROW",
            ErrorAction.TRANSIENT,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION: TicketTrigger: UNABLE_TO_LOCK_ROW",
        ),
        (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "Fill in the region and try again",
            ErrorAction.REJECTED,
            "FIELD_CUSTOM_VALIDATION_EXCEPTION: Fill in the region and try again",
        ),
        (
            "ENTITY_IS_LOCKED",
            "the entity is locked for editing",
            ErrorAction.TRANSIENT,
            "ENTITY_IS_LOCKED: the entity is locked for editing",
        ),
        (
            "INVALID_FIELD",
            "\nWHERE Email = 'x@y.example'\n^\nERROR at Row:1:Column:9\nNo such column 'A__c' on entity 'T'",
            ErrorAction.CONFIG,
            "INVALID_FIELD: No such column 'A__c' on entity 'T'",
        ),
    ],
)
def test_operators_read_the_explanation_and_nothing_of_the_customers(
    code: str, message: str, reaction: ErrorAction, told: str
) -> None:
    body = [{"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}]
    (found,) = read_results(body, [SENT])
    assert (found.reaction, found.reason) == (reaction, told)
