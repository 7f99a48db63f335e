"""The doctor's look at the Zendesk account, as our integration user: rights, names in the rules, other surveys.

Reads only. What an agent is not allowed to read is told as skipped, with what that leaves open.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from csat.operations import survey_triggers
from csat.policy.csat import CsatPolicy
from supportops.clock import Clock
from supportops.errors import DestinationPaused, NotFound, Permanent
from supportops.operations.checks import Check, Finding, skew_of_date
from supportops.operations.zendesk_checks import LOGIN_REMEDY, object_of, thing_of
from supportops.vendors.http_client import map_transport_errors
from supportops.vendors.zendesk.calls import check_answer, listed, next_cursor, objects

PAGES = 20  # of a hundred rows: more business rules no account has


class AccountChecks:
    """Checks of one account; `client` carries the credential and begins at `/api/v2`."""

    def __init__(self, client: httpx.AsyncClient, policy: CsatPolicy, clock: Clock) -> None:
        self._client, self._policy, self._clock = client, policy, clock

    def all(self) -> list[Check]:
        """In the order in which they are told."""
        return [
            Check("zendesk login", self.login, LOGIN_REMEDY),
            Check("forms", self.forms, LOGIN_REMEDY),
            Check("fields", self.fields, LOGIN_REMEDY),
            Check("excluded organizations", self.organizations, LOGIN_REMEDY),
            Check("other surveys", self.other_surveys, LOGIN_REMEDY),
        ]

    async def login(self) -> Iterable[Finding]:
        """Whose token it is, what that user may do, and what time it is there."""
        began = self._clock.now()
        try:
            response = await self._response("/users/me", {})
        except (DestinationPaused, Permanent) as error:
            return [Finding("zendesk login", "failed", str(error), LOGIN_REMEDY)]
        clock = skew_of_date("clock: zendesk", response.headers.get("date", ""), began, self._clock.now())
        user = thing_of(object_of(response), "user")
        export = may_export(user, wanted=self._policy.catch_up is not None)
        return [*rights(user, native=self._policy.ask_by == "native"), *export, clock]

    async def forms(self) -> Iterable[Finding]:
        """Every name that gives issues a label is part of some form's name."""
        if self._policy.feedback.project is None:
            return [Finding("forms", "skipped", "no feedback is exported")]
        names = [str(form.get("name", "")) for form in await self._rows("ticket_forms")]
        unused = [
            wording.contains
            for wording in self._policy.feedback.forms
            if not any(wording.contains.casefold() in name.casefold() for name in names)
        ]
        if unused:
            words = f"no form's name contains {', '.join(unused)}"
            return [Finding("forms", "warning", words, "Change or drop these lines of csat.feedback.forms.")]
        return [Finding("forms", "ok", f"{len(names)} forms")]

    async def fields(self) -> Iterable[Finding]:
        """Where the numbers find plan and region."""
        return [
            await self._source(f"{name} of the numbers", source)
            for name, source in (("plan", self._policy.numbers.plan), ("region", self._policy.numbers.region))
        ]

    async def _source(self, name: str, source: Any) -> Finding:
        remedy = f"Correct csat.numbers.{name.partition(' ')[0]}, or make the field in Zendesk."
        if source.ticket_field is not None:
            try:
                await self._response(f"/ticket_fields/{int(source.ticket_field)}", {})
            except NotFound:
                return Finding(name, "failed", f"there is no ticket field {source.ticket_field}", remedy)
            return Finding(name, "ok", f"ticket field {source.ticket_field}")
        if source.organization_field is not None:
            keys = {str(row.get("key")) for row in await self._rows("organization_fields")}
            there = source.organization_field in keys
            words = f"organization field {source.organization_field}"
            return (
                Finding(name, "ok", words)
                if there
                else Finding(name, "failed", f"there is no {words}", remedy)
            )
        return Finding(name, "ok", "by tags" if source.tags else "not broken down by it")

    async def organizations(self) -> Iterable[Finding]:
        """A name that is not exactly an organization's excludes nobody (C7)."""
        remedy = "Correct csat.excluded_organizations: the match is exact, capitals included."
        found = []
        for name in self._policy.excluded_organizations:
            answer = object_of(await self._response("/organizations/search", {"name": name}))
            listed(answer, "organizations")
            exact = any(row.get("name") == name for row in objects(answer, "organizations"))
            words = "" if exact else "no organization has exactly this name: nobody is excluded by it"
            verdict = Finding(f"excluded organization {name}", "ok" if exact else "warning", words)
            found.append(verdict if exact else Finding(verdict.check, "warning", words, remedy))
        return found

    async def other_surveys(self) -> Iterable[Finding]:
        """Active automations and triggers that ask for a rating, against the way we ask."""
        try:
            business_rules = [*await self._rows("automations"), *await self._rows("triggers")]
        except Permanent as error:
            words = f"{error}: look in the Admin Center whether an automation or a trigger still asks"
            return [Finding("other surveys", "skipped", words)]
        return [survey_triggers.judge(business_rules, self._policy)]

    async def _rows(self, kind: str) -> list[Mapping[str, Any]]:
        """All rows of a list, page after page; of business rules the active ones. None on plans without them."""
        path = f"/{kind}/active" if kind in ("automations", "triggers") else f"/{kind}"
        query = {"page[size]": "100"}
        rows: list[Mapping[str, Any]] = []
        for _ in range(PAGES):
            answer = object_of(await self._response(path, query))
            listed(answer, kind)  # without it nothing is known, which is not "none"
            rows += objects(answer, kind)
            if (cursor := next_cursor(answer, whole=True)) is None:
                break
            query = query | {"page[after]": cursor}
        return rows

    async def _response(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        what = f"zendesk {path.strip('/')}"
        with map_transport_errors("GET", what):
            response = await self._client.get(path, params=dict(query))
        check_answer(response, what, now=self._clock.now())
        return response


def rights(user: Mapping[str, Any], *, native: bool) -> Sequence[Finding]:
    """What the user behind the token may do, as far as its record tells. Pure."""
    role = user.get("role")
    if user.get("id") is None or role not in ("agent", "admin"):
        words = "the token is of nobody" if user.get("id") is None else f"the user is an {role}"
        return [Finding("zendesk login", "failed", f"{words}, not of an agent", LOGIN_REMEDY)]
    login = Finding("zendesk login", "ok", f"as user {user['id']}, {role}")
    return [login, _may_write(user, native=native)]


def may_export(user: Mapping[str, Any], *, wanted: bool) -> Sequence[Finding]:
    """Whether the user is shown the export by which gaps are found; nothing to tell where it is. Pure."""
    if not wanted or user.get("role") != "agent":
        return ()
    words = "the user is an agent: what no webhook told stays unknown, since the export is for administrators"
    return [Finding("missed webhooks", "warning", words, "Use an administrator, or set csat.catch_up: null.")]


def _may_write(user: Mapping[str, Any], *, native: bool) -> Finding:
    name, remedy = "zendesk rights", "Give the integration user a role that sees and updates all tickets."
    if user.get("suspended"):
        return Finding(name, "failed", "the user is suspended", remedy)
    if user.get("ticket_restriction"):
        return Finding(name, "failed", f"sees only some tickets: {user['ticket_restriction']}", remedy)
    if user.get("only_private_comments") and not native:
        return Finding(name, "failed", "may write private comments only, a survey is a public one", remedy)
    if user.get("role") == "agent" and user.get("custom_role_id"):
        words = "a custom role: whether it may edit tags and write public comments REST does not tell"
        return Finding(name, "warning", words, "Look at the role in the Admin Center.")
    return Finding(name, "ok", "may comment and tag" if not native else "may tag")
