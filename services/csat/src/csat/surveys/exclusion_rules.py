"""Who is asked: an ordered list of named rules (docs/rules.md C3-C8). Pure; the first objection is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from csat.policy.csat import CsatPolicy
from csat.surveys.survey_clock import same_solve

SEND = "send"


@dataclass(frozen=True)
class FreshTicket:
    """What the rules look at of a ticket, as Zendesk shows it at the due moment.

    `satisfaction` is the score word ("unoffered", "offered", "good", "bad"), None where the plan has no CSAT.
    `last_solved_at` and `organization` (the name of the ticket's, or of the requester's where the ticket has none)
    are None when unknown or not there. `merged_at`: when this very ticket was merged into another one. `is_public`:
    whether it has a public comment; None: Zendesk did not say. `requester_deleted`: or not listed, or never there.
    """

    status: str
    organization: str | None
    tags: frozenset[str]
    satisfaction: str | None
    last_solved_at: datetime | None
    recipient: str | None = None
    is_follow_up: bool = False
    merged_at: datetime | None = None
    is_public: bool | None = None
    requester_suspended: bool = False
    requester_deleted: bool = False


@dataclass(frozen=True)
class Requester:
    """What our own tables say of the requester: their wish, and when they were asked about another ticket."""

    opted_out_at: datetime | None = None
    asked_at: datetime | None = None


@dataclass(frozen=True)
class DecisionTime:
    """When the decision is made: the survey was `due_at`, and is too late after `deadline`."""

    now: datetime
    due_at: datetime
    deadline: datetime


@dataclass(frozen=True)
class DecisionInput:
    """What the decision about one solve rests on. `ticket` is None when Zendesk does not have it.

    `asked_at`: when this ticket was surveyed. `sampling_value`: the solve's number in the draw, at least 0, below 1.
    """

    solved_at: datetime
    asked_at: datetime | None
    ticket: FreshTicket | None
    requester: Requester = Requester()
    moment: DecisionTime | None = None
    sampling_value: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Whether to ask, by which rule, and the reason as one sentence for people."""

    send: bool
    rule: str
    reason: str


def decide(facts: DecisionInput, policy: CsatPolicy) -> Decision:
    """Go through the rules in order; the first that objects decides."""
    if facts.asked_at is not None:
        return Decision(False, "already_surveyed", f"a survey was sent on {_format_date(facts.asked_at)}")
    if facts.ticket is None:
        return Decision(False, "deleted", "Zendesk does not know the ticket any more")
    for name, objection in RULES:
        if (reason := objection(facts.ticket, facts, policy)) is not None:
            return Decision(False, name, reason)
    return Decision(True, SEND, "no rule objects")


def refused(words: str) -> Decision:
    """Zendesk does not take the survey on this very ticket, for good: that decides the ticket, too."""
    return Decision(False, "refused", f"Zendesk refuses the survey on this ticket: {words}")


def lot_of(solve: str) -> float:
    """A solve's number in the draw, the same whenever and wherever it is drawn."""
    return int.from_bytes(sha256(solve.encode()).digest()[:4]) / 2**32


def _deleted(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    return "the ticket is deleted" if ticket.status == "deleted" else None


def _closed(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    # Below closed is what C4 asks for; archived and scrubbed tickets lie beyond it
    # (docs/vendors/zendesk.md#ticket-events).
    beyond = ticket.status in ("closed", "archived", "scrubbed")
    return f"the ticket is {ticket.status}" if beyond else None


def _reopened(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    return None if ticket.status == "solved" else f"the ticket is not solved any more but {ticket.status}"


def _solved_again(ticket: FreshTicket, facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    last = ticket.last_solved_at
    if last is None or last <= facts.solved_at or same_solve(last, facts.solved_at):
        return None
    return f"the ticket was solved again on {last:%Y-%m-%d %H:%M:%S} UTC; the clock started anew"


def _offered(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    if ticket.satisfaction in (None, "unoffered"):
        return None
    return f"satisfaction in Zendesk is not unoffered but {ticket.satisfaction}"


def _organization(ticket: FreshTicket, _facts: DecisionInput, policy: CsatPolicy) -> str | None:
    name = ticket.organization
    excluded = name is not None and name in policy.excluded_organizations
    return f"members of the organization {name} are not surveyed" if excluded else None


def _tag(ticket: FreshTicket, _facts: DecisionInput, policy: CsatPolicy) -> str | None:
    found = next((tag for tag in policy.excluded_tags if tag in ticket.tags), None)
    return None if found is None else f"the ticket has the tag {found}"


def _merged(ticket: FreshTicket, _facts: DecisionInput, policy: CsatPolicy) -> str | None:
    if ticket.merged_at is not None:
        return f"the ticket was merged into another one on {_format_date(ticket.merged_at)}"
    if (
        policy.merge_tag not in ticket.tags or ticket.is_follow_up
    ):  # a follow-up inherits its parent's tags (C5)
        return None
    return f"the ticket was merged into another one: it has the tag {policy.merge_tag}"


def _recipient(ticket: FreshTicket, _facts: DecisionInput, policy: CsatPolicy) -> str | None:
    address = (ticket.recipient or "").casefold()
    excluded = address in {each.casefold() for each in policy.excluded_recipients}
    return f"tickets received at {ticket.recipient} are not surveyed" if address and excluded else None


def _private(ticket: FreshTicket, _facts: DecisionInput, policy: CsatPolicy) -> str | None:
    """A survey is a public comment: it would show an internal ticket to somebody who is not to see it."""
    if ticket.is_public is not False or policy.survey_private:
        return None
    return "the ticket has no public comment: its requester never saw it"


def _suspended(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    """Zendesk sends no mail to a suspended user: they would be counted as asked and never hear of it."""
    return (
        "the requester is suspended in Zendesk: no mail reaches them" if ticket.requester_suspended else None
    )


def _requester_deleted(ticket: FreshTicket, _facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    """Nobody would hear of it, and would be counted as asked; nor is anything known of their wishes."""
    if not ticket.requester_deleted:
        return None
    return "the requester is deleted in Zendesk, or not listed there: nobody would be asked"


def _opted_out(_ticket: FreshTicket, facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    since = facts.requester.opted_out_at
    return None if since is None else f"the requester wants no surveys since {_format_date(since)}"


def _asked_recently(_ticket: FreshTicket, facts: DecisionInput, policy: CsatPolicy) -> str | None:
    asked_at, moment = facts.requester.asked_at, facts.moment
    if policy.once_per is None or asked_at is None or moment is None:
        return None
    if asked_at <= moment.now - policy.once_per:
        return None
    return f"the requester was asked about another ticket on {_format_date(asked_at)}"


def _sampled_out(_ticket: FreshTicket, facts: DecisionInput, policy: CsatPolicy) -> str | None:
    if facts.sampling_value < policy.sampling_share:
        return None
    return f"not drawn: {policy.sampling_share:.0%} of the solved tickets are surveyed"


def _too_late(_ticket: FreshTicket, facts: DecisionInput, _policy: CsatPolicy) -> str | None:
    moment = facts.moment
    if moment is None or moment.now <= moment.deadline:
        return None
    return (
        f"it was due on {_format_date(moment.due_at)}; after {_format_date(moment.deadline)} it is too late"
    )


def _format_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


Objection = Callable[[FreshTicket, DecisionInput, CsatPolicy], str | None]

RULES: tuple[tuple[str, Objection], ...] = (
    ("deleted", _deleted),
    ("closed", _closed),
    ("reopened", _reopened),
    ("solved_again", _solved_again),
    ("satisfaction_offered", _offered),
    ("excluded_organization", _organization),
    ("excluded_tag", _tag),
    ("merged", _merged),
    ("excluded_recipient", _recipient),
    ("private", _private),
    ("requester_deleted", _requester_deleted),
    ("requester_suspended", _suspended),
    ("opted_out", _opted_out),
    ("asked_recently", _asked_recently),
    ("sampled_out", _sampled_out),
    ("too_late", _too_late),
)
"""After `already_surveyed`, in this order: what is gone, what moved on, who is not asked, what comes too late."""
