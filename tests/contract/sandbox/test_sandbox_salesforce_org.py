"""The Salesforce stand-in as an org of many hands: rights, sharing, sub-queries, the recycle bin, merges, currency.

Driven by simple-salesforce over a real connection (docs/vendors/salesforce.md).
"""

from typing import Any

import pytest
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id

from tests.contract.sandbox.salesforce_client import code_of, connect
from tests.support.sandbox import SandboxProcess

ACME, GROABLET = "0018a00001rBqb8AAC", "001D000000IqhSLIAZ"
RITA = "0035500001H9kZuAAJ"


@pytest.fixture
def org(sandbox: SandboxProcess) -> Any:
    return connect(sandbox.url)


def names(org: Any, soql: str, *, deleted: bool = False) -> list[str]:
    return [row["Name"] for row in org.query_all_iter(soql, include_deleted=deleted)]


def test_owner_and_manager_are_users(org: Any) -> None:
    soql = f"SELECT Owner.Email, Technical_Account_Manager__r.Name FROM Account WHERE Id = '{ACME}'"
    found = org.query(soql)["records"][0]
    assert found["Owner"]["Email"] == "olga@vendor.example"
    assert found["Technical_Account_Manager__r"]["Name"] == "Tam Manager"


def test_the_org_tells_its_id_and_whether_it_is_a_sandbox(org: Any) -> None:
    found = org.query("SELECT Id, IsSandbox, Name FROM Organization")["records"][0]
    assert (found["Id"], found["IsSandbox"]) == ("00DS70000000SbxMAE", False)


def test_children_by_sub_query_also_in_pages(org: Any, sandbox: SandboxProcess) -> None:
    plans = [{"Account__c": ACME, "Plan_Name__c": f"P{n}", "Entitled_Seats__c": n} for n in range(5)]
    sandbox.post("salesforce/records", object="Customer_Subscription__c", records=plans)
    sandbox.post("limits", salesforce={"page_size": 3})
    inner = (
        "SELECT Plan_Name__c FROM Customer_Subscriptions__r WHERE Entitled_Seats__c > 0 ORDER BY Plan_Name__c"
    )
    rows = org.query(f"SELECT Name, ({inner}) FROM Account ORDER BY Name")["records"]
    acme, groablet = (row["Customer_Subscriptions__r"] for row in rows)
    assert groablet is None, "no child at all is null"
    assert (acme["totalSize"], acme["done"]) == (4, False)
    rest = org.query_more(acme["nextRecordsUrl"], identifier_is_url=True)
    plans_read = [child["Plan_Name__c"] for child in (*acme["records"], *rest["records"])]
    assert plans_read == ["P1", "P2", "P3", "P4"]
    with pytest.raises(SalesforceMalformedRequest) as refused:
        org.query("SELECT (SELECT Id FROM Nonsense__r) FROM Account")
    assert code_of(refused.value) == "INVALID_TYPE"


def test_ids_are_compared_with_case_and_in_both_lengths(org: Any) -> None:
    assert names(org, f"SELECT Name FROM Account WHERE Id IN ('{ACME[:15]}')") == ["Acme Ltd"]
    assert names(org, f"SELECT Name FROM Account WHERE Id = '{ACME.lower()}'") == []
    assert names(org, f"SELECT Name FROM Contact WHERE AccountId = '{ACME[:15]}'") == ["Jo Client"]


def test_order_by_several_columns_and_nulls(org: Any, sandbox: SandboxProcess) -> None:
    rows = [{"Name": name, "Website": site} for name, site in (("b", None), ("a", "x"), ("c", "x"))]
    sandbox.post("salesforce/records", object="Account", records=rows)
    where = "FROM Account WHERE Name IN ('a', 'b', 'c') ORDER BY Website"
    assert names(org, f"SELECT Name {where}, Name DESC") == ["b", "c", "a"]
    assert names(org, f"SELECT Name {where} DESC NULLS LAST, Name") == ["a", "c", "b"]


def test_a_field_that_is_taken_away_is_absent_and_refused(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/rights", hidden=["Account.Support_Level__c", "Account.OwnerId"])
    shown = {field["name"] for field in org.Account.describe()["fields"]}
    assert "Support_Level__c" not in shown
    assert "Type" in shown
    for column in ("Support_Level__c", "Owner.Name"):
        with pytest.raises(SalesforceMalformedRequest) as refused:
            org.query(f"SELECT {column} FROM Account")
        assert code_of(refused.value) == "INVALID_FIELD"
    assert "Support_Level__c" not in org.Account.get(ACME)


def test_rights_are_of_a_user(org: Any, sandbox: SandboxProcess) -> None:
    hidden = ["Account.Type"]
    sandbox.post("salesforce/users", client="reader", secret="reader-secret", hidden=hidden)
    form = {"grant_type": "client_credentials", "client_id": "reader", "client_secret": "reader-secret"}
    token = sandbox.http.post("/salesforce/services/oauth2/token", data=form).json()["access_token"]
    reader = connect(sandbox.url, token)
    with pytest.raises(SalesforceMalformedRequest):
        reader.query("SELECT Type FROM Account")
    assert org.query("SELECT Type FROM Account")["totalSize"] == 2


def test_a_read_only_field_cannot_be_written(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/rights", read_only=["Account.Website"])
    field = next(f for f in org.Account.describe()["fields"] if f["name"] == "Website")
    assert (field["createable"], field["updateable"]) == (False, False)
    with pytest.raises(SalesforceMalformedRequest) as refused:
        org.Account.update(ACME, {"Website": "https://acme.example"})
    assert code_of(refused.value) == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_rows_hidden_by_sharing_are_just_missing(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/rights", hidden_rows=[ACME])
    assert names(org, "SELECT Name FROM Account") == ["Groablet Enterprises"]
    with pytest.raises(SalesforceResourceNotFound):
        org.Account.get(ACME)
    results = org.restful(
        "composite/sobjects/Zendesk_Ticket__c/Zendesk_Ticket_ID__c",
        method="PATCH",
        json={
            "records": [
                {"attributes": {"type": "Zendesk_Ticket__c"}, "Zendesk_Ticket_ID__c": "1", "Account__c": ACME}
            ]
        },
    )
    assert results[0]["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"


def test_limits_need_a_permission(org: Any, sandbox: SandboxProcess) -> None:
    sandbox.post("salesforce/rights", view_setup=False)
    with pytest.raises(SalesforceRefusedRequest):
        org.limits()


def test_deleted_records_are_seen_by_query_all_only(org: Any, sandbox: SandboxProcess) -> None:
    org.Account.delete(ACME)
    assert names(org, "SELECT Name FROM Account") == ["Groablet Enterprises"]
    assert "Acme Ltd" in names(org, "SELECT Name FROM Account WHERE IsDeleted = true", deleted=True)
    with pytest.raises(SalesforceResourceNotFound) as refused:
        org.Account.update(ACME, {"Website": "x"})
    assert code_of(refused.value) == "ENTITY_IS_DELETED"
    assert names(org, "SELECT Name FROM Contact") == ["Rita Requester"], "contacts go with their account"
    sandbox.post("salesforce/undelete", object="Account", id=ACME)
    assert len(names(org, "SELECT Name FROM Account")) == 2


def test_an_emptied_bin_has_nothing(org: Any, sandbox: SandboxProcess) -> None:
    org.Account.delete(ACME)
    assert sandbox.post("salesforce/empty_bin")["gone"] == 2, "the account and its contact"
    assert names(org, "SELECT Name FROM Account", deleted=True) == ["Groablet Enterprises"]


def test_a_merge_leaves_the_loser_in_the_bin_and_moves_its_children(
    org: Any, sandbox: SandboxProcess
) -> None:
    sandbox.post("salesforce/merge", object="Account", winner=ACME, losers=[GROABLET])
    assert names(org, "SELECT Name FROM Account") == ["Acme Ltd"]
    soql = "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true"
    gone = list(org.query_all_iter(soql, include_deleted=True))
    assert [(row["Id"], row["MasterRecordId"]) for row in gone] == [(GROABLET, ACME)]
    assert org.Contact.get(RITA)["AccountId"] == ACME


def test_an_upsert_does_not_find_what_lies_in_the_bin(org: Any) -> None:
    key = format_external_id("Zendesk_Ticket_ID__c", "7")
    first = org.Zendesk_Ticket__c.upsert(key, {"Subject__c": "a"}, raw_response=True).json()
    org.Zendesk_Ticket__c.delete(first["id"])
    second = org.Zendesk_Ticket__c.upsert(key, {"Subject__c": "b"}, raw_response=True).json()
    assert second["created"] is True
    assert second["id"] != first["id"]


def test_collections_update_and_delete_by_id(org: Any) -> None:
    records = [
        {"attributes": {"type": "Account"}, "id": ACME, "Website": "https://acme.example"},
        {"attributes": {"type": "Account"}, "id": "001000000000000AAA", "Website": "x"},
    ]
    first, second = org.restful("composite/sobjects", method="PATCH", json={"records": records})
    assert first == {"id": ACME, "success": True, "errors": []}
    assert second["errors"][0]["statusCode"] == "NOT_FOUND"
    gone, again = org.restful(
        "composite/sobjects", params={"ids": f"{RITA},{RITA}", "allOrNone": "false"}, method="DELETE"
    )
    assert gone["success"] is True
    assert again["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


def test_amounts_in_the_users_currency(org: Any, sandbox: SandboxProcess) -> None:
    fields = {"Name": "Euro", "CurrencyIsoCode": "EUR", "CARR_This_Account__c": 800.0}
    sandbox.post("salesforce/records", object="Account", fields=fields)
    plain = "CurrencyIsoCode, CARR_This_Account__c FROM Account WHERE Name = 'Euro'"
    found = org.query(f"SELECT {plain}")["records"][0]
    assert (found["CurrencyIsoCode"], found["CARR_This_Account__c"]) == ("EUR", 800.0)
    own = org.query("SELECT convertCurrency(CARR_This_Account__c) FROM Account WHERE Name = 'Euro'")
    assert own["records"][0]["CARR_This_Account__c"] == 1000.0


def test_a_comment_goes_where_its_ticket_goes(org: Any) -> None:
    ticket = org.Zendesk_Ticket__c.upsert(
        format_external_id("Zendesk_Ticket_ID__c", "7"), {}, raw_response=True
    )
    values = {"Body__c": "Hello", "Ticket__r": {"Zendesk_Ticket_ID__c": "7"}}
    org.Zendesk_Ticket_Comment__c.upsert(format_external_id("Zendesk_Comment_ID__c", "70"), values)
    assert org.query("SELECT Body__c FROM Zendesk_Ticket_Comment__c")["totalSize"] == 1
    org.Zendesk_Ticket__c.delete(ticket.json()["id"])
    assert org.query("SELECT Body__c FROM Zendesk_Ticket_Comment__c")["totalSize"] == 0


def test_describe_names_the_children(org: Any) -> None:
    shown = org.Account.describe()["childRelationships"]
    assert {"childSObject": "Contact", "field": "AccountId", "relationshipName": "Contacts"} in shown
