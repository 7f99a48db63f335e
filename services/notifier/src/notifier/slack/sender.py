"""Posts in Slack what has to be seen, and finds it again by its key (docs/vendors/slack.md#metadata)."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select

from notifier.slack.client import Posted, SlackClient, SlackCredentialError, SlackRefused
from notifier.slack.message import Json, Message
from notifier.tables import breach_notices
from supportops.errors import CredentialRefused
from supportops.observability.logging import get_logger
from supportops.store import Store

log = get_logger("notifier.breaches")
CLOCK_MARGIN = timedelta(minutes=1)  # Slack's clock and ours


class Sender:
    """Slack, for notices: under the rule's name where the bot may have one, and found again by key."""

    def __init__(self, slack: SlackClient, store: Store) -> None:
        self._slack, self._store = slack, store
        self._plain_name = False
        self._addresses: dict[str, str] = {}

    async def post(self, channel: str, message: Message, metadata: Json) -> Posted:
        """Post to a channel (id or name) or a person (id). Without the scope for other names, under the bot's own."""
        slack = self._slack
        if message.username is None or self._plain_name:
            return await slack.post(channel, replace(message, username=None), metadata)
        try:
            return await slack.post(channel, message, metadata)
        except SlackCredentialError as error:
            if error.code != "missing_scope" or "customize" not in str(error):
                raise
            log.warning("breach.plain_name", reason=str(error))
            self._plain_name = True
            return await slack.post(channel, replace(message, username=None), metadata)

    async def find(self, channel: str, event_type: str, key: str, since: datetime) -> Posted | None:
        """Our message by its key; None when it is not there, or the bot may not look."""
        try:
            address = await self._address(channel)
            async for seen in self._slack.history(address, since - CLOCK_MARGIN):
                if seen.event_type == event_type and seen.payload.get("key") == key:
                    return Posted(address, seen.ts)
        except (SlackRefused, CredentialRefused) as error:
            log.warning("breach.history_not_read", channel=channel, reason=str(error))
        return None

    async def _address(self, channel: str) -> str:
        """The channel's id: reading takes no name. Known from an earlier post, else looked up once."""
        n = breach_notices.c
        posted = select(n.address).where(n.channel == channel, n.address.is_not(None)).limit(1)
        async with self._store.reading() as conn:
            known = (await conn.execute(posted)).scalar() or self._addresses.get(channel)
        if known is None:
            known = self._addresses[channel] = await self._slack.channel_id(channel) or channel
        return str(known)
