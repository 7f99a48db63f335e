"""Who is to be told of an SLA target, when, once, and who must not be: docs/rules.md N1 and N2 in their simplest form.

Written from docs/rules.md and docs/notifier.md, not from the notifier: what should be said follows from how the ticket
stands, the moment, and what has been said; there are no records, no readings and no deliveries.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

BREACHED = "breached"
LEADS = {name: timedelta(minutes=minutes) for name, minutes in (("2h", 120), ("1h", 60), ("30m", 30))}
LEADS[BREACHED] = timedelta()
EXACT = timedelta(seconds=1)
FRESH = timedelta(seconds=30)  # how old a reading may be that decides, where nothing was heard since
POLL = timedelta(seconds=70)  # what a lost hint may cost
SLACK_BACK = timedelta(minutes=5, seconds=30)  # what the longest wait between two attempts may cost


@dataclass(frozen=True)
class Rule:
    """Whom it concerns, when it tells, and where."""

    channel: str
    plan: str
    steps: tuple[str, ...]
    priorities: tuple[str, ...] = ()


RULES = {
    "urgent": Rule("C0URGENT", "premium", ("1h", BREACHED), ("urgent",)),
    "premium": Rule("C0PREMIUM", "premium", ("2h", "30m", BREACHED)),
    "starter": Rule("C0STARTER", "starter", ("2h",)),
}


@dataclass(frozen=True)
class Aim:
    """An SLA target as Zendesk has it."""

    stage: str = "active"
    breach_at: datetime | None = None

    @property
    def runs(self) -> bool:
        return self.stage in ("active", "breached") and self.breach_at is not None


@dataclass(frozen=True)
class Truth:
    """A ticket as Zendesk has it."""

    plan: str = "premium"
    status: str = "open"
    priority: str = "normal"
    organization: str | None = None
    gone: bool = False
    aims: tuple[tuple[str, Aim], ...] = ()

    def rule(self) -> str | None:
        """The first rule that it concerns."""
        if self.gone or self.status in ("pending", "solved", "closed"):
            return None
        fits = (
            name
            for name, rule in RULES.items()
            if rule.plan == self.plan and (not rule.priorities or self.priority in rule.priorities)
        )
        return next(fits, None)

    @property
    def is_over(self) -> bool:
        return self.gone or self.status in ("solved", "closed")

    def running(self) -> Iterator[tuple[str, datetime]]:
        """The metrics whose clock runs, and until when."""
        for metric, aim in self.aims:
            if aim.runs and aim.breach_at is not None:
                yield metric, aim.breach_at

    def with_aim(self, metric: str, aim: Aim | None) -> "Truth":
        """The same with another target of that metric, or without one."""
        others = {name: each for name, each in self.aims if name != metric}
        return replace(self, aims=tuple((others | ({metric: aim} if aim else {})).items()))


@dataclass(frozen=True)
class Said:
    """People were told of a step of a target."""

    at: datetime
    ticket_id: str
    metric: str
    breach_at: datetime
    step: str
    road: str  # a channel, or "webhook"

    @property
    def target(self) -> tuple[str, str, datetime]:
        return self.ticket_id, self.metric, self.breach_at


@dataclass
class Case:
    """What has been so of one ticket, and since when the notifier can know how it stands now."""

    truths: list[tuple[datetime, Truth]]
    heard_at: datetime | None = None  # when the notifier last heard that something changed
    read_at: datetime | None = None  # when it last read the ticket

    @property
    def truth(self) -> Truth:
        return self.truths[-1][1]

    @property
    def since(self) -> datetime:
        return self.truths[-1][0]

    def possible(self, now: datetime) -> list[Truth]:
        """As what the notifier may take the ticket: how it stands, or stood some seconds ago if nothing was heard."""
        ends = [at for at, _ in self.truths[1:]] + [None]
        seen = [(end, truth) for end, (_, truth) in zip(ends, self.truths, strict=True)]
        blind = [t for end, t in seen if end is not None and end >= now - FRESH and not self._knows(end)]
        return [*blind, self.truth]

    def _knows(self, change: datetime) -> bool:
        return any(at is not None and at >= change for at in (self.heard_at, self.read_at))


@dataclass
class Model:
    """All tickets, what was said, and what excuses silence."""

    now: datetime
    cases: dict[str, Case] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    doubtful: set[tuple[str, str, datetime, str]] = field(default_factory=set)  # told, and we may not know
    taken: dict[tuple[str, str, datetime], datetime] = field(default_factory=dict)
    silent_until: dict[tuple[str, str], datetime] = field(default_factory=dict)  # by what it is about
    slack_up: bool = True
    slack_since: datetime | None = None
    disturbed: datetime | None = (
        None  # the last kill, restart or jump of the clock: until when it may cost time
    )

    wrong: list[str] = field(default_factory=list)

    # --- safety: judged at each message ---

    def hear_of(self, said: Said) -> None:
        """Somebody was told. What is wrong with that is kept: whoever posts takes an error for Slack's."""
        try:
            self._judge(said)
        except AssertionError as error:
            self.wrong.append(str(error))

    def _judge(self, said: Said) -> None:
        """He must be told, of that, there, now, and for the first time."""
        case = self.cases[said.ticket_id]
        step = (said.target, said.step)
        before = [each for each in self.said if (each.target, each.step) == step]
        doubt = (*said.target, said.step) in self.doubtful
        assert not before or (doubt and "webhook" in (said.road, before[0].road)), f"told twice: {said}"
        possible = case.possible(said.at)
        assert any(self.wants(truth, said) for truth in possible), f"nobody wanted {said}: {possible}"
        assert self.taken.get(said.target, said.at) <= said.at, f"somebody has taken it: {said}"
        assert not self.silenced(said, case.truth), f"it is silenced: {said}"
        self.said.append(said)

    def wants(self, truth: Truth, said: Said) -> bool:
        """Whether a ticket that stands so asks for that message."""
        rule = truth.rule()
        if rule is None or (said.metric, said.breach_at) not in truth.running():
            return False
        right_place = said.road in (RULES[rule].channel, "webhook" if rule == "premium" else "")
        return right_place and self.step_of(rule, said.target, said.at) == said.step

    def step_of(self, rule: str, target: tuple[str, str, datetime], now: datetime) -> str | None:
        """What is to be said of a running target by now: the last step that is due, or that it is breached."""
        breach_at = target[2]
        if breach_at <= now:
            told = any(each.target == target for each in self.said)
            return BREACHED if BREACHED in RULES[rule].steps or not told else None
        due = [step for step in RULES[rule].steps if breach_at - LEADS[step] <= now]
        return due[-1] if due else None

    def silenced(self, said: Said, truth: Truth) -> bool:
        """Whether somebody wants quiet about the ticket, its organization, or the rule."""
        about = {("ticket", said.ticket_id), ("organization", truth.organization), ("rule", truth.rule())}
        return any(until > said.at for what, until in self.silent_until.items() if what in about)

    # --- liveness: judged when time has passed ---

    def nobody_waits(self) -> None:
        """Whoever had to be told by now has been, and nobody else."""
        assert not self.wrong, self.wrong[0]
        if not self.slack_up:
            return
        for ticket_id, case in self.cases.items():
            rule = case.truth.rule()
            for metric, breach_at in case.truth.running() if rule is not None else ():
                target = (ticket_id, metric, breach_at)
                wanted = self.step_of(rule, target, self.now) if rule is not None else None
                if self.silenced(Said(self.now, *target, "", ""), case.truth):
                    continue
                since = max(breach_at - LEADS[wanted], self.free_since(case, target)) if wanted else self.now
                if wanted is None or self.now < since + self.patience(case, since):
                    continue
                told = {each.step for each in self.said if each.target == target}
                late = any(LEADS[step] <= LEADS[wanted] for step in told)  # by another rule, before this one
                assert late, f"nobody was told of {wanted} of {target} since {since}, now {self.now}: {told}"

    def free_since(self, case: Case, target: tuple[str, str, datetime]) -> datetime:
        """Since when nothing has stood in the way."""
        quiet = [until for until in self.silent_until.values() if until <= self.now]
        moments = [case.since, self.slack_since, self.disturbed, self.taken.get(target), *quiet]
        return max(each for each in moments if each is not None)

    def patience(self, case: Case, since: datetime) -> timedelta:
        """To the second where everything was known and open beforehand; else what a look and an attempt may take."""
        known = case.read_at is not None and case.read_at >= case.since
        before = min(self.now, since) - FRESH
        calm = all(each is None or each < before for each in (case.since, self.slack_since, self.disturbed))
        return EXACT if known and calm else POLL + SLACK_BACK

    # --- what people and machines do ---

    def taken_now(self, target: tuple[str, str, datetime], until: datetime | None) -> None:
        """Somebody has a target on hand until then, or (None) nobody any more."""
        self.taken[target] = until or self.now

    def free(self, ticket_id: str) -> None:
        """A public reply: nobody has the ticket's targets on hand any more, as soon as it is heard of."""
        for target in self.taken:
            if target[0] == ticket_id:
                self.taken[target] = min(self.taken[target], self.now)

    def disturbed_now(self, until: datetime) -> None:
        """A kill or a jump of the clock: what it costs is over by then."""
        self.disturbed = until
