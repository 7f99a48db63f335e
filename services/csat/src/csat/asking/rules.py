"""Who is asked: an ordered list of named rules (handbook C3, C4, C7). Pure; the first objection is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from csat.asking.lifecycle import same_solve

SEND = "send"


class Policy(Protocol):
    """What the organization decides about the rules."""

    @property
    def excluded_organizations(self) -> tuple[str, ...]:
        """Names of organizations whose members are not asked; the match is exact."""
        ...

    @property
    def excluded_tags(self) -> tuple[str, ...]:
        """Tags that exclude a ticket."""
        ...


@dataclass(frozen=True)
class FreshTicket:
    """What the rules look at of a ticket, as Zendesk shows it at the due moment.

    `satisfaction` is the score word ("unoffered", "offered", "good", "bad"), None where the plan has no CSAT.
    `last_solved_at` and `organization` (its name) are None when unknown or not there.
    """

    status: str
    organization: str | None
    tags: frozenset[str]
    satisfaction: str | None
    last_solved_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """What the decision about one solve rests on. `ticket` is None when Zendesk does not have it."""

    solved_at: datetime
    asked_at: datetime | None
    ticket: FreshTicket | None


@dataclass(frozen=True)
class Decision:
    """Whether to ask, by which rule, and the reason as one sentence for people."""

    send: bool
    rule: str
    reason: str


def decide(facts: Facts, policy: Policy) -> Decision:
    """Go through the rules in order; the first that objects decides."""
    if facts.asked_at is not None:
        return Decision(
            False, "already_surveyed", f"a survey was sent on {facts.asked_at:%Y-%m-%d %H:%M} UTC"
        )
    if facts.ticket is None:
        return Decision(False, "deleted", "Zendesk does not know the ticket any more")
    for name, objection in RULES:
        if (reason := objection(facts.ticket, facts.solved_at, policy)) is not None:
            return Decision(False, name, reason)
    return Decision(True, SEND, "no rule objects")


def _deleted(ticket: FreshTicket, _solved_at: datetime, _policy: Policy) -> str | None:
    return "the ticket is deleted" if ticket.status == "deleted" else None


def _closed(ticket: FreshTicket, _solved_at: datetime, _policy: Policy) -> str | None:
    # Below closed is what C4 asks for; archived and scrubbed tickets lie beyond it (zendesk.md 2.3).
    beyond = ticket.status in ("closed", "archived", "scrubbed")
    return f"the ticket is {ticket.status}" if beyond else None


def _reopened(ticket: FreshTicket, _solved_at: datetime, _policy: Policy) -> str | None:
    return None if ticket.status == "solved" else f"the ticket is not solved any more but {ticket.status}"


def _solved_again(ticket: FreshTicket, solved_at: datetime, _policy: Policy) -> str | None:
    last = ticket.last_solved_at
    if last is None or last <= solved_at or same_solve(last, solved_at):
        return None
    return f"the ticket was solved again on {last:%Y-%m-%d %H:%M:%S} UTC; the clock started anew"


def _offered(ticket: FreshTicket, _solved_at: datetime, _policy: Policy) -> str | None:
    if ticket.satisfaction in (None, "unoffered"):
        return None
    return f"satisfaction in Zendesk is not unoffered but {ticket.satisfaction}"


def _organization(ticket: FreshTicket, _solved_at: datetime, policy: Policy) -> str | None:
    name = ticket.organization
    excluded = name is not None and name in policy.excluded_organizations
    return f"members of the organization {name} are not surveyed" if excluded else None


def _tag(ticket: FreshTicket, _solved_at: datetime, policy: Policy) -> str | None:
    found = next((tag for tag in policy.excluded_tags if tag in ticket.tags), None)
    return None if found is None else f"the ticket has the tag {found}"


Rule = Callable[[FreshTicket, datetime, Policy], str | None]

RULES: tuple[tuple[str, Rule], ...] = (
    ("deleted", _deleted),
    ("closed", _closed),
    ("reopened", _reopened),
    ("solved_again", _solved_again),
    ("satisfaction_offered", _offered),
    ("excluded_organization", _organization),
    ("excluded_tag", _tag),
)
"""After `already_surveyed`, in this order: what is gone, what moved on, who is not asked."""
