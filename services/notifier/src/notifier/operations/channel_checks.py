"""The doctor's look at each channel of the rules: is the bot in it, who reads it, can its history be read."""

from collections.abc import Iterable
from datetime import timedelta

from notifier.policy.notifier import NotifierPolicy
from notifier.posting.channels import CHANNEL_ID, why_open
from notifier.slack.client import SlackChannelError, SlackClient, SlackCredentialError, SlackRefused
from notifier.slack.reads import audience_of
from supportops.operations.checks import Finding

TOKEN_REMEDY = (
    "Check SLACK_TOKEN: a bot token (xoxb-…) with chat:write, channels:read, channels:history and users:read.email, "  # noqa: S105  # nosec B105
    "for private channels groups:read and groups:history."
)
CHANNEL_REMEDY = "Invite the bot into the channel (/invite), or name another channel in notifier's rules."
OPEN_REMEDY = (
    "Make the channel private and free of guests, or take private_comments and secret_forms from its feeds."
)
RECENT = timedelta(minutes=1)


def channels_of(policy: NotifierPolicy) -> dict[str, bool]:
    """Every channel that the rules name, and whether something confidential may be shown in it."""
    marked = {feed.channel for feed in policy.feeds if feed.private_comments or feed.secret_forms}
    notices = policy.notices
    breaches = policy.breaches
    named = [feed.channel for feed in policy.feeds] + [rule.channel for rule in breaches.rules]
    named += [road.channel for rule in breaches.rules for road in rule.second_roads if road.channel]
    named += [breaches.summary.channel] if breaches.summary else []
    for rule in (
        notices.success,
        notices.ratings,
        notices.integrity,
        notices.account_manager,
        notices.alerts,
    ):
        if rule is not None and rule.channel is not None:
            named.append(rule.channel)
    named += [each for each in (policy.operators_channel, policy.fallback_channel) if each is not None]
    return {channel: channel in marked for channel in sorted(set(named))}


async def look_at_channel(slack: SlackClient, channel: str, *, marked: bool) -> Iterable[Finding]:
    """What Slack says of one channel; a name is resolved once, and the id is told for the rules' file."""
    name = f"slack channel {channel}"
    try:
        address = channel if CHANNEL_ID.fullmatch(channel) else await slack.channel_id(channel)
        if address is None:
            words = "no channel that the bot may list has this name"
            return [Finding(name, "failed", words, CHANNEL_REMEDY)]
        audience = await _audience(slack, name, address, marked=marked)
        if audience.verdict == "failed":
            return [audience]
        found = [audience, await _history(slack, name, address)]
    except SlackChannelError as error:
        return [Finding(name, "failed", str(error), CHANNEL_REMEDY)]
    if address != channel:
        words = f"named, and names change: write its id {address} instead"
        found.append(Finding(name, "warning", words, "Slack keeps a channel's id for ever."))
    return [each for each in found if each.verdict != "ok"] or [found[0]]


async def _audience(slack: SlackClient, name: str, address: str, *, marked: bool) -> Finding:
    try:
        audience = await audience_of(slack, address)
    except SlackCredentialError as error:
        if error.code != "missing_scope":
            raise
        verdict = "who reads it cannot be told" + (": nothing confidential is posted there" if marked else "")
        return Finding(name, "failed" if marked else "warning", verdict, TOKEN_REMEDY)
    except SlackRefused as error:
        return Finding(name, "failed", str(error), CHANNEL_REMEDY)
    if audience.is_archived:
        return Finding(name, "failed", "it is archived", "Unarchive it, or name another channel.")
    if marked and (why := why_open(audience)) is not None:
        return Finding(name, "failed", f"it is marked for what is confidential, and {why}", OPEN_REMEDY)
    kind = f"{'private' if audience.is_private else 'public'}{', shared with others' if audience.is_shared else ''}"
    if not audience.is_member:
        return Finding(
            name,
            "failed",
            f"the bot is not in it ({kind}): Slack refuses what it posts there",
            CHANNEL_REMEDY,
        )
    return Finding(name, "ok", f"the bot is in it and may read ({kind})")


_UNREAD = "the history cannot be read: after a lost answer a line is given up instead of looked for"


async def _history(slack: SlackClient, name: str, address: str) -> Finding:
    try:
        async for _ in slack.history(address, slack.now() - RECENT):
            break
    except SlackCredentialError as error:
        if error.code != "missing_scope":
            raise
        return Finding(name, "warning", _UNREAD, TOKEN_REMEDY)
    except SlackChannelError as error:
        return Finding(name, "warning", f"{_UNREAD} ({error.code})", CHANNEL_REMEDY)
    return Finding(name, "ok", "the history can be read")
