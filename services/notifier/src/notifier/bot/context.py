"""What answers are made with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from notifier.bot.csat import CsatNumbers
from notifier.bot.gate import Gate, Person
from notifier.feeds.lookups import Lookups
from notifier.policy.bot import BotPolicy
from notifier.policy.notifier import NotifierPolicy
from supportops.errors import SupportOpsError
from supportops.observability.metrics import Recorder
from supportops.operations.timeline import Explain
from supportops.store import Store
from supportops.vendors.zendesk import Ticket, Zendesk


class NoAnswer(Exception):
    """There is nothing to tell: somebody does not answer, or will not. Its text is ours and is shown as it is."""


@dataclass(frozen=True)
class BotContext:
    """Vendors, rules and the database. `story`: all that is known of a ticket. `csat` None: it is not connected."""

    store: Store
    policy: NotifierPolicy
    zendesk: Zendesk
    lookups: Lookups
    gate: Gate
    csat: CsatNumbers | None
    story: Explain
    base_url: str
    metrics: Recorder

    @property
    def rules(self) -> BotPolicy:
        """The section about the bot."""
        return self.policy.bot

    @property
    def now(self) -> datetime:
        """The moment by our clock."""
        return self.store.clock.now()

    def email_of(self, person: Person) -> str | None:
        """Somebody's e-mail address in Zendesk: the rules' own table first, then Slack's profile."""
        table = self.policy.notices.people
        return next((email for email, user in table.items() if user == person.id), person.email)

    async def may_be_shown(self, ticket: Ticket) -> bool:
        """Whether the ticket's form may be seen in Slack at all; a form that cannot be named may not."""
        form = await self.lookups.form_of(ticket)
        return not self.policy.never_forms if form is None else not self.policy.is_secret(form)


@contextmanager
def asking(whom: str) -> Iterator[None]:
    """Turns what goes wrong with another service into words for whoever asked."""
    try:
        yield
    except SupportOpsError as error:
        raise NoAnswer(f"{whom} does not answer now ({type(error).__name__}). Please ask again.") from error
