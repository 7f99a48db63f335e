"""Other people's answers are read for what we use: nothing else in them can make them unreadable, no row harms another.

Every body below is as large as real ones. Hypothesis makes any part of it null, leaves it out, or replaces it by
something else; what we use of it must still be read. And it puts odd rows between good ones.
"""

import copy
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supportops.errors import Permanent
from supportops.vendors.zendesk import Zendesk
from tests.support.examples import examples
from tests.support.for_each import for_each
from tests.unit.supportops.vendors.fake_zendesk import NOW, Fake, client_of

type Path = tuple[str | int, ...]
type Ask = Callable[[Zendesk], Awaitable[Any]]

TICKET: dict[str, Any] = {
    "id": 7,
    "url": "https://acme.zendesk.com/api/v2/tickets/7.json",
    "status": "solved",
    "subject": "Help",
    "raw_subject": "Help",
    "description": "It is broken",
    "priority": "high",
    "type": "incident",
    "tags": ["premium"],
    "requester_id": 601,
    "submitter_id": 601,
    "assignee_id": 2,
    "group_id": 3,
    "organization_id": 4,
    "brand_id": 5,
    "ticket_form_id": 6,
    "custom_status_id": 8,
    "external_id": None,
    "recipient": "support@acme.example",
    "via": {"channel": "email", "source": {"from": {"address": "r@x.example"}, "to": {}, "rel": None}},
    "collaborator_ids": [1, 2],
    "followup_ids": [],
    "problem_id": None,
    "has_incidents": False,
    "is_public": True,
    "due_at": None,
    "custom_fields": [{"id": 11, "value": "gold"}, {"id": 12, "value": None}],
    "satisfaction_rating": {"score": "unoffered"},
    "sharing_agreement_ids": [],
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T10:00:00Z",
}
USER: dict[str, Any] = {
    "id": 601,
    "name": "Rita",
    "email": "rita@acme.example",
    "role": "end-user",
    "organization_id": 4,
    "suspended": False,
    "active": True,
    "tags": [],
    "locale": "de",
    "time_zone": "Berlin",
    "iana_time_zone": "Europe/Berlin",
    "photo": {"id": 1, "thumbnails": [{"url": "x"}]},
    "user_fields": {"vip": True},
}
ORGANIZATION: dict[str, Any] = {
    "id": 4,
    "name": "Acme",
    "domain_names": ["acme.example"],
    "organization_fields": {"support_level": "gold"},
    "shared_tickets": False,
    "tags": ["gold"],
    "details": "",
    "updated_at": "2026-03-01T10:00:00Z",
}
COMMENT: dict[str, Any] = {
    "id": 21,
    "type": "Comment",
    "author_id": 2,
    "body": "**Hi**",
    "plain_body": "Hi",
    "html_body": "<b>Hi</b>",
    "public": True,
    "attachments": [{"id": 1, "thumbnails": []}],
    "via": {"channel": "web", "source": {"from": {}, "to": {}, "rel": None}},
    "metadata": {"system": {"ip_address": "10.0.0.1"}, "custom": {}},
    "created_at": "2026-03-01T09:30:00Z",
}
AUDIT: dict[str, Any] = {
    "id": 31,
    "ticket_id": 7,
    "created_at": "2026-03-01T09:00:00Z",
    "author_id": 2,
    "via": {"channel": "web", "source": {"rel": "merge"}},
    "metadata": {"system": {"client": "x"}},
    "events": [
        {"id": 1, "type": "Create", "field_name": "tags", "value": ["premium"], "previous_value": None},
        {"id": 2, "type": "Comment", "body": "Hi", "html_body": "<b>Hi</b>", "attachments": []},
        {"id": 3, "type": "AutomaticAnswerSend", "body": [{"article": {"id": 1}, "viewed": False}]},
        {"id": 4, "type": "Notification", "recipients": [1], "subject": "s", "body": "b", "via": {}},
    ],
}
RATING: dict[str, Any] = {
    "id": 41,
    "ticket_id": 7,
    "requester_id": 601,
    "score": "bad",
    "comment": "Slow",
    "reason": "No reason provided",
    "reason_id": 0,
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:10:00Z",
}
RESPONSE: dict[str, Any] = {
    "id": "01J",
    "responder_id": 601,
    "subject_zrns": ["zen:ticket:7"],
    "answers": [{"type": "rating_scale", "rating": 4, "created_at": "2026-03-01T09:00:00Z"}],
    "survey": {"id": "s", "version": 3},
}


async def _ratings(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.satisfaction.ratings(NOW, NOW, None)).rows)


async def _responses(zendesk: Zendesk) -> list[Any]:
    page = await zendesk.satisfaction.responses(NOW, NOW, None)
    return [] if page is None else list(page.rows)


async def _tickets(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.tickets(["7"])).values())


async def _users(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.users(["601"])).values())


async def _organizations(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.organizations(["4"])).values())


async def _exported(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.exports.tickets(NOW)).tickets)


async def _forms(zendesk: Zendesk) -> list[Any]:
    return list((await zendesk.ticket_forms()).values())


# name: (list's key, a row, what of a row decides, how it is asked for)
LISTS: dict[str, tuple[str, dict[str, Any], set[str], Ask]] = {
    "tickets": (
        "tickets",
        TICKET,
        {"id", "status", "updated_at", "tags", "requester_id", "organization_id", "ticket_form_id"}
        | {"recipient", "satisfaction_rating", "is_public"},
        _tickets,
    ),
    "export": (
        "tickets",
        TICKET | {"generated_timestamp": 1772359200},
        {"id", "status", "updated_at", "tags", "requester_id", "organization_id", "ticket_form_id"}
        | {"recipient", "satisfaction_rating", "is_public"},
        _exported,
    ),
    "users": ("users", USER, {"id", "organization_id", "suspended", "active"}, _users),
    "organizations": ("organizations", ORGANIZATION, {"id", "name"}, _organizations),
    "ticket_forms": (
        "ticket_forms",
        {"id": 6, "name": "Self-Managed", "active": True},
        {"id", "name"},
        _forms,
    ),
    "comments": ("comments", COMMENT, {"id"}, lambda zendesk: zendesk.latest_comments("7")),
    "audits": ("audits", AUDIT, {"created_at"}, lambda zendesk: zendesk.audits("7")),
    "ratings": ("satisfaction_ratings", RATING, {"score"}, _ratings),
    "responses": ("survey_responses", RESPONSE, {"id"}, _responses),
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none() | st.integers(), max_size=3),
)
ODD_ROWS: st.SearchStrategy[object] = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=5),
    st.lists(st.none(), max_size=2),
    st.just({"id": [], "score": []}),
)


def _paths(value: object, above: Path = ()) -> Iterator[Path]:
    """Every place in a row, the deepest too."""
    pairs: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield (*above, key)
        yield from _paths(inner, (*above, key))


def _changed(row: dict[str, Any], path: Path, value: object, leave_out: bool) -> dict[str, Any]:
    row = copy.deepcopy(row)
    place: Any = row
    for key in path[:-1]:
        place = place[key]
    if leave_out and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return row


async def _answered(ask: Ask, body: dict[str, Any]) -> Any:
    fake = Fake()
    fake.give(body=body)
    async with client_of(fake) as zendesk:
        return await ask(zendesk)


def _body(key: str, rows: list[Any]) -> dict[str, Any]:
    return {key: rows, "meta": {"has_more": False}, "after_cursor": "c", "end_of_stream": True}


@pytest.mark.parametrize("name", LISTS)
@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
async def test_what_we_do_not_use_makes_no_row_unreadable(name: str, data: st.DataObject) -> None:
    key, row, decides, ask = LISTS[name]
    path = data.draw(st.sampled_from([path for path in _paths(row) if path[0] not in decides]))
    odd = _changed(row, path, data.draw(ODD), data.draw(st.booleans()))
    assert len(await _answered(ask, _body(key, [odd]))) == 1


@pytest.mark.parametrize("name", LISTS)
@settings(
    max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=st.lists(ODD_ROWS, max_size=2), after=st.lists(ODD_ROWS, max_size=2))
async def test_odd_rows_take_no_neighbour_with_them(
    name: str, before: list[object], after: list[object]
) -> None:
    key, row, _, ask = LISTS[name]
    rows = await _answered(ask, _body(key, [*before, row, *after]))
    assert rows == await _answered(ask, _body(key, [row]))


@for_each("meta", [None, [], "x", 3, {"has_more": True}, {"has_more": True, "after_cursor": 5}])
async def test_an_odd_cursor_is_the_last_page(meta: object) -> None:
    comments = await _answered(
        lambda zendesk: zendesk.latest_comments("7"), {"comments": [COMMENT], "meta": meta}
    )
    assert [each.id for each in comments] == ["21"]


@for_each("field, value", [("tags", {"a": 1}), ("organization_id", "Acme"), ("satisfaction_rating", "odd")])
async def test_what_decides_is_never_guessed(field: str, value: object) -> None:
    """The ticket alone is refused, with the name of the field; in a list its neighbours are there."""
    with pytest.raises(Permanent, match=field):
        await _answered(lambda zendesk: zendesk.ticket("7"), {"ticket": TICKET | {field: value}})
    others = TICKET | {"id": 8}
    rows = await _answered(_tickets, {"tickets": [TICKET | {field: value}, others]})
    assert [each.id for each in rows] == ["8"]


async def test_an_odd_side_load_takes_no_ticket_with_it() -> None:
    body = {"ticket": TICKET, "users": [5, USER | {"id": "x"}, USER], "metric_sets": [None, {"solved_at": 5}]}
    ticket = await _answered(lambda zendesk: zendesk.ticket("7"), body)
    assert ticket.requester is not None
    assert (ticket.requester.name, ticket.solved_at) == ("Rita", None)
