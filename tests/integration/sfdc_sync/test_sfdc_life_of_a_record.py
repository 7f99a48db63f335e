"""What becomes of a record when its ticket is merged, deleted, brought back, or changes hands."""

import pytest

from sfdc_sync.operations.explain import explain_ticket
from sfdc_sync.policy.sfdc import SfdcPolicy
from supportops.operations.timeline import Explanation
from tests.integration.sfdc_sync.app import RULES, Service, events_written, settled, with_rules
from tests.integration.sfdc_sync.events import created, deleted, erased, merged, solved, undeleted, updated
from tests.integration.sfdc_sync.sandbox import GROABLET_ACCOUNT, TICKETS, Outside

ACME, ACME_ACCOUNT, JO = "8447346622463", "0018a00001rBqb8AAC", "0035500001H9ka0AAB"
RITAS_CONTACT = "0035500001H9kZuAAJ"
FIELDS = {
    **{name: rule.model_dump() for name, rule in RULES.ticket_record.fields.items()},
    "Account_Match__c": {"source": "account_match"},
    "Contact_Match__c": {"source": "contact_match"},
}


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> SfdcPolicy:
    """`@pytest.mark.parametrize("rules", [...], indirect=True)` says what differs."""
    return with_rules(**{"fields": FIELDS, **getattr(request, "param", {})})


async def explained(service: Service, ticket_id: str) -> Explanation:
    async with service.store.reading() as conn:
        return await explain_ticket(conn, ticket_id, service.store.clock.now(), False)


@pytest.mark.both_databases
async def test_contact_and_account_are_written_with_the_rules_that_found_them(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
    record = outside.records()["7"]
    assert (record["Account__c"], record["Account_Match__c"]) == (GROABLET_ACCOUNT, "salesforce_id")
    assert (record["Contact__c"], record["Contact_Match__c"]) == (RITAS_CONTACT, "email")
    told = (await events_written(service.store))[0]
    assert told["account"] == {"id": GROABLET_ACCOUNT, "name": "Groablet Enterprises"}
    assert told["technical_account_manager"] == {"name": "Tam Manager", "email": "tam@vendor.example"}
    assert told["account_owner"]["email"] == "olga@vendor.example"
    assert (told["account_match"], told["contact_match"]) == ("salesforce_id", "email")


async def test_a_later_organization_gives_the_record_its_account(service: Service, outside: Outside) -> None:
    stranger = outside.add_user(name="Nobody", email="nobody@else.example")
    await service.hears(created("7", organization_id=None, requester_id=stranger))
    async with service.delivering():
        await settled(service.store)
        assert outside.records()["7"]["Account_Match__c"] == "none"
        await service.hears(updated("7", 30, organization_id=ACME, requester_id=stranger))
        await settled(service.store)
    record = outside.records()["7"]
    assert (record["Account__c"], record["Account_Match__c"]) == (ACME_ACCOUNT, "salesforce_id")
    assert [write["kind"] for write in outside.writes()] == [
        "salesforce.record.created",
        "salesforce.record.updated",
    ]


async def test_a_change_of_hands_makes_no_record(service: Service, outside: Outside) -> None:
    await service.hears(updated("7", 10), updated("7", 30, organization_id=ACME))
    async with service.delivering():
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done moot"}
    assert outside.writes() == []


async def test_an_account_in_doubt_is_left_as_it_is(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        outside.insert("Account", {"Name": "Twin", "Zendesk__Zendesk_Organization_Id__c": ACME})
        await service.hears(updated("7", 30, organization_id=ACME), solved("7", 60, organization_id=ACME))
        await settled(service.store)
    record = outside.records()["7"]
    assert record["Account_Match__c"] == "conflict"
    story = await explained(service, "7")
    assert story.standing["account"] == "none (conflict)"
    assert any("names the organization" in line.detail for line in story.lines), "what somebody has to mend"
    assert record["Account__c"] == GROABLET_ACCOUNT, "nothing is written where two facts disagree"
    assert (await events_written(service.store))[-1]["account"] is None


async def test_a_merge_is_written(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(merged("7", 30, into="8"))
        await settled(service.store)
    assert outside.records()["7"]["Status__c"] == "closed"


@pytest.mark.both_databases
async def test_a_deleted_ticket_marks_its_record_and_an_undeleted_one_takes_the_mark_away(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(deleted("7", 30))
        await settled(service.store)
        assert outside.records()["7"]["Status__c"] == "deleted"
        await service.hears(solved("7", 20))  # an older fact that comes late
        await settled(service.store)
        assert outside.records()["7"]["Status__c"] == "deleted"
        await service.hears(undeleted("7", 60))
        await settled(service.store)
    assert outside.records()["7"]["Status__c"] == "open"
    assert outside.records()["7"]["Subject__c"] == "Printer on fire"


async def test_a_ticket_that_is_gone_for_good_marks_its_record(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(erased("7", 30))
        await settled(service.store)
    assert outside.records()["7"]["Status__c"] == "deleted"


@pytest.mark.parametrize("rules", [{"deleted": "keep"}], indirect=True)
async def test_by_rule_a_deleted_tickets_record_is_kept(service: Service, outside: Outside) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        await service.hears(deleted("7", 30), erased("7", 40))
        outcomes = await settled(service.store)
    assert list(outcomes) == ["7:created"]
    assert outside.records()["7"]["Status__c"] == "new"


@pytest.mark.both_databases
@pytest.mark.parametrize("rules", [{"deleted": "delete"}], indirect=True)
async def test_by_rule_a_deleted_tickets_record_is_removed_and_an_undeleted_one_has_a_new_one(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"), created("8"))
    async with service.delivering():
        await settled(service.store)
        first = outside.records()["7"]["Id"]
        await service.hears(deleted("7", 30))
        await settled(service.store)
        assert sorted(outside.records()) == ["8"]
        await service.hears(updated("7", 40, organization_id=ACME))
        await settled(service.store)
        story = await explained(service, "7")
        assert "put into the recycle bin" in story.standing["record"]
        assert "record removed" in [line.what for line in story.lines]
        assert sorted(outside.records()) == ["8"], "a change brings no deleted ticket's record back"
        await service.hears(undeleted("7", 60))
        await settled(service.store)
    assert outside.records()["7"]["Id"] != first
    assert service.metrics.value("records_written", result="deleted") == 1


@pytest.mark.parametrize("rules", [{"deleted": "delete"}], indirect=True)
async def test_a_record_that_somebody_else_removed_first_is_as_good_as_removed(
    service: Service, outside: Outside
) -> None:
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        outside.remove(TICKETS, outside.records()["7"]["Id"])
        await service.hears(deleted("7", 30))
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("INSUFFICIENT_ACCESS_OR_READONLY", "dead give_up"),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "dead give_up"),
        ("API_DISABLED_FOR_ORG", "done done"),  # waits for a person, and is tried again
        ("UNABLE_TO_LOCK_ROW", "done done"),
    ],
)
@pytest.mark.parametrize("rules", [{"deleted": "delete"}], indirect=True)
async def test_a_record_that_we_may_not_remove_does_not_count_as_removed(
    service: Service, outside: Outside, code: str, outcome: str
) -> None:
    """Its texts are to go: nobody must believe that they did."""
    await service.hears(created("7"))
    async with service.delivering():
        await settled(service.store)
        outside.arm("record_error", code=code, count=1)
        event = deleted("7", 30)
        await service.hears(event)
        assert (await settled(service.store))[f"7:deleted:{event.version}"] == outcome
    story = await explained(service, "7")
    assert ("put into the recycle bin" in story.standing["record"]) == ("7" not in outside.records())
    assert ("7" in outside.records()) == (outcome == "dead give_up")


@pytest.mark.parametrize("rules", [{"deleted": "delete"}], indirect=True)
async def test_a_removal_whose_answer_is_lost_is_repeated(service: Service, outside: Outside) -> None:
    await service.hears(created("7"), created("8"))
    async with service.delivering():
        await settled(service.store)
        outside.arm("drop_after_commit", method="DELETE", count=1)
        await service.hears(deleted("7", 30))
        outcomes = await settled(service.store)
    assert set(outcomes.values()) == {"done done"}
    assert list(outside.records()) == ["8"]


@pytest.mark.parametrize("rules", [{"write_on": ["solved"]}], indirect=True)
async def test_only_what_the_rules_name_is_written(service: Service, outside: Outside) -> None:
    await service.hears(created("7"), merged("8", 5, into="9"), updated("7", 30, organization_id=ACME))
    async with service.delivering():
        await service.hears(solved("7", 60))
        outcomes = await settled(service.store)
    assert list(outcomes) == ["7:solved:2026-11-02T09:01:00Z"]
    assert sorted(outside.records()) == ["7"]


MANY = RULES.batch + 1
"""Tickets, one more than fit into a call."""


async def test_more_than_two_hundred_tickets_of_as_many_people_and_organizations_cost_four_calls(
    service: Service, outside: Outside
) -> None:
    accounts = outside.insert("Account", *({"Name": f"Company {n}"} for n in range(MANY)))
    people = [f"person.number.{n}@company-{n}.example" for n in range(MANY)]
    contact = {"Name": "P", "LastName": "P"}
    outside.insert(
        "Contact", *({**contact, "Email": people[n], "AccountId": accounts[n]} for n in range(MANY))
    )
    organizations = [
        outside.add_organization(name=f"Org {n}", organization_fields={"salesforce_id": accounts[n]})
        for n in range(MANY)
    ]
    requesters = [outside.add_user(name=f"Person {n}", email=people[n]) for n in range(MANY)]
    before = outside.calls()
    await service.hears(
        *(
            created(str(5000 + n), organization_id=organizations[n], requester_id=requesters[n])
            for n in range(MANY)
        )
    )
    async with service.delivering():
        await settled(service.store)
    assert (RULES.batch, service.records.spec.batch) == (200, 200), "the first call holds what it may"
    assert outside.calls() - before == 4, "a look-up and a write for every two hundred: ten for a thousand"
    records = outside.records()
    assert [records[str(5000 + n)]["Account__c"] for n in range(MANY)] == accounts
    assert all(records[str(5000 + n)]["Contact_Match__c"] == "email" for n in range(MANY))
