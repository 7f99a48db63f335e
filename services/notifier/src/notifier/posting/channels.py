"""Addresses of channels, and who reads them."""

import re

from sqlalchemy import select

from notifier import tables
from notifier.slack.client import SlackChannelError, SlackClient, SlackCredentialError, SlackRefused
from notifier.slack.reads import Audience, audience_of
from supportops.store import Store

CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{7,}", re.ASCII)


class ChannelDirectory:
    """The channels of the rules as Slack knows them."""

    def __init__(self, store: Store, slack: SlackClient) -> None:
        self._store, self._slack = store, slack
        self._addresses: dict[str, str] = {}

    async def address(self, channel: str) -> str:
        """The channel's id: reading takes no name. Known from an earlier post, else looked up once.

        Raises SlackChannelError where no channel that the bot may list has that name.
        """
        if CHANNEL_ID.fullmatch(channel):
            return channel
        known = self._addresses.get(channel) or await self._posted(channel)
        if known is None:
            known = await self._slack.channel_id(channel)
        if known is None:
            raise SlackChannelError("channel_not_found")
        self._addresses[channel] = known
        return known

    async def why_open(self, channel: str) -> str | None:
        """Why nothing confidential may stand in the channel; None: it is private, and none but our own people read it.

        Asked anew each time: a channel keeps its id when it is made public, and when a guest company joins it. What
        cannot be told counts as open.
        """
        try:
            audience = await audience_of(self._slack, await self.address(channel))
        except SlackRefused as error:
            return f"its audience cannot be read ({error.code})"
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return "its audience cannot be read: the bot lacks groups:read or channels:read"
        return why_open(audience)

    async def _posted(self, channel: str) -> str | None:
        messages = tables.feed_messages.c
        posted = select(messages.address).where(messages.channel == channel, messages.address != channel)
        async with self._store.reading() as conn:
            found: str | None = (await conn.execute(posted.order_by(messages.ts.desc()).limit(1))).scalar()
        return found


def why_open(audience: Audience) -> str | None:
    """Why an audience may not read what is confidential, None when it may."""
    if not audience.is_private:
        return "the channel is public"
    if audience.is_shared:
        return "people of another company are in the channel"
    return None
