"""Search (docs/vendors/zendesk.md#exports): tickets by terms and words, with SLA targets where these are shown."""

import re
from collections.abc import Callable

from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.records import Ticket
from sandbox.zendesk.sla_api import sideloaded

_TERM = re.compile(r"(\w+)\s*(:|<=?|>=?)\s*(\"[^\"]*\"|\S+)")
_STATUS_RANK = {"new": 0, "open": 1, "pending": 2, "hold": 3, "solved": 4, "closed": 5}
_MOST = 1_000


class SearchApi:
    """The index is never late here."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        return [("GET", "/search", self.search), ("GET", "/search/count", self.count)]

    def search(self, call: Call) -> Reply:
        """`sort_by=updated_at` with `sort_order`; `include=tickets(slas)` puts the targets in."""
        found = tickets_by(self._account, call.query.get("query", ""))[:_MOST]
        if call.query.get("sort_by") == "updated_at":
            found.sort(key=lambda ticket: ticket.updated_at, reverse=call.query.get("sort_order") != "asc")
        with_targets = "slas" in call.query.get("include", "") and "search" in self._account.records.sla_roads
        page = page_of(call, self._account.base, "results", found, lambda t: self._shown(t, with_targets))
        return Reply(200, page)

    def count(self, call: Call) -> Reply:
        return Reply(200, {"count": len(tickets_by(self._account, call.query.get("query", "")))})

    def _shown(self, ticket: Ticket, with_targets: bool) -> Json:
        shown = render.ticket(self._account.base, ticket) | {"result_type": "ticket"}
        return shown | (sideloaded(self._account, ticket, "search") if with_targets else {})


def tickets_by(account: Account, query: str) -> list[Ticket]:
    """Tickets by `status`, `tags`, `organization`, `requester`, `assignee`, `external_id`, id and words."""
    terms = [(m[1], m[2], m[3].strip('"')) for m in _TERM.finditer(query)]
    words = _TERM.sub(" ", query).casefold().split()
    return [
        ticket
        for ticket in account.records.tickets.values()
        if ticket.status != "deleted"
        and all(_term(account, ticket, *term) for term in terms)
        and all(word == str(ticket.id) or word in ticket.subject.casefold() for word in words)
    ]


def _term(account: Account, ticket: Ticket, key: str, sign: str, value: str) -> bool:
    if key == "status":
        return _compare(_STATUS_RANK.get(ticket.status, 9), sign, _STATUS_RANK.get(value, 9))
    if key == "tags":
        return value in ticket.tags
    if key in ("organization", "requester"):
        return str(getattr(ticket, f"{key}_id")) == value
    if key == "assignee":
        return _is_assigned(account, ticket, value)
    if key == "external_id":
        return ticket.external_id == value
    return key == "type" and value == "ticket"


def _is_assigned(account: Account, ticket: Ticket, value: str) -> bool:
    if value == "none":
        return ticket.assignee_id is None
    person = account.user_by_email(value)
    return ticket.assignee_id is not None and str(ticket.assignee_id) in (value, str(person and person.id))


def _compare(left: int, sign: str, right: int) -> bool:
    signs: dict[str, Callable[[int, int], bool]] = {
        ":": lambda a, b: a == b,
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    return signs[sign](left, right)
