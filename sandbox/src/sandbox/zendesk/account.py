"""The account's memory: records by id, who may log in, and the way out for events."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock
from sandbox.settings import Settings
from sandbox.web import Json
from sandbox.zendesk import events
from sandbox.zendesk.events import Envelope, Event, Happening
from sandbox.zendesk.problems import not_found
from sandbox.zendesk.records import (
    Named,
    Organization,
    Rating,
    SurveyResponse,
    Ticket,
    TicketField,
    User,
)

# what automations act as; real accounts differ (docs/vendors/zendesk.md#surprises), so it is no user's id
SYSTEM_ACTOR = -1


_FIRST_IDS = {
    "user": 8447388091000,
    "organization": 8447346623000,
    "named": 8646151518000,
    "field": 360000000100,
    "ticket": 5001,
    "comment": 9876543210,
    "audit": 9190863564285,
    "rating": 35436,
}


@dataclass(frozen=True, slots=True)
class Action:
    """Everything that one change produced: for the sender, and for whoever compares with what should be."""

    domain: str
    record_id: int
    actor_id: int
    names: tuple[str, ...]
    events: tuple[Event, ...]
    ticket: Ticket | None = None
    audit_id: int | None = None


class Ids:
    """Counters that go on after a reset, so that an id never names two things for a service that remembers."""

    def __init__(self) -> None:
        self._next = {kind: itertools.count(start) for kind, start in _FIRST_IDS.items()}

    def next(self, kind: str) -> int:
        return next(self._next[kind])


@dataclass(slots=True)
class Records:
    """All that a reset forgets."""

    users: dict[int, User] = field(default_factory=dict)
    emails: dict[str, int] = field(default_factory=dict)
    organizations: dict[int, Organization] = field(default_factory=dict)
    groups: dict[int, Named] = field(default_factory=dict)
    brands: dict[int, Named] = field(default_factory=dict)
    forms: dict[int, Named] = field(default_factory=dict)
    fields: dict[int, TicketField] = field(default_factory=dict)
    organization_fields: dict[str, dict[str, Any]] = field(default_factory=dict)  # by key, as REST shows them
    tickets: dict[int, Ticket] = field(default_factory=dict)
    ratings: dict[int, Rating] = field(default_factory=dict)
    responses: dict[str, SurveyResponse] = field(default_factory=dict)
    custom_roles: dict[int, dict[str, Any]] = field(default_factory=dict)  # by id, as REST shows them
    business_rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sla_roads: frozenset[str] = frozenset({"policy_metrics", "sideload", "search"})
    schedules: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    surveys_listed: bool = True  # False: this account answers 404 to the list of survey responses


class Account:
    """Looks records up, makes new ones, and turns what an action did into events.

    `publish` takes each action; the sender is behind it.
    """

    def __init__(self, settings: Settings, clock: Clock, publish: Callable[[Action], None]) -> None:
        self.settings = settings
        self.clock = clock
        self.ids = Ids()
        self.records = Records()
        self.integration_id = 0
        self.base = f"{settings.public_url}/zendesk/api/v2"
        self._publish = publish

    def ticket(self, ticket_id: int) -> Ticket:
        """The ticket, or 404 when it never was or is deleted."""
        found = self.records.tickets.get(ticket_id)
        if found is None or found.status == "deleted":
            raise not_found()
        return found

    def user(self, user_id: int) -> User:
        found = self.records.users.get(user_id)
        if found is None:
            raise not_found()
        return found

    def organization(self, organization_id: int) -> Organization:
        found = self.records.organizations.get(organization_id)
        if found is None:
            raise not_found()
        return found

    def user_by_email(self, email: str) -> User | None:
        found = self.records.emails.get(email.casefold())
        return None if found is None else self.records.users[found]

    def organization_by_name(self, name: str) -> Organization | None:
        wanted = name.strip().casefold()
        return next((o for o in self.records.organizations.values() if o.name.casefold() == wanted), None)

    def add_user(self, user: User) -> User:
        user.created_at = user.updated_at = self.clock.now_ns()
        self.records.users[user.id] = user
        if user.email:
            self.records.emails[user.email.casefold()] = user.id
        return user

    def add_organization(self, organization: Organization) -> Organization:
        organization.created_at = organization.updated_at = self.clock.now_ns()
        self.records.organizations[organization.id] = organization
        return organization

    def announce_ticket(
        self, ticket: Ticket, actor_id: int, audit_id: int, happenings: Sequence[Happening]
    ) -> Action:
        """Publish what an action did to a ticket; all its events share the audit's sequence."""
        detail = events.ticket_detail(ticket, actor_id)
        at = self.clock.now_ns()
        envelope = Envelope(self.settings.account_id, "ticket", ticket.id, detail, audit_id, at)
        return self._announce(envelope, actor_id, happenings, ticket)

    def announce(self, domain: str, record_id: int, detail: Json, happening: Happening) -> Action:
        """Publish an organization's or a user's event; these samples carry no sequence."""
        at = self.clock.now_ns()
        envelope = Envelope(self.settings.account_id, domain, record_id, detail, None, at, "2022-06-20")
        return self._announce(envelope, self.integration_id, [happening], None)

    def _announce(
        self, envelope: Envelope, actor_id: int, happenings: Sequence[Happening], ticket: Ticket | None
    ) -> Action:
        made = tuple(envelope.event(h, position) for position, h in enumerate(happenings, start=1))
        names = tuple(h.name for h in happenings)
        action = Action(envelope.domain, envelope.record_id, actor_id, names, made, ticket, envelope.audit_id)
        self._publish(action)
        return action
