"""The doctor's checks of Zendesk that services share: which credential, of whom, and what is set up there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from supportops.clock import Clock
from supportops.config import ZendeskSettings
from supportops.config.zendesk_settings import API_TOKENS_END
from supportops.errors import DestinationPaused, Permanent
from supportops.json_text import load_cleaned
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding, Verdict, skew_of_date
from supportops.vendors.http_client import map_transport_errors
from supportops.vendors.zendesk.calls import check_answer, objects
from supportops.vendors.zendesk.connection import open_connection

LOGIN_REMEDY = (
    "Check ZENDESK_BASE_URL and the OAuth client, or whatever ZENDESK_TOKEN is: docs/setup/zendesk.md."
)
RIGHTS = "zendesk rights"
RIGHTS_REMEDY = (
    "Make the integration user an administrator, or have its role edit organizations and all end users."
)
_EDITS_USERS = frozenset({"full", "edit"})


def credential(settings: ZendeskSettings, clock: Clock) -> Finding:
    """Which way in is set; an API token is a warning with its last day, from that day on a failure."""
    today = clock.now().date()
    if warning := settings.token_warning(today):
        verdict: Verdict = "failed" if today >= API_TOKENS_END else "warning"
        return Finding("zendesk credential", verdict, warning, "docs/setup/zendesk.md shows the steps.")
    return Finding("zendesk credential", "ok", f"OAuth client {settings.client_id}")


def login_check(settings: ZendeskSettings, scopes: Sequence[str], clock: Clock) -> Check:
    """The credential opens the account, for a user who may see tickets."""

    async def look() -> Iterable[Finding]:
        found = [credential(settings, clock)]
        async with open_connection(settings, scopes, clock=clock, metrics=Metrics()) as zendesk:
            try:
                with map_transport_errors("GET", "zendesk users/me"):
                    response = await zendesk.get("/users/me")
                check_answer(response, "zendesk users/me", now=clock.now())
            except DestinationPaused as error:
                return [*found, Finding("zendesk login", "failed", str(error), LOGIN_REMEDY)]
        return [*found, Finding("zendesk login", "ok", f"with {' '.join(scopes)}")]

    return Check("zendesk login", look, LOGIN_REMEDY)


def account_check(
    settings: ZendeskSettings, scopes: Sequence[str], clock: Clock, organization_field: str
) -> Check:
    """Who we are there and what time it is, that organizations have the field, and that a webhook tells of tickets."""

    async def look() -> Iterable[Finding]:
        async with open_connection(settings, scopes, clock=clock, metrics=Metrics()) as zendesk:
            began = clock.now()
            response = await _answer(zendesk, "/users/me", clock)
            skew = skew_of_date("clock: zendesk", response.headers.get("date", ""), began, clock.now())
            found = [role(thing_of(object_of(response), "user")), skew]
            for path, judge in (
                ("/organization_fields", lambda answer: organization_field_of(answer, organization_field)),
                ("/webhooks", ticket_webhook),
            ):
                try:
                    found.append(judge(object_of(await _answer(zendesk, path, clock))))
                except Permanent as error:  # an agent may not read everything
                    found.append(Finding(f"zendesk {path.strip('/')}", "skipped", str(error)))
        return found

    return Check("zendesk account", look, LOGIN_REMEDY)


def role(user: Mapping[str, Any]) -> Finding:
    """Whether the user behind the credential sees all tickets, as far as its record tells. Pure."""
    remedy = "Give the integration user a role that sees all tickets, users and organizations."
    name = "zendesk role"
    if user.get("role") not in ("agent", "admin"):
        return Finding(name, "failed", f"the user is {user.get('role') or 'nobody'}, not an agent", remedy)
    if user.get("suspended"):
        return Finding(name, "failed", "the user is suspended", remedy)
    if user.get("ticket_restriction"):
        return Finding(name, "failed", f"sees only some tickets: {user['ticket_restriction']}", remedy)
    return Finding(name, "ok", f"user {user.get('id')}, {user['role']}")


def rights_check(settings: ZendeskSettings, scopes: Sequence[str], clock: Clock, missing: Verdict) -> Check:
    """Whether we may write organizations and end users; `missing`: the verdict when we may not."""

    async def look() -> Iterable[Finding]:
        async with open_connection(settings, scopes, clock=clock, metrics=Metrics()) as zendesk:
            return await rights_found(zendesk, clock, missing)

    return Check(RIGHTS, look, LOGIN_REMEDY)


async def rights_found(zendesk: httpx.AsyncClient, clock: Clock, missing: Verdict) -> list[Finding]:
    """The same through an open connection."""
    user = thing_of(object_of(await _answer(zendesk, "/users/me", clock)), "user")
    key = user.get("custom_role_id")
    if not isinstance(key, int) or user.get("role") == "admin":
        return rights(user, None, missing)
    try:
        answer = await _answer(zendesk, f"/custom_roles/{key}", clock)
    except Permanent as error:  # roles are for administrators to see
        return [Finding(RIGHTS, "skipped", f"role {key} cannot be read: {error}", RIGHTS_REMEDY)]
    return rights(user, thing_of(object_of(answer), "custom_role"), missing)


def rights(user: Mapping[str, Any], role: Mapping[str, Any] | None, missing: Verdict) -> list[Finding]:
    """What the user's role lets it write; `role`: the custom one that it has. Pure.

    An administrator may everything; an agent without a custom role may set notes of organizations alone
    (docs/vendors/zendesk.md#organizations).
    """
    if user.get("role") == "admin":
        return [Finding(RIGHTS, "ok", "an administrator writes organizations and users")]
    if role is None:
        told = "an agent may set notes of organizations, and neither their fields nor what is shared"
        return [Finding(RIGHTS, missing, told, RIGHTS_REMEDY)]
    may = thing_of(role, "configuration")
    name = role.get("name") or "its role"
    found = []
    if may.get("organization_editing") is not True:
        found.append(Finding(RIGHTS, missing, f"{name} may not edit organizations", RIGHTS_REMEDY))
    if (access := str(may.get("end_user_profile_access") or "")) not in _EDITS_USERS:
        told = (
            f"{name} has access {access or 'of no kind'} to end users: their ticket_restriction cannot be set"
        )
        found.append(Finding(RIGHTS, missing, told, RIGHTS_REMEDY))
    return found or [Finding(RIGHTS, "ok", f"{name} writes organizations and users")]


def organization_field_of(answer: Mapping[str, Any], key: str) -> Finding:
    """Whether organizations have the custom field, as text, and in use. Pure."""
    name, remedy = f"organization field {key}", "Admin Center, People, Configuration, Organization fields."
    rows = objects(answer, "organization_fields")
    field = next((row for row in rows if row.get("key") == key), None)
    if field is None:
        return Finding(name, "failed", "there is none of this key", remedy)
    if field.get("active") is False:
        return Finding(name, "failed", "is switched off", remedy)
    if field.get("type") not in ("text", "regexp"):
        return Finding(name, "warning", f"is of type {field.get('type')}, an id is text", remedy)
    return Finding(name, "ok")


def ticket_webhook(answer: Mapping[str, Any]) -> Finding:
    """Whether an active webhook tells of tickets, by events or by triggers. Pure."""
    name, remedy = "zendesk webhooks", "docs/setup/zendesk.md: the webhook of ingest, and its subscriptions."
    telling = [hook for hook in objects(answer, "webhooks") if _tells_of_tickets(hook)]
    active = [hook for hook in telling if hook.get("status") == "active"]
    if active:
        return Finding(name, "ok", ", ".join(str(hook.get("name")) for hook in active))
    if telling:
        return Finding(name, "failed", f"{telling[0].get('name')} is {telling[0].get('status')}", remedy)
    return Finding(name, "warning", "none of these webhooks tells of tickets", remedy)


def _tells_of_tickets(hook: Mapping[str, Any]) -> bool:
    subscriptions = hook.get("subscriptions")
    kinds = [str(kind) for kind in subscriptions] if isinstance(subscriptions, list) else []
    return any(
        kind.startswith("zen:event-type:ticket") or kind == "conditional_ticket_events" for kind in kinds
    )


async def _answer(zendesk: httpx.AsyncClient, path: str, clock: Clock) -> httpx.Response:
    what = f"zendesk {path.strip('/')}"
    with map_transport_errors("GET", what):
        response = await zendesk.get(path)
    check_answer(response, what, now=clock.now())
    return response


def object_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; Permanent, with the likely mistake, when it is something else."""
    try:
        answer = load_cleaned(response.content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Permanent("the answer is not one of Zendesk's API: is ZENDESK_BASE_URL right?")
    return answer


def thing_of(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`; an empty one where there is none."""
    found = answer.get(key)
    return found if isinstance(found, dict) else {}
