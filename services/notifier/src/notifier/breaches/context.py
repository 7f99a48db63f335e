"""What the destinations of breach notices work with."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from notifier.breaches.arming import Quiet, Situation
from notifier.breaches.reader import AccountHours, FreshReadings, SlaReader
from notifier.breaches.repository import Record
from notifier.breaches.targets import Reading
from notifier.policy.breaches import BreachPolicy, BreachRule, TicketFacts
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.silences import Silences
from notifier.slack.client import SlackClient
from supportops.business_hours import BusinessHours
from supportops.config.quiet_hours import quiet_until
from supportops.observability.metrics import Recorder
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk

KINDS = 1_000
"""Of tickets, by what rules look at: as many are remembered."""
NO_RULE = "no rule concerns it"


@dataclass(frozen=True)
class BreachContext:
    """Vendors, rules and the database; `base_url` is where agents open tickets."""

    store: Store
    policy: NotifierPolicy
    zendesk: Zendesk
    reader: SlaReader
    account_hours: AccountHours
    slack: SlackClient
    base_url: str
    metrics: Recorder

    @property
    def rules(self) -> BreachPolicy:
        """The section about breaches."""
        return self.policy.breaches

    @cached_property
    def fresh(self) -> FreshReadings:
        """Readings that may decide; all destinations know when Zendesk does not answer."""
        return FreshReadings(
            self.reader,
            self.store.clock,
            fresh_for=self.rules.fresh_for,
            patience=self.rules.patience,
        )

    @cached_property
    def silences(self) -> Silences:
        """The silences in force."""
        return Silences(self.store)

    @cached_property
    def version(self) -> str:
        """Names the rules: another one after any change of them."""
        said = self.rules.model_dump_json() + repr(self.policy.never_forms)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def rule_of(self, ticket: TicketFacts) -> tuple[BreachRule | None, str]:
        """The first rule that concerns a ticket; else None, and what each of them has against it."""
        return self._judged(ticket)

    @cached_property
    def _judged(self) -> Callable[[TicketFacts], tuple[BreachRule | None, str]]:
        return lru_cache(KINDS)(
            self._judge
        )  # it follows from the facts alone, and a notice asks several times

    def _judge(self, ticket: TicketFacts) -> tuple[BreachRule | None, str]:
        if ticket.form is not None and self.policy.is_secret(ticket.form):
            return None, f"tickets with the form {ticket.form} are shown nowhere"
        objections = []
        for rule in self.rules.rules:
            objection = rule.objection(ticket)
            if objection is None:
                return rule, ""
            objections.append(f"{rule.name}: {objection}")
        return None, f"{NO_RULE} ({'; '.join(objections)})" if objections else NO_RULE

    async def hours(self) -> BusinessHours | None:
        """Business hours, where a rule counts in them."""
        if not any(rule.hours == "business" for rule in self.rules.rules):
            return None
        return await self.account_hours.current(self.store.clock.now())

    async def quiet(self, reading: Reading) -> Quiet | None:
        """What keeps a ticket's notices back now: a silence about it, its organization or its rule, or the rule's quiet
        hours; whichever ends later.
        """
        rule, _ = self.rule_of(reading.facts)
        if rule is None:
            return None
        silence = await self.silences.of(
            rule=rule.name, ticket_id=reading.ticket_id, organization_id=reading.organization_id
        )
        hours_end = quiet_until(self.store.clock.now(), rule.quiet_hours) if rule.quiet_hours else None
        if silence is not None and (hours_end is None or silence.ends_at > hours_end):
            return Quiet(silence.ends_at, f"silenced until {_utc(silence.ends_at)} ({silence.reason})")
        return Quiet(hours_end, f"quiet hours until {_utc(hours_end)}") if hours_end is not None else None

    def situation(
        self,
        reading: Reading,
        record: Record,
        hours: BusinessHours | None,
        now: datetime,
        quiet: Quiet | None = None,
    ) -> Situation:
        """What a plan for the ticket follows from."""
        rule, objection = self.rule_of(reading.facts)
        return Situation(
            reading,
            rule,
            objection,
            record.known(),
            record.taken(now),
            hours,
            self.rules.repeat_at_most,
            quiet,
        )


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
