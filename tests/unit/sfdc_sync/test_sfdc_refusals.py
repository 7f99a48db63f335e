"""Mistakes of login, address and API version are told apart, each with its remedy, without secrets."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import structlog
from pydantic import SecretStr

from sfdc_sync.operations.doctor import examine
from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce
from sfdc_sync.salesforce.refusals import login_refusal, moved, version_refusal, versions_in
from sfdc_sync.settings import SalesforceSettings
from supportops.clock import SystemClock
from supportops.errors import DestinationPaused
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Finding
from tests.unit.sfdc_sync.salesforce_transport import ORIGIN, Answer, FakeSalesforce

SECRET = "hush-hush"
VERSIONS = (200, [{"version": f"{number}.0", "label": "x", "url": "/"} for number in range(31, 69)])
GONE = (410, [{"errorCode": "GONE", "message": "API version v30.0 has been retired"}])
UNKNOWN = (404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}])


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


def salesforce(pool: ThreadPoolExecutor, fake: FakeSalesforce, version: str = "62.0") -> Salesforce:
    settings = SalesforceSettings(
        login_url=ORIGIN, client_id="app", client_secret=SecretStr(SECRET), api_version=version
    )
    return Salesforce(settings, Pauses(), pool, Metrics(), fake)


def refused(answer: Answer, location: str = "") -> FakeSalesforce:
    fake = FakeSalesforce(lambda _request: (200, {}))
    fake.login, fake.location = answer, location
    return fake


def grant(description: str, error: str = "invalid_grant") -> Answer:
    return 400, {"error": error, "error_description": description}


LOGINS: dict[str, tuple[Answer, str]] = {
    "login.salesforce.com": (
        grant("request not supported on this domain"),
        "SALESFORCE_LOGIN_URL must be the org's own",
    ),
    "no user": (grant("no client credentials user enabled"), "name the integration user as Run As"),
    "secret": (grant("invalid client credentials", "invalid_client"), "SALESFORCE_CLIENT_SECRET"),
    "key": (grant("client identifier invalid", "invalid_client_id"), "SALESFORCE_CLIENT_ID"),
    "flow": (grant("client credentials flow not enabled"), "switch on Enable Client Credentials Flow"),
    "app": (grant("user is not admin approved to access this app", "invalid_app_access"), "Permitted Users"),
    "address": (grant("ip restricted"), "IP Relaxation"),
    "user": (grant("user is inactive", "inactive_user"), "inactive: Setup, Users"),
    "person": (grant("authentication failure"), "API Enabled"),
    "rate": (grant("login rate exceeded"), "too many logins"),
    "unheard of": (grant("the moon is full", "lunacy"), "External Client App Manager"),
}


@pytest.mark.parametrize(("answer", "remedy"), LOGINS.values(), ids=LOGINS)
async def test_a_refused_login_says_what_to_do_in_pause_doctor_and_log(
    pool: ThreadPoolExecutor, answer: Answer, remedy: str
) -> None:
    with structlog.testing.capture_logs() as lines, pytest.raises(DestinationPaused) as caught:
        await salesforce(pool, refused(answer)).describe("T__c")
    [login] = await doctor(pool, refused(answer))
    [line] = [line for line in lines if line["event"] == "salesforce.login_refused"]
    assert remedy in str(caught.value)
    assert (login.check, login.verdict, login.detail) == ("login", "failed", str(caught.value))
    assert line["reason"] == str(caught.value)
    assert "sfdc-sync doctor" not in login.detail


def test_the_vendors_own_explanation_is_kept_and_no_secret() -> None:
    said = login_refusal(
        400,
        {"error": "invalid_grant", "error_description": f"no {SECRET} for {'x' * 40} today"},
        secret=SECRET,
    )
    assert "no … for … today" in said
    assert SECRET not in said


async def test_an_org_that_moved_names_its_new_address(pool: ThreadPoolExecutor) -> None:
    fake = refused((302, b""), "https://acme-new.my.salesforce.com/services/oauth2/token")
    [login] = await doctor(pool, fake)
    assert login.detail.endswith("set SALESFORCE_LOGIN_URL=https://acme-new.my.salesforce.com")
    assert "not Salesforce's" in moved("https://evil.example/services/oauth2/token?x=y")


@pytest.mark.parametrize(
    ("version", "answer", "words"),
    [
        ("99.0", UNKNOWN, "API version 99.0 is not offered yet: the org has 31.0 to 68.0"),
        ("30.0", GONE, "API version 30.0 is retired: the org has 31.0 to 68.0"),
    ],
)
async def test_a_wrong_api_version_is_no_failed_login(
    pool: ThreadPoolExecutor, version: str, answer: Answer, words: str
) -> None:
    fake = FakeSalesforce(lambda _request: answer)
    fake.versions = VERSIONS
    login, described = await doctor(pool, fake, version)
    assert (login.check, login.verdict) == ("login", "ok")
    assert described.verdict == "failed"
    assert words in described.detail
    assert "SALESFORCE_API_VERSION" in described.detail
    with pytest.raises(DestinationPaused, match=version):
        await salesforce(pool, fake, version).upsert("T__c", "Ext__c", [{}])


async def test_with_a_version_that_is_offered_the_object_is_what_is_missing(pool: ThreadPoolExecutor) -> None:
    fake = FakeSalesforce(lambda _request: UNKNOWN)
    fake.versions = VERSIONS
    findings = await doctor(pool, fake)
    assert "does not exist" in findings[1].detail


@pytest.mark.parametrize(
    "versions",
    [(503, b"<html>"), (200, {"a": 1}), (200, [1, {"version": 62}]), requests.ConnectionError("lost")],
)
async def test_without_a_readable_list_of_versions_the_refusal_itself_is_told(
    pool: ThreadPoolExecutor, versions: Answer
) -> None:
    fake = FakeSalesforce(lambda _request: GONE)
    fake.versions = versions
    with pytest.raises(DestinationPaused, match=r"GONE: API version v30\.0 has been retired"):
        await salesforce(pool, fake).describe("T__c")


def test_versions_are_compared_as_numbers() -> None:
    assert versions_in([{"version": "9.0"}, {"version": "10.0"}, {"version": "x"}]) == ["9.0", "10.0"]
    assert "9.0 to 10.0" in version_refusal("11.0", ["10.0", "9.0"])
    assert version_refusal("10.0", ["10.0", "9.0"]) == version_refusal("10.0", []) == ""


async def doctor(pool: ThreadPoolExecutor, fake: FakeSalesforce, version: str = "62.0") -> list[Finding]:
    return (await examine(salesforce(pool, fake, version), SfdcPolicy(), SystemClock()))[:2]
