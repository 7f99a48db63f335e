"""Nobody is asked by a guess: whatever an answer of Zendesk's is like, a reading that failed writes nothing.

The real client and the real destination, against an account whose answers are odd in one place.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from csat import tables
from csat.destinations import SURVEY
from csat.policy.csat import CsatPolicy
from csat.survey_link.invitation import SurveyText
from csat.survey_link.tokens import SurveyTokens
from csat.surveys.send import AskRequester
from supportops.clock import ManualClock
from supportops.config import ZendeskSettings
from supportops.delivery import Cancel, Delivery, Discard, Done, Outcome, TryAgain
from supportops.delivery.attempt import call
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.vendors.zendesk import References, open_zendesk
from tests.integration.csat.assertions import on, rows_of

SOLVED = "2026-03-01T09:00:00Z"
INHERITED = {"via": {"channel": "web", "source": {"rel": "follow_up"}}, "tags": ["close_by_merge"]}
GITLAB = {"id": 4, "name": "GitLab"}


class Account:
    """A Zendesk of a few solved tickets; `odd` replaces what a path answers, `values` belong to single tickets."""

    def __init__(
        self, odd: Mapping[str, object], values: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self._odd, self._values, self.written = odd, values or {}, 0

    def ticket(self, number: int) -> dict[str, Any]:
        about = {"requester_id": 602, "organization_id": 5, "tags": [], "updated_at": SOLVED}
        return {"id": number, "status": "solved"} | about | dict(self._values.get(str(number), {}))

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v2")
        if request.method != "GET":
            self.written += 1
        if (
            odd := self._odd.get(path if request.method == "GET" else f"{request.method} {path}")
        ) is not None:
            return odd if isinstance(odd, httpx.Response) else httpx.Response(200, json=odd)
        return httpx.Response(200, json=self._usual(path, request.url.params.get("ids", "").split(",")))

    def _usual(self, path: str, ids: list[str]) -> dict[str, Any]:
        _, kind, *rest = path.split("/")
        if rest == ["show_many"]:
            rows = {"tickets": self.ticket, "users": self._user, "organizations": self._organization}[kind]
            return {kind: [rows(int(each)) for each in ids]}
        if len(rest) == 2:
            return {rest[1]: [], "meta": {"has_more": False}}
        number = int(rest[0])
        thing = {"tickets": self.ticket, "users": self._user, "organizations": self._organization}[kind]
        return {kind.removesuffix("s"): thing(number)}

    def _user(self, number: int) -> dict[str, Any]:
        return {"id": number, "name": "Rita", "organization_id": 5, "suspended": False, "locale": "de"}

    def _organization(self, number: int) -> dict[str, Any]:
        return {"id": number, "name": "Acme"}


async def _asked(store: Store, account: Account, clock: ManualClock, *tickets: str) -> list[Outcome]:
    settings = ZendeskSettings(
        base_url="https://acme.zendesk.com",
        email="o@example.com",
        token=SecretStr("t0ken"),
        rate_limit=10_000,
    )
    transport, metrics = httpx.MockTransport(account.answer), Metrics()
    async with open_zendesk(settings, ["read"], clock=clock, metrics=metrics, transport=transport) as zendesk:
        names = References(zendesk, clock=clock, metrics=metrics)
        tokens = SurveyTokens(["the-key-of-these-tests"], timedelta(days=28), clock)
        text = SurveyText("https://survey.example.com", tokens)
        rules = CsatPolicy(ticket_updates_per_minute=None, too_late_after=timedelta(days=3000))
        ask = AskRequester(store, zendesk, names.organizations, text, rules)
        return [each.outcome for each in await call(ask, [_delivery(each, clock) for each in tickets])]


def _delivery(ticket: str, clock: ManualClock) -> Delivery:
    now = clock.now()
    payload = {"ticket_id": ticket, "solved_at": "2026-03-01T09:00:00+00:00"}
    return Delivery(ticket, SURVEY, ticket, ticket, 1, payload, 1, now, now, now, uncertain=False, token="t")


HTML = httpx.Response(404, content=b"<html>This help desk no longer exists</html>")
ERROR = {"error": "unavailable", "description": "Try later"}
READINGS: dict[str, tuple[Mapping[str, object], Mapping[str, Any], type[Outcome]]] = {
    "the ticket: an error": ({"/tickets/7": ERROR}, {}, TryAgain),
    "the ticket: a page of nobody": ({"/tickets/7": HTML}, {}, TryAgain),
    "the ticket: refused": ({"/tickets/7": httpx.Response(422, json=ERROR)}, {}, Discard),
    "the ticket: odd tags": ({}, {"tags": {"a": 1}}, Discard),
    "the ticket: public?": ({}, {"is_public": "perhaps"}, Discard),
    "the ticket: internal": ({}, {"is_public": False}, Cancel),
    "the person: an error": ({"/users/show_many": ERROR}, {}, TryAgain),
    "the person: a page of nobody": ({"/users/show_many": HTML}, {}, TryAgain),
    "the person: perhaps suspended": (
        {"/users/show_many": {"users": [{"id": 601, "suspended": "yes!"}]}},
        {},
        Discard,
    ),
    "the person: of which organization?": (
        {"/users/show_many": {"users": [{"id": 601, "organization_id": "GitLab"}]}},
        {"organization_id": None},
        Discard,
    ),
    "the person: deleted": ({"/users/show_many": {"users": [{"id": 601, "active": False}]}}, {}, Cancel),
    "the person: not listed": ({"/users/show_many": {"users": []}}, {}, Cancel),
    "the person: there is none": ({}, {"requester_id": None}, Cancel),
    "the organization: an error": ({"/organizations/show_many": ERROR}, {}, TryAgain),
    "the organization: excluded": (
        {"/organizations/show_many": {"organizations": [GITLAB]}},
        {"organization_id": 4},
        Cancel,
    ),
    "the organization: unreadable": (
        {"/organizations/show_many": {"organizations": [{"id": 5, "name": ["GitLab"]}]}},
        {},
        Discard,
    ),
    "a merge: an error": ({"/tickets/7/audits": ERROR}, INHERITED, TryAgain),
    "a merge: a page of nobody": ({"/tickets/7/audits": HTML}, INHERITED, TryAgain),
}


@on("sqlite")
async def test_nobody_is_asked_by_a_guess(store: Store, clock: ManualClock) -> None:
    for name, (odd, values, outcome) in READINGS.items():
        account = Account(odd, {"7": {"requester_id": 601} | dict(values)})
        [found] = await _asked(store, account, clock, "7")
        assert type(found) is outcome, name
        assert account.written == 0, name
        assert await rows_of(store, tables.surveys) == [], name


@on("sqlite")
@pytest.mark.parametrize("answer", [ERROR, HTML, {"comments": None}, httpx.Response(200)])
async def test_whether_it_was_asked_already_is_never_guessed(
    store: Store, clock: ManualClock, answer: object
) -> None:
    """The first answer was lost; the second attempt looks at the ticket's comments."""
    lost = Account({"PUT /tickets/7": httpx.Response(502)})
    [first] = await _asked(store, lost, clock, "7")
    assert isinstance(first, TryAgain)
    account = Account({"/tickets/7/comments": answer})
    [second] = await _asked(store, account, clock, "7")
    assert isinstance(second, TryAgain)
    assert account.written == 0


@on("sqlite")
async def test_one_that_cannot_be_read_takes_no_neighbour(store: Store, clock: ManualClock) -> None:
    """Of three that are due together one has a requester whose row is odd, one audits that we may not read."""
    people = [{"id": 601, "suspended": "yes!"}, {"id": 602, "name": "Rita"}]
    odd: dict[str, object] = {"/users/show_many": {"users": people}}
    odd["/tickets/8/audits"] = httpx.Response(403, json={"error": "Forbidden"})
    account = Account(odd, {"7": {"requester_id": 601}, "8": INHERITED})
    found = await _asked(store, account, clock, "7", "8", "9")
    assert [type(each) for each in found] == [Discard, Discard, Done]
    assert account.written == 1
    assert [row.ticket_id for row in await rows_of(store, tables.surveys)] == ["9"]


@on("sqlite")
@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_a_refusal_of_all_is_nobodys_own(store: Store, clock: ManualClock, status: int) -> None:
    """Which of them it was about Zendesk does not say: each is read by itself, and asked."""
    account = Account({"/tickets/show_many": httpx.Response(status, json={"error": "RecordNotFound"})})
    found = await _asked(store, account, clock, "7", "8", "9")
    assert [type(each) for each in found] == [Done] * 3
    assert account.written == 3
