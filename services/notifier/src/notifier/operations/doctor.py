"""`notifier doctor`: what the notifier needs of Zendesk and of Slack. Reads only; nothing is posted."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from notifier.bot.checks import bot_checks
from notifier.operations import sibling_rules
from notifier.operations.breach_checks import breach_checks
from notifier.operations.channel_checks import TOKEN_REMEDY, channels_of, look_at_channel
from notifier.policy.conditions import NameRule, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import ZENDESK_SCOPES, Settings
from notifier.slack.client import SlackClient, open_slack
from supportops.clock import Clock, SystemClock
from supportops.errors import Permanent
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding, skew_of_date
from supportops.operations.zendesk_checks import LOGIN_REMEDY, login_check, object_of
from supportops.vendors.http_client import map_transport_errors
from supportops.vendors.zendesk import Zendesk, open_zendesk
from supportops.vendors.zendesk.calls import check_answer, listed, next_cursor, objects
from supportops.vendors.zendesk.connection import open_connection


@asynccontextmanager
async def checks(
    settings: Settings, policy: NotifierPolicy, clock: Clock | None = None
) -> AsyncIterator[Sequence[Check]]:
    """What `notifier doctor` looks at, beside database and broker."""
    clock = clock or SystemClock()
    async with (
        open_slack(settings.slack, clock=clock, metrics=Metrics()) as slack,
        open_connection(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=Metrics()) as zendesk,
    ):
        login = login_check(settings.zendesk, ZENDESK_SCOPES, clock)
        more = [*breach_checks(settings, policy.breaches, clock), *bot_checks(settings, policy, slack, clock)]
        siblings = zendesk_checks(zendesk, clock, tags_of(policy))
        named = names_check(settings, policy, clock)
        yield [login, *siblings, named, *slack_checks(slack, policy, clock), *more]


def tags_of(policy: NotifierPolicy) -> frozenset[str]:
    """The tags that we set, as those rules of Zendesk's did that we replace."""
    success = policy.notices.success
    tags = {rule.tag for rule in policy.breaches.rules} | {success.tag if success else None}
    return frozenset(tag for tag in tags if tag is not None)


def names_check(settings: Settings, policy: NotifierPolicy, clock: Clock) -> Check:
    """Whether Zendesk knows what the rules name: nothing comes of a misspelt name, and nobody would miss it."""

    async def names() -> Iterable[Finding]:
        async with open_zendesk(settings.zendesk, ZENDESK_SCOPES, clock=clock, metrics=Metrics()) as zendesk:
            return [each async for each in unknown_names(zendesk, policy)] or [_ALL_KNOWN]

    return Check(NAMES, names, LOGIN_REMEDY)


async def unknown_names(zendesk: Zendesk, policy: NotifierPolicy) -> AsyncIterator[Finding]:
    """A finding for each kind of names that the rules want and Zendesk does not have."""
    rules = [each.forms for each in policy.feeds] + [each.forms for each in policy.breaches.rules]
    wanted = [name for forms in rules for name in forms.include]
    if wanted:
        forms = NameRule.model_construct(
            include=tuple(each.name for each in (await zendesk.ticket_forms()).values())
        )
        if not forms.include:
            yield Finding(
                NAMES, "warning", "Zendesk shows no form, and rules include some by name", NAMES_REMEDY
            )
        elif missing := [each for each in dict.fromkeys(wanted) if forms.verdict(each) is not Verdict.YES]:
            yield _unknown("form", missing)
    if policy.bot.views.names:
        titles = {view.title.casefold() for view in await zendesk.lists.views()}
        if missing := [each for each in policy.bot.views.names if each.casefold() not in titles]:
            yield _unknown("view", missing)
    success = policy.notices.success
    if success is not None and success.schedule is not None:
        schedules = [each.name for each in await zendesk.schedules.all()]
        if success.schedule not in schedules:
            yield _unknown("schedule", [success.schedule])


def _unknown(what: str, names: Sequence[str]) -> Finding:
    told = ", ".join(repr(each) for each in names[:MOST_NAMED])
    return Finding(
        NAMES, "warning", f"Zendesk has no {what} {told}: nothing comes of rules for it", NAMES_REMEDY
    )


def slack_checks(slack: SlackClient, policy: NotifierPolicy, clock: Clock) -> list[Check]:
    """The token, Slack's clock (requests of Slack's are taken by their moment), and each channel of the rules."""

    async def token() -> Iterable[Finding]:
        began = clock.now()
        who = await slack.identity()
        ours = Finding("slack token", "ok", f"as {who.user} in {who.team}")
        return [ours, skew_of_date("clock: slack", who.date, began, clock.now())]

    async def channels() -> Iterable[Finding]:
        named = channels_of(policy).items()
        found = [each for name, marked in named for each in await look_at_channel(slack, name, marked=marked)]
        return found or [_NO_FEED]

    return [Check("slack token", token, TOKEN_REMEDY), Check("slack channels", channels, TOKEN_REMEDY)]


_NO_FEED = Finding("slack channels", "skipped", "the rules name no channel")


def zendesk_checks(client: httpx.AsyncClient, clock: Clock, tags: Collection[str]) -> list[Check]:
    """Zendesk's clock against ours, and its own rules that post into Slack beside us."""

    async def skew() -> Iterable[Finding]:
        began = clock.now()
        response = await _get(client, "/users/me", {}, clock)
        return [skew_of_date("clock: zendesk", response.headers.get("date", ""), began, clock.now())]

    async def siblings() -> Iterable[Finding]:
        try:
            rules = [row for kind in ("automations", "triggers") for row in await _rows(client, kind, clock)]
            webhooks = await _rows(client, "webhooks", clock)
        except Permanent as error:
            words = (
                f"{error}: look in the Admin Center whether an automation or a trigger still posts into Slack"
            )
            return [Finding(sibling_rules.CHECK, "skipped", words)]
        return [sibling_rules.judge(rules, webhooks, tags)]

    return [
        Check("clock: zendesk", skew, LOGIN_REMEDY),
        Check(sibling_rules.CHECK, siblings, sibling_rules.REMEDY),
    ]


NAMES, MOST_NAMED = "names in the rules", 10
NAMES_REMEDY = "Write names as Zendesk shows them to administrators, or take them out of the rules."
_ALL_KNOWN = Finding(NAMES, "ok", "Zendesk has the forms, views and schedules that the rules name")
PAGES = 20  # of a hundred rows: more rules no account has


async def _rows(client: httpx.AsyncClient, kind: str, clock: Clock) -> list[Mapping[str, Any]]:
    """All rows of a list; of triggers and automations the active ones."""
    path, query = f"/{kind}" if kind == "webhooks" else f"/{kind}/active", {"page[size]": "100"}
    rows: list[Mapping[str, Any]] = []
    for _ in range(PAGES):
        answer = object_of(await _get(client, path, query, clock))
        listed(answer, kind)  # without it nothing is known, which is not "none"
        rows += objects(answer, kind)
        if (cursor := next_cursor(answer, whole=True)) is None:
            break
        query = query | {"page[after]": cursor}
    return rows


async def _get(
    client: httpx.AsyncClient, path: str, query: Mapping[str, str], clock: Clock
) -> httpx.Response:
    what = f"zendesk {path.strip('/')}"
    with map_transport_errors("GET", what):
        response = await client.get(path, params=dict(query))
    check_answer(response, what, now=clock.now())
    return response
