"""What the destinations of breach notices work with."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from notifier.breaches.arming import Situation
from notifier.breaches.reader import AccountHours, SlaReader
from notifier.breaches.repository import Record
from notifier.breaches.targets import Reading
from notifier.policy.breaches import BreachPolicy, BreachRule, TicketFacts
from notifier.policy.notifier import NotifierPolicy
from notifier.slack.client import SlackClient
from supportops.business_hours import BusinessHours
from supportops.observability.metrics import Recorder
from supportops.store import Store
from supportops.vendors.zendesk import Zendesk

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
    def version(self) -> str:
        """Names the rules: another one after any change of them."""
        said = self.rules.model_dump_json() + repr(self.policy.never_forms)
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def rule_of(self, ticket: TicketFacts) -> tuple[BreachRule | None, str]:
        """The first rule that concerns a ticket; else None, and what each of them has against it."""
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

    def situation(
        self, reading: Reading, record: Record, hours: BusinessHours | None, now: datetime
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
        )
