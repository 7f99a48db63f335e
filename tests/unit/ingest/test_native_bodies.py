"""From each of Zendesk's types to our events (docs/vendors/zendesk.md#ticket-events)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.webhooks.native import ORGANIZATION_TYPES, TICKET_TYPES, USER_TYPES
from ingest.webhooks.parse import Account, ParsedWebhook, read
from supportops import contracts as c
from tests.support import zendesk_bodies as z
from tests.support.for_each import for_each

NOW = datetime(2025, 1, 8, 17, 0, tzinfo=UTC)
ACCOUNT = Account(z.ACCOUNT, frozenset({"777"}))
COMMENT = {
    "id": "9876543210",
    "body": "We are on it.",
    "is_public": True,
    "author": {"id": "8447388090495", "is_staff": True, "name": "Support Agent"},
}


def reading(body: Any) -> ParsedWebhook:
    return read(body if isinstance(body, bytes) else z.as_bytes(body), "native", ACCOUNT, NOW)


def only(body: Any) -> Any:
    result = reading(body)
    assert result.disposition == "published", result.reason
    (event,) = result.events
    return event


def changed(event: Any) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.before, change.after) for change in event.changes}


CASES: list[tuple[str, dict[str, Any], type[c.Event], dict[str, Any]]] = [
    ("status_changed", {"current": "SOLVED", "previous": "OPEN"}, c.TicketSolved, {"previous_status": "open"}),
    ("status_changed", {"current": "OPEN", "previous": "SOLVED"}, c.TicketReopened, {"current_status": "open"}),
    ("status_changed", {"current": "DELETED", "previous": "SOLVED"}, c.TicketUpdated,
     {"zendesk_type": "status_changed"}),
    ("status_changed", {"current": "Scrubbed", "previous": "solved"}, c.TicketUpdated,
     {"zendesk_type": "status_changed"}),
    ("status_changed", {"current": "CLOSED", "previous": "SOLVED"}, c.TicketClosed, {"previous_status": "solved"}),
    ("status_changed", {"current": "closed", "previous": "open"}, c.TicketClosed, {"previous_status": "open"}),
    ("status_changed", {"current": "PENDING", "previous": "OPEN"}, c.TicketUpdated, {"zendesk_type": "status_changed"}),
    ("comment_added", {"comment": COMMENT}, c.TicketCommented, {}),
    ("csat_requested", {}, c.TicketRated, {"score": None}),
    ("csat_received", {"satisfaction_score": {"score": "GOOD", "comment": "Quick"}}, c.TicketRated,
     {"score": "good", "comment": "Quick"}),
    ("csat_received", {"score": "Bad with comment"}, c.TicketRated, {"score": "bad"}),
    ("csat_received", {"satisfaction_score": 7}, c.TicketRated, {"score": None}),
    ("next_sla_breach_changed", {"current": None}, c.TicketSlaChanged, {"what": "next_sla_breach_changed"}),
    ("sla_policy_changed", {}, c.TicketSlaChanged, {"what": "sla_policy_changed"}),
    ("ola_policy_changed", {"current": [1]}, c.TicketSlaChanged, {"what": "ola_policy_changed"}),
    ("schedule_changed", {"previous": {"a": 1}}, c.TicketSlaChanged, {"what": "schedule_changed"}),
    ("merged", {"target_ticket_id": "5160"}, c.TicketMerged, {"target_ticket_id": "5160"}),
    ("merged", {"target_ticket_id": 5160}, c.TicketMerged, {"target_ticket_id": "5160"}),
    ("soft_deleted", {}, c.TicketDeleted, {"permanently": False}),
    ("permanently_deleted", {}, c.TicketDeleted, {"permanently": True}),
    ("undeleted", {}, c.TicketUndeleted, {}),
    ("marked_as_spam", {}, c.TicketUpdated, {"changes": []}),
]  # fmt: skip
UPDATES: list[tuple[str, dict[str, Any], dict[str, tuple[Any, Any]]]] = [
    ("priority_changed", {"current": "URGENT", "previous": "HIGH"}, {"priority": ("high", "urgent")}),
    ("type_changed", {"current": None, "previous": "TASK"}, {"type": ("task", None)}),
    ("subject_changed", {"current": "b", "previous": "a"}, {"subject": ("a", "b")}),
    ("description_changed", {"current": "b", "previous": "a"}, {"description": ("a", "b")}),
    ("custom_status_changed", {"current": "9", "previous": None}, {"custom_status_id": (None, "9")}),
    ("agent_assignment_changed", {"current": 8447388090496, "previous": None},
     {"assignee_id": (None, "8447388090496")}),
    ("group_assignment_changed", {"current": None, "previous": "12"}, {"group_id": ("12", None)}),
    ("organization_changed", {"current": "8447346622462", "previous": None},
     {"organization_id": (None, "8447346622462")}),
    ("requester_changed", {"current": "2", "previous": "1"}, {"requester_id": ("1", "2")}),
    ("submitter_changed", {"current": "2", "previous": "1"}, {"submitter_id": ("1", "2")}),
    ("brand_changed", {"current": "2", "previous": "1"}, {"brand_id": ("1", "2")}),
    ("form_changed", {"current": "2", "previous": "1"}, {"form_id": ("1", "2")}),
    ("external_id_changed", {"current": "x", "previous": None}, {"external_id": (None, "x")}),
    ("task_due_at_changed", {"current": "2025-02-01T00:00:00Z", "previous": None},
     {"due_at": (None, "2025-02-01T00:00:00Z")}),
    ("problem_link_changed", {"current": "7", "previous": None}, {"problem_id": (None, "7")}),
    ("tags_changed", {"tags_added": ["vip"], "tags_removed": ["triage"]}, {"tags": (["triage"], ["vip"])}),
    ("tags_changed", {"tags_added": None}, {"tags": ([], [])}),
    ("email_ccs_changed", {"users_added": [1, "2"], "users_removed": []}, {"email_ccs": ([], ["1", "2"])}),
    ("followers_changed", {"users_removed": ["3"]}, {"followers": (["3"], [])}),
    ("custom_field_changed", {"custom_field": {"id": "36", "title": "Severity", "type": "dropdown"},
                              "current": {"value": "sev_1"}, "previous": {"value": None}},
     {"custom_fields.36": (None, "sev_1")}),
    ("custom_field_changed", {"custom_field": {"id": 36}, "current": {"value": True}},
     {"custom_fields.36": (None, True)}),
    ("custom_field_changed", {"custom_field": {"id": 36}, "current": {"value": ["a", "b"]}, "previous": {"value": 1.5}},
     {"custom_fields.36": ("1.5", ["a", "b"])}),
    ("comment_made_private", {"comment": {"id": "5"}}, {"comment_id": (None, "5")}),
    ("comment_redacted", {"comment": {"id": "5"}}, {"comment_id": (None, "5")}),
    ("attachment_linked_to_comment", {"comment": {"id": "5", "attachment": {"id": "6", "filename": "a.png"}}},
     {"comment_id": (None, "5"), "attachment_id": (None, "6")}),
    ("attachment_redacted_from_comment", {"comment": {"id": "5", "attachment": {"id": "6"}}},
     {"comment_id": (None, "5"), "attachment_id": ("6", None)}),
]  # fmt: skip


@for_each("name, event, model, expected", CASES)
def test_ticket_types(name: str, event: dict[str, Any], model: type, expected: dict[str, Any]) -> None:
    result = only(z.native(f"ticket.{name}", event))
    assert isinstance(result, c.TicketEvent)
    assert type(result) is model
    assert {key: getattr(result, key) for key in expected} == expected
    assert (result.subject, result.ticket_id, result.account_id) == ("5158", "5158", z.ACCOUNT)
    assert (result.sequence_id, result.sequence_position) == ("39313930383633353634323835", 2)


@for_each("name, event, expected", UPDATES)
def test_updates_say_which_field(name: str, event: dict[str, Any], expected: dict[str, Any]) -> None:
    result = only(z.native(f"ticket.{name}", event))
    assert isinstance(result, c.TicketUpdated)
    assert result.zendesk_type == name
    assert changed(result) == expected


def test_all_37_types_have_a_case() -> None:
    tested = {case[0] for case in CASES} | {case[0] for case in UPDATES} | {"created"}
    assert tested == set(TICKET_TYPES)
    assert len(TICKET_TYPES) == 37


def test_created_carries_the_whole_snapshot() -> None:
    event = only(z.sample("ticket.created"))
    assert isinstance(event, c.TicketCreated)
    assert event.id == "cbe4028c-7239-495d-b020-f22348516046"
    assert event.source == "/zendesk/22129848"
    assert event.time == datetime(2025, 1, 8, 10, 12, 7, 672717, UTC)
    assert event.road == "native"
    assert not event.own_action
    assert event.ticket.model_dump(exclude_unset=True) == {
        "status": "open",
        "priority": "low",
        "type": "task",
        "subject": "ticketinfo_2294a6e9ece2",
        "description": "ticket_info_desc_2294a6e9ece2",
        "tags": ["ticket-info-test-tag"],
        "is_public": True,
        "requester_id": "8447388090494",
        "submitter_id": "8447388090494",
        "assignee_id": "8447388090494",
        "group_id": "8447320466430",
        "organization_id": "8447346622462",
        "brand_id": "8447346621310",
        "form_id": "8646151517822",
        "external_id": None,
        "custom_status_id": "8447320465790",
        "via_channel": "web_service",
        "created_at": datetime(2025, 1, 8, 10, 12, 7, tzinfo=UTC),
        "updated_at": datetime(2025, 1, 8, 10, 12, 7, tzinfo=UTC),
    }


def test_created_already_solved_is_followed_by_solved() -> None:
    body = z.native("ticket.created", detail={"status": "SOLVED"})
    created, solved = reading(body).events
    assert isinstance(created, c.TicketCreated)
    assert isinstance(solved, c.TicketSolved)
    assert (created.id, solved.id) == (body["id"], body["id"] + "/solved")
    assert solved.correlation_id == body["id"]
    assert solved.solved_at == datetime(2025, 1, 8, 16, 45, 20, tzinfo=UTC)


def test_solved_at_is_updated_at_of_the_detail() -> None:
    event = only(z.sample("ticket.status_changed"))
    assert event.solved_at == datetime(2025, 1, 8, 16, 45, 20, tzinfo=UTC)


@for_each("current", [None, "", {"value": "SOLVED"}, ["SOLVED"], 7])
def test_a_solve_whose_new_status_is_no_word_is_one_all_the_same(current: Any) -> None:
    body = z.native(
        "ticket.status_changed", {"current": current, "previous": "OPEN"}, detail={"status": "SOLVED"}
    )
    assert isinstance(only(body), c.TicketSolved)


@for_each("created_at", ["1999-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "yesterday", None, 7, {}])
def test_a_ticket_is_as_old_as_whoever_imported_it_says(created_at: Any) -> None:
    body = z.native("ticket.status_changed", {"current": "SOLVED"}, detail={"created_at": created_at})
    assert isinstance(only(body), c.TicketSolved)


@for_each("odd", ["x" * 201, "9" * 5000, "two words", "ä", "a\u0001b", {}, [], 1.5, True])
def test_an_id_that_no_index_or_header_would_take_is_unknown(odd: Any) -> None:
    names = ("requester_id", "organization_id", "assignee_id", "form_id", "actor_id")
    event = only(z.native("ticket.created", detail=dict.fromkeys(names, odd)))
    assert [name for name in names if event.knows(name)] == []
    assert event.knows("subject")


def test_solved_to_solved_is_no_solve() -> None:
    event = only(z.native("ticket.status_changed", {"current": "SOLVED", "previous": "SOLVED"}))
    assert isinstance(event, c.TicketUpdated)


@for_each("is_public, expected", [(True, True), (False, False), (None, False), ("true", False)])
def test_a_comment_is_private_unless_it_says_public(is_public: Any, expected: bool) -> None:
    event = only(z.native("ticket.comment_added", {"comment": COMMENT | {"is_public": is_public}}))
    assert event.comment.is_public is expected


def test_a_comment_without_author() -> None:
    event = only(z.native("ticket.comment_added", {"comment": {"id": 5}}))
    assert event.comment == c.Comment(
        id="5", body=None, author_id=None, author_is_agent=None, author_name=None, is_public=False
    )


def test_own_actions_are_marked() -> None:
    assert only(z.native("ticket.undeleted", detail={"actor_id": 777})).own_action
    assert not only(z.native("ticket.undeleted", detail={"actor_id": "-1 system"})).own_action


ORGANIZATIONS: list[tuple[str, dict[str, Any], dict[str, tuple[Any, Any]]]] = [
    ("name_changed", {"current": "Acme 2", "previous": "Acme"}, {"name": ("Acme", "Acme 2")}),
    ("external_id_changed", {"current": None, "previous": "x"}, {"external_id": ("x", None)}),
    ("custom_field_changed", {"field": {"id": "9", "title": "Plan"}, "current": "gold", "previous": None},
     {"custom_fields.9": (None, "gold")}),
    ("tags_changed", {"added": {"tags": ["a"]}, "removed": {"tags": ["b"]}}, {"tags": (["b"], ["a"])}),
]  # fmt: skip


@for_each("name, event, expected", ORGANIZATIONS)
def test_organization_updates(name: str, event: dict[str, Any], expected: dict[str, Any]) -> None:
    result = only(z.native(f"organization.{name}", event, detail={"id": "66"}))
    assert isinstance(result, c.OrganizationUpdated)
    assert (result.organization_id, result.subject, result.zendesk_type) == ("66", "66", name)
    assert changed(result) == expected


def test_organization_created_and_deleted() -> None:
    created = read(
        z.sample("organization.created"), "native", Account("10973248"), datetime(2099, 7, 8, tzinfo=UTC)
    )
    (event,) = created.events
    assert isinstance(event, c.OrganizationCreated)
    assert event.organization.name == "Acme"
    assert event.knows("external_id")
    assert event.organization.external_id is None
    assert created.ticket_id is None
    deleted = only(z.native("organization.deleted", detail={"id": "66"}))
    assert isinstance(deleted, c.OrganizationDeleted)
    tested = {case[0] for case in ORGANIZATIONS} | {"created", "deleted"}
    assert tested == set(ORGANIZATION_TYPES)


@pytest.mark.parametrize("separator", [":", "/"])
def test_two_accounts_of_one_person_are_merged(separator: str) -> None:
    """Some user types are written with a slash."""
    body = z.native(
        "x",
        {"user": {"id": "601"}},
        type=f"zen:event-type{separator}user.merged",
        subject="zen:user:602",
        detail={"id": "602"},
    )
    event = only(body)
    assert isinstance(event, c.UserMerged)
    assert (event.user_id, event.other_user_id, event.subject) == ("602", "601", "602")
    assert set(USER_TYPES) == {"merged"}
