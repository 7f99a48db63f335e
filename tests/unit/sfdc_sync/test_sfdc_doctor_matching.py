"""The doctor's look at what matching reads, at comments' records, and at the account in Zendesk."""

from typing import Any

import httpx
import pytest

from sfdc_sync.matching.checks import check_matching, objects
from sfdc_sync.operations.doctor import check_comments, check_record
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.matching import AccountMatching, ContactMatching, MatchingPolicy
from sfdc_sync.policy.ticket_records import CommentRecordPolicy, TicketRecordPolicy
from supportops.clock import SystemClock
from supportops.operations.checks import Finding
from supportops.operations.zendesk_checks import (
    organization_field_of,
    rights,
    rights_found,
    role,
    ticket_webhook,
)
from tests.support.for_each import for_each


def column(name: str, **changes: Any) -> dict[str, Any]:
    usual = {"type": "string", "createable": True, "updateable": True, "nillable": True, "filterable": True}
    return {"name": name, "referenceTo": [], "relationshipName": None, **usual, **changes}


def lookup(name: str, relationship: str, target: str) -> dict[str, Any]:
    return column(name, type="reference", referenceTo=[target], relationshipName=relationship)


def described(*fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    usual = {"queryable": True, "createable": True, "updateable": True, "deletable": True}
    return {**usual, "fields": list(fields), **changes}


USER = described(column("Name"), column("Email"))
ACCOUNT = [
    column("Id"),
    column("Name"),
    column("Zendesk__Zendesk_Organization_Id__c"),
    lookup("OwnerId", "Owner", "User"),
    lookup("Technical_Account_Manager__c", "Technical_Account_Manager__r", "User"),
]
CONTACT = [column("Id"), column("email"), column("CreatedDate"), lookup("AccountId", "Account", "Account")]


def problems(*, account: Any = None, contact: Any = None, user: Any = USER) -> dict[str, str]:
    found = {
        "Account": described(*ACCOUNT) if account is None else account,
        "Contact": described(*CONTACT) if contact is None else contact,
        "User": user,
    }
    return {
        each.check: each.detail for each in check_matching(MatchingPolicy(), found) if each.verdict != "ok"
    }


def test_a_reference_that_is_a_number_is_looked_for_as_one() -> None:
    name = "Zendesk__Zendesk_Organization_Id__c"
    number = described(*ACCOUNT[:2], column(name, type="double"), *ACCOUNT[3:])
    told = "is of type double, the rules say text: set matching.account.organization_id_type: number"
    assert problems(account=number) == {f"type of Account.{name}": told}


def test_a_whole_org_has_no_findings() -> None:
    assert problems() == {}
    assert objects(MatchingPolicy()) == ["Account", "Contact", "User"]


@for_each(
    "fields, check, words",
    [
        (
            ACCOUNT[:2] + ACCOUNT[3:],
            "field Account.Zendesk__Zendesk_Organization_Id__c",
            "field-level security",
        ),
        (
            [*ACCOUNT[:2], column(ACCOUNT[2]["name"], filterable=False), *ACCOUNT[3:]],
            f"field Account.{ACCOUNT[2]['name']}",
            "searched",
        ),
        (ACCOUNT[:3] + ACCOUNT[4:], "field Account.Owner.Name", "Owner: does not exist"),
    ],
)
def test_what_matching_cannot_read_is_named(fields: list[dict[str, Any]], check: str, words: str) -> None:
    assert words in problems(account=described(*fields))[check]


def test_people_behind_a_lookup_are_looked_at_too() -> None:
    assert "field Account.Owner.Email" in problems(user=described(column("Name")))


def test_hidden_objects_and_those_that_cannot_be_queried_are_named() -> None:
    assert "may not see it" in dict(_hidden())["object Contact"]
    assert "queried" in problems(account=described(*ACCOUNT, queryable=False))["object Account"]


def _hidden() -> list[tuple[str, str]]:
    found = {"Account": described(*ACCOUNT), "Contact": None, "User": USER}
    return [(each.check, each.detail) for each in check_matching(MatchingPolicy(), found)]


def test_what_is_switched_off_is_skipped() -> None:
    off = MatchingPolicy(account=AccountMatching(enabled=False), contact=ContactMatching(enabled=False))
    assert objects(off) == []
    assert [each.verdict for each in check_matching(off, {})] == ["skipped", "skipped"]


KEY = column("Zendesk_Ticket_ID__c", externalId=True, unique=True)


@pytest.mark.parametrize(
    ("target", "words"), [("Contact", "points at Contact, the rules say Account"), ("Account", "")]
)
def test_a_reference_to_another_object_is_named(target: str, words: str) -> None:
    rules = TicketRecordPolicy(fields={"A__c": FieldRule(source="account_id", type="reference")})
    found = {f.check: f.detail for f in check_record(rules, described(KEY, lookup("A__c", "A__r", target)))}
    assert found["field A__c"] == words


def test_the_right_to_delete_is_asked_for_where_records_are_deleted() -> None:
    rules = TicketRecordPolicy(fields={"S__c": FieldRule(source="subject", max_length=9)})
    sees = described(KEY, column("S__c"), deletable=False)
    strict = rules.model_copy(update={"deleted": "delete"})
    assert check_record(rules, sees)[0].verdict == "ok"
    assert check_record(strict, sees)[0].detail == "not deletable"


def test_the_object_of_comments() -> None:
    whole = [
        column("Zendesk_Comment_ID__c", externalId=True, unique=True),
        lookup("Ticket__c", "Ticket__r", "Zendesk_Ticket__c"),
        column("Body__c"),
        column("Author__c"),
        column("Created_At__c"),
    ]
    policy = CommentRecordPolicy(enabled=True)

    def wrong(*fields: dict[str, Any]) -> set[str]:
        return {each.check for each in check_comments(policy, described(*fields)) if each.verdict != "ok"}

    assert wrong(*whole) == set()
    assert wrong(*whole[1:]) == {"external id Zendesk_Comment_ID__c"}
    assert wrong(whole[0], *whole[2:]) == {"relationship Ticket__r"}
    assert wrong(*whole[:2], *whole[3:]) == {"field Body__c"}
    assert check_comments(policy, None)[0].verdict == "failed"


@for_each(
    "finding, verdict, words",
    [
        (role({"id": 1, "role": "admin"}), "ok", "admin"),
        (role({"id": 1, "role": "end-user"}), "failed", "not an agent"),
        (role({}), "failed", "nobody"),
        (role({"id": 1, "role": "agent", "suspended": True}), "failed", "suspended"),
        (role({"id": 1, "role": "agent", "ticket_restriction": "groups"}), "failed", "groups"),
        (organization_field_of({"organization_fields": [{"key": "x", "type": "text"}]}, "x"), "ok", ""),
        (
            organization_field_of({"organization_fields": [{"key": "x", "type": "dropdown"}]}, "x"),
            "warning",
            "dropdown",
        ),
        (
            organization_field_of({"organization_fields": [{"key": "x", "active": False}]}, "x"),
            "failed",
            "off",
        ),
        (organization_field_of({}, "x"), "failed", "none of this key"),
        (
            ticket_webhook(
                {
                    "webhooks": [
                        {"name": "w", "status": "active", "subscriptions": ["zen:event-type:ticket.created"]}
                    ]
                }
            ),
            "ok",
            "w",
        ),
        (
            ticket_webhook(
                {
                    "webhooks": [
                        {"name": "w", "status": "inactive", "subscriptions": ["conditional_ticket_events"]}
                    ]
                }
            ),
            "failed",
            "inactive",
        ),
        (
            ticket_webhook(
                {
                    "webhooks": [
                        {"name": "w", "status": "active", "subscriptions": ["zen:event-type:user.created"]}
                    ]
                }
            ),
            "warning",
            "none",
        ),
    ],
)
def test_the_account_in_zendesk(finding: Finding, verdict: str, words: str) -> None:
    assert finding.verdict == verdict
    assert words in finding.detail


WHOLE = {"organization_editing": True, "end_user_profile_access": "full"}


@for_each(
    "user, configuration, expected",
    [
        ({"role": "admin"}, None, ["ok"]),
        ({"role": "admin", "custom_role_id": 7}, {}, ["ok"]),
        ({"role": "agent"}, None, ["failed"]),
        ({"role": "agent", "custom_role_id": 7}, WHOLE, ["ok"]),
        ({"role": "agent", "custom_role_id": 7}, {**WHOLE, "end_user_profile_access": "edit"}, ["ok"]),
        ({"role": "agent", "custom_role_id": 7}, {**WHOLE, "end_user_profile_access": "edit-within-org"}, ["failed"]),
        ({"role": "agent", "custom_role_id": 7}, {**WHOLE, "organization_editing": False}, ["failed"]),
        ({"role": "agent", "custom_role_id": 7}, {}, ["failed", "failed"]),
    ],
)  # fmt: skip
def test_what_sharing_and_runs_may_write(
    user: dict[str, Any], configuration: dict[str, Any] | None, expected: list[str]
) -> None:
    role = None if configuration is None else {"name": "Robot", "configuration": configuration}
    found = rights(user, role, "failed")
    assert [each.verdict for each in found] == expected
    assert all(each.remedy for each in found if each.verdict != "ok")


@for_each(
    "status, verdict, told",
    [(200, "failed", "may not edit"), (403, "skipped", "cannot be read"), (404, "skipped", "cannot be read")],
)
async def test_a_role_that_cannot_be_read_is_not_guessed(status: int, verdict: str, told: str) -> None:
    """The role of an agent is an administrator's to see."""
    role = {"custom_role": {"name": "Robot", "configuration": {**WHOLE, "organization_editing": False}}}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v2/users/me":
            return httpx.Response(200, json={"user": {"role": "agent", "custom_role_id": 7}})
        assert request.url.path == "/api/v2/custom_roles/7"
        return httpx.Response(status, json=role if status == 200 else {"error": "no"})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://sandbox/api/v2", transport=transport) as zendesk:
        (finding,) = await rights_found(zendesk, SystemClock(), "failed")
    assert (finding.verdict, told in finding.detail) == (verdict, True)
