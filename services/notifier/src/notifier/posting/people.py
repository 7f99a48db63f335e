"""Who in Slack a person is, by e-mail: the rules' own table first, then Slack's look-up."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from notifier.slack.client import SlackClient, SlackCredentialError
from notifier.slack.reads import user_by_email
from supportops.observability.logging import get_logger

BELIEVED = timedelta(hours=1)
MOST = 5_000  # addresses that are remembered
log = get_logger("notifier.people")


class People:
    """Slack's users by e-mail; both who was found and who was not is believed for an hour."""

    def __init__(self, slack: SlackClient, table: Mapping[str, str]) -> None:
        self._slack, self._table = slack, table
        self._known: dict[str, tuple[str | None, datetime]] = {}

    async def slack_user(self, email: str | None) -> str | None:
        """The person's id in Slack; None for nobody, for who has left, and where the bot may not look."""
        if not email:
            return None
        address = email.strip().lower()
        if address in self._table:
            return self._table[address]
        found, until = self._known.get(address, (None, self._slack.now()))
        if self._slack.now() < until:
            return found
        try:
            found = await user_by_email(self._slack, address)
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            log.warning("slack.no_lookups", needed="users:read.email")
            found = None
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[address] = (found, self._slack.now() + BELIEVED)
        return found
