"""Pages of sharing requests: the list, one request with everybody's access now and then, and the forms to decide."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from sfdc_sync.sharing import repository, requests
from sfdc_sync.sharing import text as sharing_text
from sfdc_sync.sharing.repository import Actor
from sfdc_sync.sharing.rules.issue import checked
from sfdc_sync.sharing.rules.lifecycle import IN_FORCE, OPEN, NotAllowed, State, same_person
from sfdc_sync.sharing.rules.options import OPTIONS, Option
from sfdc_sync.sharing.rules.template import Draft, UnusableIssue
from supportops.store import Store
from supportops.web.auth.guard import Operator, OperatorAuth, guarded_page
from supportops.web.auth.posted import demand_role, form_of, guarded_form
from supportops.web.auth.roles import Role, includes
from supportops.web.layout import PageLayout

SHARING = "/sharing"
NEW = "/sharing/new"
SHOWN = 500  # people on one page; those whose access changes come first
HERE = "page"
WHICH: Mapping[str, frozenset[State]] = {"open": OPEN, "in force": IN_FORCE, "all": frozenset()}
_ROLES: Mapping[str, Role] = {
    "approve": "approve",
    "refuse": "approve",
    "undo": "approve",
    "look again": "operate",
}


class SharingPages:
    """Everything below /sharing."""

    def __init__(self, store: Store, auth: OperatorAuth) -> None:
        self._store, self._auth = store, auth
        self._layout = PageLayout("sfdc_sync.operations", auth.site)

    async def index(self, request: Request, which: str) -> Response:
        """The requests, those first on which somebody is to act."""
        chosen = which if which in WHICH else "open"
        async with self._store.reading() as conn:
            found = await repository.listed(conn, WHICH[chosen], limit=200)
            changed = Counter(each["request"] for each in await repository.drift_of(conn))
        rows = [sharing_text.row(each) for each in found]
        return self._layout.page(
            request,
            "sharing_list.html",
            rows=rows,
            which=chosen,
            choices=tuple(WHICH),
            options=OPTIONS,
            changed=changed,
        )

    async def show(self, request: Request, number: str, problem: str = "", status: int = 200) -> Response:
        """One request. 404 where there is none."""
        if not (number.isascii() and number.isdigit() and len(number) <= 9):
            raise HTTPException(404)
        async with self._store.reading() as conn:
            told = await sharing_text.document(conn, int(number), self._store.clock.now())
        if told is None:
            raise HTTPException(404)
        operator: Operator = request.state.operator
        return self._layout.page(
            request,
            "sharing_request.html",
            status,
            told=told,
            access=told["access"][:SHOWN],
            counts=_counts(told["access"]),
            names=defaultdict(str, ((str(each["user_id"]), each["user"]) for each in told["access"])),
            title=OPTIONS[told["option"]].title,
            buttons=_buttons(told, operator),
            is_own=same_person(operator.name, told["requested_by"]),
            problem=problem,
        )

    async def decide(self, request: Request, number: str) -> Response:
        """What a form of the request's page says. Back to the page, with what is wrong where it cannot be."""
        fields = await form_of(request, self._auth)
        what, operator = fields.get("do", ""), request.state.operator
        if what not in _ROLES:
            raise HTTPException(400)
        demand_role(operator, _ROLES[what])
        if not (number.isascii() and number.isdigit() and len(number) <= 9):
            raise HTTPException(404)
        try:
            await self._do(what, int(number), Actor(operator.name, HERE), fields)
        except NotAllowed as error:
            return await self.show(request, number, f"{error}.", 409)
        return RedirectResponse(f"{SHARING}/{number}", status_code=303)

    async def _do(self, what: str, number: int, by: Actor, fields: Mapping[str, str]) -> None:
        reason = fields.get("reason", "")
        async with self._store.transaction() as tx:
            if what == "approve":
                await requests.approve(tx, number, by, fields.get("seen", ""))
            elif what == "refuse":
                await requests.refuse(tx, number, by, reason)
            elif what == "undo":
                await requests.undo(tx, number, by, reason)
            else:
                await requests.look_again(tx, number, by)

    def new(
        self, request: Request, given: Mapping[str, str], problem: str = "", status: int = 200
    ) -> Response:
        """The form to ask."""
        return self._layout.page(
            request, "sharing_new.html", status, options=OPTIONS, given=given, problem=problem
        )

    async def ask(self, request: Request) -> Response:
        """A new request. Back to the form, with everything that is wrong, where it cannot be taken."""
        fields = await form_of(request, self._auth)
        try:
            draft = checked(_draft(fields))
            by = Actor(request.state.operator.name, HERE)
            async with self._store.transaction() as tx:
                number = await requests.ask(tx, draft, by)
        except (NotAllowed, UnusableIssue) as error:
            return self.new(request, fields, f"{error}.", 422)
        return RedirectResponse(f"{SHARING}/{number}", status_code=303)


def _draft(fields: Mapping[str, str]) -> Draft:
    option = next((each for each in Option if each == fields.get("option")), None)
    if option is None:
        raise UnusableIssue(["one of the five options is to be chosen"])
    people = tuple(fields.get("people", "").replace(",", " ").split())
    organization, ticket = (
        fields.get(name, "").strip().removeprefix("#") for name in ("organization", "ticket")
    )
    return Draft(organization, ticket, option, people)


def _counts(access: list[dict[str, Any]]) -> dict[str, int]:
    return {word: sum(each["means"] == word for each in access) for word in ("opens", "closes", "stays")}


def _buttons(told: Mapping[str, Any], operator: Operator) -> frozenset[str]:
    """What this operator may do now."""
    state, open_states = told["state"], (State.ASKED, State.CHECKING)
    found = {"look again"} if state == State.ASKED else set()
    if state in open_states:
        found |= {"refuse"}
    if state == State.ASKED and not same_person(operator.name, told["requested_by"]):
        found |= {"approve"}
    if state == State.APPLIED or (state == State.FAILED and told["before"]):
        found |= {"undo"}
    return frozenset(each for each in found if includes(operator.role, _ROLES[each]))


def mount_sharing(app: FastAPI, auth: OperatorAuth, pages: SharingPages) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, SHARING)
    async def index(request: Request, which: str = "open") -> Response:
        return await pages.index(request, which)

    @guarded_page(app, auth, NEW, "operate")
    async def new(request: Request) -> Response:
        return pages.new(request, {})

    @guarded_form(app, auth, NEW, "operate")
    async def ask(request: Request) -> Response:
        return await pages.ask(request)

    @guarded_page(app, auth, SHARING + "/{number}")
    async def show(request: Request, number: str) -> Response:
        return await pages.show(request, number)

    @guarded_form(app, auth, SHARING + "/{number}", "operate")
    async def decide(request: Request, number: str) -> Response:
        return await pages.decide(request, number)
