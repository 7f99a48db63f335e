"""Addresses that our session token may be sent to, and the shipped rules."""

import pytest
from pydantic import SecretStr, ValidationError

from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.settings import SalesforceSettings, near_url, salesforce_origin
from tests.support.for_each import for_each


@for_each(
    "url, origin",
    [
        ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("https://ACME.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com"),
    ],
)
def test_an_origin_of_salesforce_passes(url: str, origin: str) -> None:
    assert salesforce_origin(url) == origin


@for_each(
    "url",
    [
        "",
        "acme.my.salesforce.com",
        "http://acme.my.salesforce.com",
        "https://salesforce.com",
        "https://salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://evil.example#.salesforce.com",
        "https://evil.example/?x=.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com/services",
        "https://user:pw@acme.my.salesforce.com",
        "https://acme .my.salesforce.com",
        "https://None",
    ],
)
def test_no_other_address_gets_our_token(url: str) -> None:
    with pytest.raises(ValueError, match=r"my\.salesforce\.com"):
        salesforce_origin(url)


@for_each(
    "url",
    [
        "http://127.0.0.1:9400/salesforce",
        "http://localhost:9400/salesforce/",
        "http://[::1]:9400",
        "http://sandbox:9400/salesforce",
    ],
)
def test_a_stand_in_nearby_passes(url: str) -> None:
    assert near_url(url) == url.rstrip("/")


@for_each(
    "url",
    [
        "http://sandbox.example.com:9400",
        "http://10.0.0.7:9400",
        "http://192.168.1.5",
        "ftp://localhost",
        "http://user@localhost",
        "http://localhost?x=1",
        "http://localhost.evil.example",
        "sandbox:9400",
        "http://",
    ],
)
def test_a_stand_in_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
        near_url(url)


def test_an_address_is_needed() -> None:
    with pytest.raises(ValidationError, match="SALESFORCE_LOGIN_URL"):
        SalesforceSettings(login_url="", client_id="a", client_secret=SecretStr("b"), sandbox_url="")


def test_the_shipped_rules_are_salesforces_limits() -> None:
    rules = SfdcPolicy()
    assert rules.batch == 200
    assert rules.ticket_record.object == "Zendesk_Ticket__c"
    assert rules.ticket_record.external_id == "Zendesk_Ticket_ID__c"
    with pytest.raises(ValidationError):
        SfdcPolicy(batch=201)


def test_a_real_org_is_never_replaced_by_the_stand_in() -> None:
    near, org = "http://sandbox:9400/salesforce", "https://acme.my.salesforce.com"
    both = SalesforceSettings(login_url=org, client_id="a", client_secret=SecretStr("b"), sandbox_url=near)
    alone = SalesforceSettings(login_url="", client_id="a", client_secret=SecretStr("b"), sandbox_url=near)
    assert (both.stand_in, both.login_origin) == ("", org)
    assert alone.stand_in == near
