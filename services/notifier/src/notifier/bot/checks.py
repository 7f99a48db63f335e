"""The doctor's look at what the bot needs: the scopes of its token, its workspace, csat."""

from collections.abc import Iterable

import httpx

from notifier.bot.csat import open_csat
from notifier.bot.socket_mode import demand_the_extra
from notifier.policy.notifier import NotifierPolicy
from notifier.settings import SLACK_SCOPES, Settings, SlackSettings
from notifier.slack.client import (
    Identity,
    SlackClient,
    SlackCredentialError,
    SlackRateLimited,
    SlackRefused,
    open_slack,
)
from supportops.clock import Clock
from supportops.config import SettingsError
from supportops.errors import SupportOpsError
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding

SCOPES, TEAM, GROUPS, CSAT = "slack scopes", "slack workspace", "bot: user groups", "bot: csat"
SOCKET = "slack socket mode"
SCOPES_REMEDY = (
    "Add them under OAuth & Permissions (docs/setup/slack.md has them all), and install the app again."
)
TEAM_REMEDY = "Set SLACK_TEAM_ID to the workspace of SLACK_TOKEN."
GROUPS_REMEDY = "Name user groups by their ids (S…) in notifier.bot.access."
CSAT_REMEDY = (
    "Check CSAT_API_URL, that CSAT_API_TOKEN is that of csat itself, and that HTTP_ALLOWED_HOSTS of csat, where it is "
    "set, names the host in that address."
)
SOCKET_REMEDY = (
    "SLACK_APP_TOKEN is an app-level token (xapp-…) with connections:write, of the same app, in which Socket Mode is "
    "switched on (docs/setup/slack.md, section 3)."
)
_NEEDED = frozenset({"chat:write"})


def bot_checks(settings: Settings, policy: NotifierPolicy, slack: SlackClient, clock: Clock) -> list[Check]:
    """What `notifier doctor` asks about the bot; without Slack's requests only the scopes."""

    async def scopes() -> Iterable[Finding]:
        return judge_scopes(await slack.identity(), asked=is_asked(settings))

    async def team() -> Iterable[Finding]:
        return [judge_team(await slack.identity(), settings.slack_requests.team_id)]

    async def groups() -> Iterable[Finding]:
        named = sorted({group for each in policy.bot.access for group in each.groups})
        return [await _group(slack, group) for group in named] or [
            Finding(GROUPS, "skipped", "the rules name none")
        ]

    async def csat() -> Iterable[Finding]:
        return [await _csat(settings, clock)]

    async def socket() -> Iterable[Finding]:
        return [await socket_finding(settings.slack, clock)]

    found = [Check(SCOPES, scopes, SCOPES_REMEDY)]
    if is_asked(settings):
        found += [
            Check(TEAM, team, TEAM_REMEDY),
            Check(GROUPS, groups, GROUPS_REMEDY),
            Check(CSAT, csat, CSAT_REMEDY),
            Check(SOCKET, socket, SOCKET_REMEDY),
        ]
    return found


def is_asked(settings: Settings) -> bool:
    """Whether Slack's requests are taken, by one road or the other."""
    return settings.slack_requests.signing_secret is not None or settings.slack.app_token is not None


def judge_scopes(who: Identity, *, asked: bool) -> list[Finding]:
    """Each scope that the token lacks, with what does not work; `asked`: whether the bot is to answer."""
    if who.scopes is None:
        return [Finding(SCOPES, "skipped", "Slack does not say what the token may do")]
    for_bot = {"app_mentions:read", "commands", "users:read", "usergroups:read"}
    missing = [each for each in SLACK_SCOPES if each not in who.scopes and (asked or each not in for_bot)]
    return [
        Finding(
            SCOPES,
            "failed" if each in _NEEDED | ({"users:read"} if asked else set()) else "warning",
            f"{each}: {SLACK_SCOPES[each]}",
            SCOPES_REMEDY,
        )
        for each in missing
    ] or [Finding(SCOPES, "ok", f"{len(who.scopes)} scopes, all that are needed")]


def judge_team(who: Identity, team: str | None) -> Finding:
    """Whether the token is of the workspace whose requests are taken."""
    if who.team_id != team:
        words = f"the token is of {who.team_id}, requests are taken of {team}: nobody would get an answer"
        return Finding(TEAM, "failed", words, TEAM_REMEDY)
    return Finding(TEAM, "ok", f"{team}, like the token's")


async def _group(slack: SlackClient, group: str) -> Finding:
    try:
        answer = await slack.read("usergroups.users.list", {"usergroup": group})
    except SlackRefused as error:
        return Finding(GROUPS, "failed", f"{group}: {error}", GROUPS_REMEDY)
    except SlackCredentialError as error:
        if error.code != "missing_scope":
            raise
        return Finding(GROUPS, "failed", f"{group}: usergroups:read is missing", SCOPES_REMEDY)
    users = answer.get("users")
    return Finding(GROUPS, "ok", f"{group}: {len(users) if isinstance(users, list) else 0} people")


async def socket_finding(
    settings: SlackSettings, clock: Clock, transport: httpx.AsyncBaseTransport | None = None
) -> Finding:
    """Whether the worker could open a socket; none is opened."""
    if settings.app_token is None:
        return Finding(SOCKET, "skipped", "SLACK_APP_TOKEN is not set: requests come over HTTP")
    try:
        demand_the_extra()
    except SettingsError as error:
        return Finding(SOCKET, "failed", "; ".join(error.problems), SOCKET_REMEDY)
    as_app = settings.model_copy(update={"token": settings.app_token})
    async with open_slack(as_app, clock=clock, metrics=Metrics(), transport=transport) as slack:
        try:
            await slack.ask_for_socket()
        except (SlackCredentialError, SlackRefused) as error:
            return Finding(SOCKET, "failed", f"Slack opens none: {error.code}", SOCKET_REMEDY)
        except SlackRateLimited:
            return Finding(SOCKET, "skipped", "asked a moment ago: Slack takes this question once a minute")
    return Finding(SOCKET, "ok", "Slack names an address for it")


async def _csat(settings: Settings, clock: Clock) -> Finding:
    async with open_csat(settings.csat, clock=clock) as csat:
        if csat is None:
            return Finding(
                CSAT, "skipped", "CSAT_API_URL is not set: the bot says that csat is not connected"
            )
        try:
            week, zone = await csat.this_week()
        except SupportOpsError as error:
            return Finding(CSAT, "failed", str(error), CSAT_REMEDY)
    return Finding(CSAT, "ok", f"week of {week.first_day} ({zone})" if week else f"no figures yet ({zone})")
