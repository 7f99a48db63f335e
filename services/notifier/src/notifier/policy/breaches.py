"""What the organization decides about breach notices (YAML, section `notifier.breaches`; docs/rules.md N1, N2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, model_validator

from notifier.policy.breach_settings import Acknowledging, HoursOverride, SecondRoad, Summary
from notifier.policy.conditions import Name, NameRule, TagRule, Verdict
from supportops.config.durations import Duration, format_duration, parse_duration
from supportops.config.quiet_hours import QuietHours
from supportops.config.rules_file import Rules

SHORTEST = timedelta(seconds=1)
BREACHED = "breached"
STEP_WORDS = 'a time before the breach ("2h"), "breached", or "every 1h" (again while it is breached)'


@dataclass(frozen=True)
class LeadStep:
    """One of the moments at which a target is told of. `length` is zero at the breach itself."""

    kind: Literal["before", "breached", "every"]
    length: timedelta = timedelta()

    @property
    def name(self) -> str:
        """As it stands in the rules, and in the keys of notices: it never changes."""
        words = {"before": format_duration(self.length), "breached": BREACHED}
        return words.get(self.kind) or f"every {format_duration(self.length)}"


def parse_step(value: object) -> LeadStep:
    """`2h`, `breached` or `every 1h`; ValueError names what is allowed."""
    if isinstance(value, LeadStep):
        return value
    text = " ".join(value.split()).lower() if isinstance(value, str) else ""
    if text == BREACHED:
        return LeadStep("breached")
    repeated = text.startswith("every ")
    try:
        length = parse_duration(text.removeprefix("every "))
    except ValueError:
        raise ValueError(f"must be {STEP_WORDS}") from None
    if length < (timedelta(minutes=1) if repeated else SHORTEST):
        raise ValueError("must be a minute or more" if repeated else "must be a second or more")
    return LeadStep("every" if repeated else "before", length)


Step = Annotated[LeadStep, BeforeValidator(parse_step), PlainSerializer(lambda step: step.name)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
TicketTag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,80}$")]
Mention = Annotated[str, StringConstraints(pattern=r"^(here|channel|[UWS][A-Z0-9]{2,20})$")]
_WORD = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True)
class TicketFacts:
    """What a rule looks at. None is unknown (an event did not tell), which is no reason to say no.

    `form`: the form's name, `NO_FORM` for a ticket without one. `status` and `priority` are REST words; a ticket whose
    priority was never set has the empty one.
    """

    status: str | None
    tags: frozenset[str] | None
    form: str | None
    priority: str | None


class BreachRule(Rules):
    """Which tickets' targets are told of, where, when and how.

    Conditions: `forms` by name, `tags`, `not_statuses`, `priorities` (empty: all), `metrics` (empty: all).
    `steps`: when; `hours: business` counts the lead in the account's business hours. `title`: the name under which the
    bot posts. `mention`: who is called. `tag`: what the ticket gets for people, until an agent replies publicly.
    `second_roads`: where a notice goes that Slack does not take in time, in this order. `quiet_hours`: what falls due
    in them is decided anew at their end.
    """

    name: Name
    channel: ChannelName
    forms: NameRule = NameRule()
    tags: TagRule = TagRule()
    priorities: tuple[str, ...] = ()
    not_statuses: tuple[str, ...] = ("pending", "solved", "closed")
    metrics: tuple[str, ...] = ()
    steps: tuple[Step, ...] = (LeadStep("before", timedelta(hours=2)),)
    hours: Literal["calendar", "business"] = "calendar"
    title: Name
    colour: Colour = "#FAB617"
    mention: tuple[Mention, ...] = ()
    tag: TicketTag | None = None
    second_roads: tuple[SecondRoad, ...] = ()
    quiet_hours: QuietHours | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [step.name for step in self.steps]
        if not names:
            raise ValueError(f"steps: one at least; each is {STEP_WORDS}")
        if len(set(names)) < len(names):
            raise ValueError("steps: each once")
        if sum(step.kind == "every" for step in self.steps) > 1:
            raise ValueError('steps: "every …" once')
        if wrong := [
            word
            for word in (*self.priorities, *self.metrics, *self.not_statuses)
            if not _WORD.fullmatch(word)
        ]:
            raise ValueError(
                f"{wrong[0]!r} is no word of Zendesk's: those are such as urgent, pending, first_reply_time"
            )
        return self

    def objection(self, ticket: TicketFacts) -> str | None:
        """Why the rule does not concern a ticket; None when it does, or may for all that is known."""
        if ticket.status is not None and ticket.status in self.not_statuses:
            return f"the ticket is {ticket.status}"
        if self.tags.verdict(ticket.tags) is Verdict.NO:
            return "its tags are not those of the rule"
        if self.forms.verdict(ticket.form) is Verdict.NO:
            return f"its form ({ticket.form or 'none'}) is not the rule's"
        if self.priorities and ticket.priority is not None and ticket.priority not in self.priorities:
            return f"its priority is {ticket.priority or 'not set'}"
        return None

    def of_kind(self, kind: Literal["before", "breached", "every"]) -> Iterator[LeadStep]:
        """Its steps of a kind, in the order of the file."""
        return (step for step in self.steps if step.kind == kind)


class BreachPolicy(Rules):
    """When people are told that an SLA target is about to be missed.

    `reading_delay`: how long after an event the targets are read, as Zendesk computes them late. `look_before`: a
    target is read once more so long before a notice is due; `fresh_for`: a reading of that age decides at the due
    moment, an older one is made anew where Zendesk answers within `patience`. `poll_every`, `poll_reads`: how often,
    and how many, watched tickets are read without a hint. `repeat_at_most`: messages of a step "every …".
    `schedule`: the name of the account's schedule (null: its first), or hours of your own. `second_road_after`: how
    late a notice may be before it goes another way. `ticket_updates_per_minute`: the share of Zendesk's limit of ticket
    updates that our tags take. `posts_per_minute`: Slack's limit for the workspace, feeds included; null lifts it.
    `late_after`: what is later counts as late in the ledger.
    """

    rules: tuple[BreachRule, ...] = ()
    reading_delay: Duration = timedelta(seconds=3)
    look_before: Duration = timedelta(seconds=10)
    fresh_for: Duration = timedelta(seconds=30)
    patience: Duration = timedelta(milliseconds=700)
    poll_every: Duration = timedelta(minutes=1)
    poll_reads: int = Field(default=60, ge=1, le=1_000)
    repeat_at_most: int = Field(default=24, ge=1, le=1_000)
    schedule: Name | HoursOverride | None = None
    acknowledge: Acknowledging = Acknowledging()
    second_road_after: Duration = timedelta(minutes=5)
    ticket_updates_per_minute: int | None = Field(default=20, ge=1)
    posts_per_minute: int | None = Field(default=300, ge=1)
    late_after: Duration = timedelta(seconds=1)
    summary: Summary | None = None

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        names = [rule.name for rule in self.rules]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"rules: each name once; twice here: {', '.join(doubled)}")
        return self

    def rule(self, name: str) -> BreachRule | None:
        """The rule of that name; None when the file has it no more."""
        return next((rule for rule in self.rules if rule.name == name), None)

    @property
    def longest_lead(self) -> timedelta:
        """The longest step before a breach; business hours may stretch it."""
        return max(
            (step.length for rule in self.rules for step in rule.of_kind("before")), default=timedelta()
        )
