"""`notifier doctor`: what the notifier needs of Zendesk and of Slack. Reads only; nothing is posted."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from notifier.policy.notifier import NotifierPolicy
from notifier.posting.channels import CHANNEL_ID
from notifier.settings import ZENDESK_SCOPES, Settings
from notifier.slack.client import SlackChannelError, SlackClient, SlackCredentialError, open_slack
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.operations.checks import Check, Finding
from supportops.operations.zendesk_checks import login_check

TOKEN_REMEDY = "Check SLACK_TOKEN: a bot token (xoxb-…) with chat:write and channels:history."  # noqa: S105  # nosec B105
CHANNEL_REMEDY = "Invite the bot into the channel (/invite), or name another channel in notifier.feeds."
RECENT = timedelta(minutes=1)


@asynccontextmanager
async def checks(settings: Settings, policy: NotifierPolicy) -> AsyncIterator[Sequence[Check]]:
    """What `notifier doctor` looks at, beside database and broker."""
    clock = SystemClock()
    async with open_slack(settings.slack, clock=clock, metrics=Metrics()) as slack:
        yield [login_check(settings.zendesk, ZENDESK_SCOPES, clock), *slack_checks(slack, policy)]


def slack_checks(slack: SlackClient, policy: NotifierPolicy) -> list[Check]:
    """The token, and each channel of the feeds: whether the bot may read there shows whether it is in it."""

    async def token() -> Iterable[Finding]:
        who = await slack.identity()
        return [Finding("slack token", "ok", f"as {who.user} in {who.team}")]

    async def channels() -> Iterable[Finding]:
        names = sorted({feed.channel for feed in policy.feeds})
        return [await _channel(slack, name) for name in names] or [_NO_FEED]

    return [Check("slack token", token, TOKEN_REMEDY), Check("slack channels", channels, TOKEN_REMEDY)]


_NO_FEED = Finding("slack channels", "skipped", "the rules name no feed")


async def _channel(slack: SlackClient, channel: str) -> Finding:
    name = f"slack channel {channel}"
    try:
        address = channel if CHANNEL_ID.fullmatch(channel) else await slack.channel_id(channel)
        if address is None:
            return Finding(name, "failed", "no channel that the bot may list has this name", CHANNEL_REMEDY)
        async for _ in slack.history(address, slack.now() - RECENT):
            break
    except SlackChannelError as error:
        return Finding(name, "failed", str(error), CHANNEL_REMEDY)
    except SlackCredentialError as error:
        if error.code != "missing_scope":
            raise
        words = "the history cannot be read: after a lost answer a line is given up instead of looked for"
        return Finding(name, "warning", words, TOKEN_REMEDY)
    return Finding(name, "ok", "the bot is in it and may read")
