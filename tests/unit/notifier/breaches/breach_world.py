"""A ticket with one target in a world where hints are lost, Slack is away and clocks jump, and what the service does.

The service's half uses the very functions that decide in production; its memory is what a database would hold. The
other half is a model that knows the truth and states, after every step, who must have been told and who must not.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from notifier.breaches.arming import Known, NoticeState, Plan, Situation, decide, plan
from notifier.breaches.targets import Reading, Target
from notifier.policy.breaches import BREACHED, BreachRule

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
POLL, DELAY = timedelta(minutes=1), timedelta(seconds=3)
GRACE = POLL + 2 * DELAY  # what a lost hint may cost
RULE = BreachRule.model_validate(
    {
        "name": "premium",
        "channel": "C1",
        "title": "T",
        "tags": {"any": ["premium"]},
        "steps": ["2h", "30m", "breached"],
    }
)
LEADS = {"2h": timedelta(hours=2), "30m": timedelta(minutes=30), BREACHED: timedelta()}


@dataclass
class Truth:
    """The ticket as Zendesk has it."""

    stage: str = "active"
    breach_at: datetime | None = None
    status: str = "open"
    tags: tuple[str, ...] = ("premium",)
    gone: str | None = None

    def reading(self, now: datetime) -> Reading:
        targets = () if self.breach_at is None else (Target("m", self.stage, self.breach_at),)
        return Reading("7", now, self.status, self.tags, targets=targets, gone=self.gone)

    @property
    def runs(self) -> bool:
        """Whether somebody is to be told of the target."""
        concerned = self.gone is None and self.status == "open" and "premium" in self.tags
        return concerned and self.stage == "active" and self.breach_at is not None


@dataclass(frozen=True)
class Post:
    at: datetime
    breach_at: datetime
    step: str


@dataclass
class World:
    now: datetime = START
    truth: Truth = field(default_factory=Truth)
    slack_up: bool = True
    taken_until: datetime = START
    reading: Reading | None = None
    records: dict[str, tuple[Known, datetime]] = field(default_factory=dict)
    hints: list[datetime] = field(default_factory=list)
    polled_at: datetime = START
    posts: list[Post] = field(default_factory=list)
    steady_since: datetime = START
    """Since when nothing has changed that would excuse silence."""
    stale: bool = True
    """Whether the next poll may find something new; polls that cannot are not played."""

    # --- what happens ---

    def change(self, hint: timedelta | None, **values: object) -> None:
        """Something about the ticket changes; its hint comes after a while, or never."""
        for name, value in values.items():
            setattr(self.truth, name, value)
        self.steady_since, self.stale = self.now, True
        if hint is not None:
            self.hints.append(self.now + hint)

    def slack(self, up: bool) -> None:
        self.slack_up, self.steady_since = up, self.now

    def take(self, length: timedelta) -> None:
        if self.posts:
            self.taken_until = self.steady_since = self.now + length

    def jump(self, by: timedelta) -> None:
        """The clock moves at once: we were down, or it was set; nobody is told of anything meanwhile."""
        self.now = max(START, self.now + by)
        self.polled_at, self.stale = min(self.polled_at, self.now), True
        self.steady_since = max(self.now, self.taken_until)

    def advance(self, by: timedelta) -> None:
        """Time passes; everything is done at its moment."""
        until = self.now + by
        while self.now < until:
            moments = [*self.hints, *self._due(), until]
            if self.now < self.taken_until:
                moments.append(self.taken_until)
            if self.stale:
                moments.append(self.polled_at + POLL)
            self.now = max(self.now, min(moments))
            self._work()
            self.now = min(until, self.now + timedelta(seconds=1))
        self.check()

    # --- what the service does ---

    def _due(self) -> list[datetime]:
        waiting = [known.due_at for known, _ in self.records.values() if known.state is NoticeState.PLANNED]
        return [each for each in waiting if each > self.now]

    def _work(self) -> None:
        heard = [each for each in self.hints if each <= self.now]
        if heard or self.now - self.polled_at >= POLL:
            self.hints = [each for each in self.hints if each > self.now]
            self.polled_at, self.stale = self.now, False
            self._read()
        for key, (known, breach_at) in list(self.records.items()):
            if known.state is NoticeState.PLANNED and known.due_at <= self.now and self.slack_up:
                self._deliver(key, known, breach_at)

    def _situation(self) -> Situation:
        reading = self.truth.reading(self.now)
        rule = RULE if RULE.objection(reading.facts) is None else None
        taken = {known.target for known, _ in self.records.values()} if self.taken_until > self.now else set()
        known = {key: each for key, (each, _) in self.records.items()}
        return Situation(reading, rule, "no rule", known, frozenset(taken))

    def _read(self) -> None:
        asked: Plan = plan(self._situation(), self.now)
        for key, notice in asked.wanted.items():
            known = Known(NoticeState.PLANNED, notice.due_at, notice.target, notice.step)
            self.records[key] = (known, notice.breach_at)
        for key, (new, refusal) in asked.refused.items():
            self._refuse(key, refusal.state, new.breach_at if new else self.records[key][1])

    def _deliver(self, key: str, known: Known, breach_at: datetime) -> None:
        self.stale = True
        refusal = decide(key, self._situation(), self.now)
        if refusal is not None:
            self._refuse(key, refusal.state, breach_at)
            return
        self.records[key] = (Known(NoticeState.POSTED, known.due_at, known.target, known.step), breach_at)
        self.posts.append(Post(self.now, breach_at, known.step))
        self.check_post(self.posts[-1])

    def _refuse(self, key: str, state: NoticeState, breach_at: datetime) -> None:
        target, step = key.rsplit(":", 1)
        self.records[key] = (Known(state, breach_at - LEADS[step], target, step), breach_at)

    # --- the model ---

    def check_post(self, post: Post) -> None:
        """Nobody who must not be is told, nobody too early, nobody twice."""
        assert self.truth.runs, post
        assert post.breach_at == self.truth.breach_at
        assert self.taken_until <= self.now
        assert self.now >= post.breach_at - LEADS[post.step]
        others = [each for each in self.posts[:-1] if each.breach_at == post.breach_at]
        assert post.step not in {each.step for each in others}
        assert all(LEADS[each.step] > LEADS[post.step] for each in others), "a step after a later one"
        assert post.step == BREACHED or self.now < post.breach_at
        due = [step for step, lead in LEADS.items() if post.breach_at - lead <= self.now]
        assert post.step == due[-1], "an older step than the last one that is due"

    def check(self) -> None:
        """Whoever had to be told by now was told: of the last step that was due for long enough, or a later one."""
        if not self.truth.runs or not self.slack_up or self.truth.breach_at is None:
            return
        since = self.now - GRACE
        if since < self.steady_since or since < self.taken_until:
            return
        due = [step for step, lead in LEADS.items() if self.truth.breach_at - lead <= since]
        told = {each.step for each in self.posts if each.breach_at == self.truth.breach_at}
        if due and not told:
            raise AssertionError(f"nobody was told of {due[-1]}, due {since}")
        if due and not any(LEADS[step] <= LEADS[due[-1]] for step in told):
            raise AssertionError(f"told of {told} only, {due[-1]} is due")
