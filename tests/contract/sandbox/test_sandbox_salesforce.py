"""The Salesforce stand-in, driven by simple-salesforce over a real connection (docs/vendors/salesforce.md)."""

from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from sandbox.clients import tls
from tests.contract.sandbox.salesforce_client import adapted, code_of, connect, login, problems
from tests.support.sandbox import SandboxProcess

TICKET, KEY = "Zendesk_Ticket__c", "Zendesk_Ticket_ID__c"
ACME = "0018a00001rBqb8AAC"
RESTRICTED = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


@pytest.fixture
def org(sandbox: SandboxProcess) -> Any:
    return connect(sandbox.url)


def upsert(org: Any, value: str, fields: dict[str, Any]) -> Any:
    return org.Zendesk_Ticket__c.upsert(format_external_id(KEY, value), fields, raw_response=True)


def record(value: str, **fields: Any) -> dict[str, Any]:
    return {"attributes": {"type": TICKET}, KEY: value, **fields}


def upsert_many(org: Any, *records: dict[str, Any], all_or_none: bool = False) -> list[dict[str, Any]]:
    body = {"allOrNone": all_or_none, "records": list(records)}
    found: list[dict[str, Any]] = org.restful(f"composite/sobjects/{TICKET}/{KEY}", method="PATCH", json=body)
    return found


def test_login_with_basic_and_form(sandbox: SandboxProcess) -> None:
    for basic in (True, False):
        assert connect(sandbox.url, login(sandbox.url, basic=basic)).limits()
    url = "/salesforce/services/oauth2/token"
    wrong = sandbox.http.post(url, data={"grant_type": "client_credentials", "client_id": "x"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    other = sandbox.http.post(url, data={"grant_type": "password"})
    assert other.json()["error"] == "unsupported_grant_type"


def test_the_library_logs_in_by_itself(sandbox: SandboxProcess) -> None:
    keys: dict[str, Any] = {"consumer_key": "sandbox-client", "version": "62.0"}
    by_secret = Salesforce(
        **keys, consumer_secret="sandbox-secret", domain="acme.my", session=adapted(sandbox.url)
    )
    assert by_secret.sf_instance == "acme.my.salesforce.com"
    assert by_secret.limits()["DailyApiRequests"]["Max"] == 100_000
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    by_key = Salesforce(**keys, username="ops@example.com", privatekey=pem, session=adapted(sandbox.url))
    assert by_key.limits()


def test_upsert_creates_then_updates(org: Any, sandbox: SandboxProcess) -> None:
    first = upsert(org, "5001", {"Subject__c": "x", "Status__c": "New"})
    second = upsert(org, "5001", {"Status__c": "Solved"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert (second.status_code, second.json()["created"]) == (200, False)
    assert first.json()["id"] == second.json()["id"]
    assert len(first.json()["id"]) == 18
    found = org.Zendesk_Ticket__c.get(format_external_id(KEY, "5001"))
    assert (found["Subject__c"], found["Status__c"], found["Id"]) == ("x", "Solved", first.json()["id"])
    kinds = [entry["kind"] for entry in sandbox.ledger("salesforce")]
    assert kinds == ["salesforce.record.created", "salesforce.record.updated"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({KEY: "5001"}, "INVALID_FIELD"),
        ({"Nonsense__c": 1}, "INVALID_FIELD"),
        ({"Subject__c": "x" * 256}, "STRING_TOO_LONG"),
        ({"Created_At__c": "yesterday"}, "JSON_PARSER_ERROR"),
        ({"Created_At__c": "2026-01-05T08:00:00"}, "JSON_PARSER_ERROR"),
        ({"Requester_Email__c": "nobody"}, "INVALID_EMAIL_ADDRESS"),
        ({"Account__c": "x"}, "MALFORMED_ID"),
        ({"Account__c": "0035500001H9kZuAAJ"}, "MALFORMED_ID"),
        ({"Account__c": "001D000000IqhSLAAA"}, "MALFORMED_ID"),
        ({"Account__c": "001000000099999"}, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"),
        ({"SystemModstamp": "2026-01-05T08:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Account__r": {"Name": "Acme Ltd"}}, "NOT_FOUND"),
    ],
)
def test_refused_values(org: Any, fields: dict[str, Any], code: str) -> None:
    with pytest.raises((SalesforceMalformedRequest, SalesforceResourceNotFound)) as refused:
        upsert(org, "5001", fields)
    assert code_of(refused.value) == code
    assert org.query(f"SELECT COUNT() FROM {TICKET}")["totalSize"] == 0


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ({"type": "date"}, "2026-01-05T08:00:00Z", "JSON_PARSER_ERROR"),
        ({"type": "boolean"}, None, "JSON_PARSER_ERROR"),
        ({"length": 3}, "\U0001f525\U0001f525", "STRING_TOO_LONG"),
        ({"type": "multipicklist", "picklist": ["a", "b"], "restricted": True}, "a;c", RESTRICTED),
        ({"type": "date"}, "2026-01-05", ""),
        ({"length": 4}, "\U0001f525\U0001f525", ""),
        ({"type": "multipicklist", "picklist": ["a", "b"], "restricted": True}, "b;a", ""),
    ],
)
def test_types_take_what_fits_them(
    org: Any, sandbox: SandboxProcess, field: dict[str, Any], value: Any, code: str
) -> None:
    sandbox.post("salesforce/objects", name=TICKET, fields=[{"name": "Typed__c", **field}])
    if code:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            upsert(org, "1", {"Typed__c": value})
        assert code_of(refused.value) == code
    else:
        assert upsert(org, "1", {"Typed__c": value}).status_code == 201


def test_datetimes_come_back_in_utc(org: Any) -> None:
    upsert(org, "1", {"Created_At__c": "2026-01-05T09:00:00.5+01:00"})
    found = org.query(f"SELECT Created_At__c FROM {TICKET}")["records"][0]
    assert found["Created_At__c"] == "2026-01-05T08:00:00.500+0000"


def test_external_id_that_is_none(org: Any) -> None:
    with pytest.raises(SalesforceResourceNotFound) as refused:
        org.Zendesk_Ticket__c.upsert("Subject__c/x", {"Status__c": "y"})
    assert "Provided external ID field does not exist" in problems(refused.value)[0]["message"]
    with pytest.raises(SalesforceResourceNotFound):
        org.Nonsense__c.describe()


def test_several_matches_are_300(org: Any, sandbox: SandboxProcess) -> None:
    fields = [{"name": "Code__c", "external_id": True}]
    sandbox.post("salesforce/objects", name="Thing__c", fields=fields)
    for _ in range(2):
        sandbox.post("salesforce/records", object="Thing__c", fields={"Code__c": "a"})
    with pytest.raises(SalesforceMoreThanOneRecord) as several:
        org.Thing__c.upsert("Code__c/a", {})
    found: Any = several.value.content
    assert len(found) == 2
    assert found[0].startswith("/services/data/v62.0/sobjects/Thing__c/")


def test_collections_keep_order_and_tell_per_record(org: Any) -> None:
    upsert(org, "2", {"Status__c": "old"})
    results = upsert_many(
        org,
        record("1", Subject__c="one"),
        record("2", Subject__c="two"),
        record("3", Nonsense__c="x"),
        record("4"),
        record("4", Subject__c="again"),
        {"attributes": {"type": "Account"}, KEY: "5"},
    )
    assert [result["success"] for result in results] == [True, True, False, False, False, False]
    assert [results[0]["created"], results[1]["created"]] == [True, False]
    codes = [result["errors"][0]["statusCode"] for result in results[2:]]
    assert codes == ["INVALID_FIELD", "DUPLICATE_VALUE", "DUPLICATE_VALUE", "INVALID_TYPE"]
    names = [row[KEY] for row in org.query(f"SELECT {KEY} FROM {TICKET} ORDER BY {KEY}")["records"]]
    assert names == ["1", "2"]


def test_all_or_none_writes_nothing(org: Any) -> None:
    results = upsert_many(org, record("1"), record("2", Nonsense__c=1), all_or_none=True)
    codes = [result["errors"][0]["statusCode"] for result in results]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_FIELD"]
    assert org.query(f"SELECT COUNT() FROM {TICKET}")["totalSize"] == 0


def test_at_most_200_records(org: Any) -> None:
    assert len(upsert_many(org, *[record(str(n)) for n in range(200)])) == 200
    with pytest.raises(SalesforceMalformedRequest) as refused:
        upsert_many(org, *[record(str(n)) for n in range(201)])
    assert code_of(refused.value) == "EXCEEDED_ID_LIMIT"


def test_injected_record_errors_hit_the_next_ones(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("faults", kind="record_error", code="UNABLE_TO_LOCK_ROW", count=1)
    first, second = upsert_many(org, record("1"), record("2"))
    assert (first["errors"][0]["statusCode"], second["success"]) == ("UNABLE_TO_LOCK_ROW", True)


def test_unique_fields(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/objects", name=TICKET, fields=[{"name": "Code__c", "unique": True}])
    upsert(org, "1", {"Code__c": "Same"})
    with pytest.raises(SalesforceMalformedRequest) as refused:
        upsert(org, "2", {"Code__c": "same"})
    assert code_of(refused.value) == "DUPLICATE_VALUE"
    assert upsert(org, "1", {"Code__c": "Same"}).status_code == 200


def test_parent_by_its_external_id(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/objects", name="Account", fields=[{"name": "Code__c", "external_id": True}])
    sandbox.post("salesforce/records", object="Account", fields={"Name": "Parent", "Code__c": "p1"})
    upsert(org, "1", {"Account__r": {"Code__c": "p1"}})
    found = org.query(f"SELECT Account__r.Name, Contact__r.Email FROM {TICKET}")["records"][0]
    assert (found["Account__r"]["Name"], found["Contact__r"]) == ("Parent", None)
    with pytest.raises(SalesforceMalformedRequest, match="Foreign key external ID"):
        upsert(org, "1", {"Account__r": {"Code__c": "p2"}})


def test_describe_and_hidden_fields(org: Any, sandbox: SandboxProcess) -> None:
    fields = {field["name"]: field for field in org.Zendesk_Ticket__c.describe()["fields"]}
    assert (fields[KEY]["externalId"], fields[KEY]["unique"]) == (True, True)
    assert (fields["Account__c"]["referenceTo"], fields["Account__c"]["relationshipName"]) == (
        ["Account"],
        "Account__r",
    )
    assert not fields["SystemModstamp"]["updateable"]
    sandbox.post("salesforce/objects", name=TICKET, fields=[{"name": "Form__c", "visible": False}])
    assert "Form__c" not in {field["name"] for field in org.Zendesk_Ticket__c.describe()["fields"]}
    with pytest.raises(SalesforceMalformedRequest) as refused:
        org.query(f"SELECT Form__c FROM {TICKET}")
    assert problems(refused.value) == [
        {"message": f"No such column 'Form__c' on sobject of type {TICKET}", "errorCode": "INVALID_FIELD"}
    ]


def test_usage_header_and_versions(org: Any, sandbox: SandboxProcess) -> None:
    org.limits()
    assert org.api_usage["api-usage"].used >= 1
    refused = sandbox.http.get("/salesforce/services/data/v62.0/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert "sforce-limit-info" in refused.headers
    versions = sandbox.http.get(
        "/salesforce/services/data/", headers={"authorization": f"Bearer {login(sandbox.url)}"}
    )
    assert "62.0" in {version["version"] for version in versions.json()}


def test_quota_is_a_403(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", salesforce={"daily": 0})
    with pytest.raises(SalesforceRefusedRequest) as refused:
        org.limits()
    assert code_of(refused.value) == "REQUEST_LIMIT_EXCEEDED"


def test_expired_session(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("faults", kind="expire_session", count=1)
    with pytest.raises(SalesforceExpiredSession) as expired:
        upsert(org, "1", {})
    assert code_of(expired.value) == "INVALID_SESSION_ID"
    assert connect(sandbox.url).limits()


def test_drop_after_commit_meets_its_own_effect(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("faults", service="salesforce", kind="drop_after_commit", path="sobjects", count=1)
    with pytest.raises(OSError, match="onnection"):
        upsert(org, "1", {"Subject__c": "x"})
    again = upsert(org, "1", {"Subject__c": "x"})
    assert (again.status_code, again.json()["created"]) == (200, False)


def test_html_and_coded_errors(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("faults", service="salesforce", kind="503", count=1)
    with pytest.raises(SalesforceGeneralError) as html:
        org.limits()
    assert "<html>" in str(html.value.content)
    sandbox.post("faults", service="salesforce", kind="error", status=500, code="UNABLE_TO_LOCK_ROW", count=1)
    with pytest.raises(SalesforceGeneralError) as coded:
        org.limits()
    assert code_of(coded.value) == "UNABLE_TO_LOCK_ROW"


def test_paging_follows_relative_urls(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("limits", salesforce={"page_size": 3})
    upsert_many(org, *[record(str(n)) for n in range(8)])
    first = org.query(f"SELECT {KEY} FROM {TICKET}")
    assert (first["totalSize"], first["done"], len(first["records"])) == (8, False, 3)
    assert first["nextRecordsUrl"].startswith("/services/data/v62.0/query/")
    everything = [row[KEY] for row in org.query_all_iter(f"SELECT {KEY} FROM {TICKET}")]
    assert everything == [str(n) for n in range(8)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'acme ltd'", ["Acme Ltd"]),
        ("Name LIKE 'A%'", ["Acme Ltd"]),
        ("Name LIKE '_cme%' AND Type = 'Customer'", ["Acme Ltd"]),
        ("Name IN ('Acme Ltd', 'Nobody')", ["Acme Ltd"]),
        ("Name NOT IN ('Acme Ltd')", ["Groablet Enterprises"]),
        ("NOT Name = 'Acme Ltd'", ["Groablet Enterprises"]),
        (
            "(Name = 'x' OR Type = 'Customer') AND Number_of_Licenses_This_Account__c > 300",
            ["Groablet Enterprises"],
        ),
        ("Website = null AND Name != 'Acme Ltd'", ["Groablet Enterprises"]),
        ("SystemModstamp > 2020-01-01T00:00:00Z AND IsDeleted = false AND Name < 'B'", ["Acme Ltd"]),
        ("Name = 'nobody'", []),
    ],
)
def test_conditions(org: Any, where: str, expected: list[str]) -> None:
    rows = org.query(f"SELECT Id, Name FROM Account WHERE {where} ORDER BY Name LIMIT 5")["records"]
    assert [row["Name"] for row in rows] == expected


def test_escaping_by_format_soql(org: Any, sandbox: SandboxProcess) -> None:
    name = 'O\'Brien \\ "quoted"\n50%'
    sandbox.post("salesforce/records", object="Account", fields={"Name": name})
    assert org.query(format_soql("SELECT Name FROM Account WHERE Name = {}", name))["totalSize"] == 1
    hostile = format_soql("SELECT Name FROM Account WHERE Name = {}", "x' OR Name != 'y")
    assert org.query(hostile)["totalSize"] == 0


@pytest.mark.parametrize(
    "query", ["SELECT", "SELECT Id FROM Account WHERE", "DROP Account", "SELECT Id FROM Account x"]
)
def test_malformed_queries(org: Any, query: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        org.query(query)
    assert code_of(refused.value) == "MALFORMED_QUERY"


def test_too_long_uri(sandbox: SandboxProcess) -> None:
    headers = {"authorization": f"Bearer {login(sandbox.url)}"}
    names = ",".join(f"'{n:018d}'" for n in range(700))
    url = "/salesforce/services/data/v62.0/query/"
    with httpx.Client(base_url=sandbox.url, trust_env=False, verify=tls()) as client:
        answer = client.get(
            url, params={"q": f"SELECT Id FROM Account WHERE Id IN ({names})"}, headers=headers
        )
    assert answer.status_code == 414
