"""jsforce, which we did not write, drives the Salesforce stand-in (docs/vendors/salesforce.md)."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import node
from tests.support.sandbox import SandboxProcess

HERE = Path(__file__).parent / "jsforce"
SEEDS = {"Account", "Contact", "User", "Organization", "Zendesk_Ticket__c", "Customer_Subscription__c"}


@pytest.fixture
def seen(sandbox: SandboxProcess) -> dict[str, Any]:
    """What jsforce saw, with pages of three rows."""
    folder = node.installed(HERE)
    sandbox.post("limits", salesforce={"page_size": 3})
    code, found = node.check(folder, f"{sandbox.url}/salesforce")
    assert code == 0
    return found


def test_jsforce_finds_the_org_that_it_knows(seen: dict[str, Any], sandbox: SandboxProcess) -> None:
    assert seen["organization"] == "00DS70000000SbxMAE"
    assert seen["wrongSecret"]["name"] == "invalid_client"
    assert set(seen["objects"]) >= SEEDS
    assert (seen["key"]["externalId"], seen["key"]["unique"], seen["key"]["type"]) == (True, True, "string")
    assert {"Contacts", "Customer_Subscriptions__r"} <= set(seen["children"])
    assert seen["limits"]["Max"] == seen["usage"]["limit"] == 100_000
    assert seen["limits"]["Remaining"] == 100_000 - seen["usage"]["used"]
    assert seen["unknownObject"]["code"] == "NOT_FOUND"
    _written(seen)
    _queried(seen)
    assert seen["expired"]["code"] == "INVALID_SESSION_ID"
    assert seen["renewed"] == [2, 1], "a refused session is renewed once"
    created = sandbox.ledger("salesforce.record.created")
    assert [entry["external_ids"] for entry in created if entry["object"] == "Zendesk_Ticket__c"][-1] == {
        "Zendesk_Ticket_ID__c": "acme:9"
    }


def _written(seen: dict[str, Any]) -> None:
    assert seen["upserted"] == [[True, True]] * 7
    assert seen["again"] == [[True, False], [False, "INVALID_FIELD"]]
    assert seen["one"] == [True, True]
    assert seen["created"] == [[True, None], [False, "INVALID_FIELD"]]
    assert [success for success, _ in seen["updated"]] == [True, False]
    assert seen["retrieved"] == "https://x.example"
    assert seen["malformed"]["code"] == "MALFORMED_ID"


def _queried(seen: dict[str, Any]) -> None:
    assert seen["pages"] == [8, False, 3, 3]
    assert seen["all"] == 8
    assert (seen["family"], seen["childless"], seen["owner"]) == (
        ["P1", "P2", "P3", "P4"],
        None,
        "Olga Owner",
    )
    assert seen["badQuery"]["code"] == "INVALID_FIELD"
    assert [success for success, _ in seen["destroyed"]] == [True, False]
    assert (seen["gone"], seen["bin"]) == (0, [True])
