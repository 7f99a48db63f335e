"""The act of a deadline: Slack hears of an SLA target to the second, Ada takes it on and asks the bot."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sandbox.demo.activity_log import BREACH, ActivityLog, breach_state
from sandbox.demo.finding import Finding
from sandbox.demo.processes import DemoError
from sandbox.demo.world import Json, World

ROLE = "deadline"
SUBJECT = "Nothing deploys since noon"
NOTE = "Their director may call today, careful."
METRIC = "first_reply_time"
LEAD = timedelta(minutes=2)
"""The step in config/demo.yaml, where organizations have two hours."""
AHEAD = timedelta(seconds=8)  # what the notifier has to learn of the target before its notice is due
WHO = "U0ADA"
OPEN, TAKEN, ANSWERED = "Open", f"Open · taken by <@{WHO}>", "Answered in time"
KNOWN = {
    "breaching": ("#{ticket} ", "first reply time", "somebody has taken it"),
    "ticket": ("#{ticket} ", "breach notice first_reply_time 2m posted in C0BREACHSM"),
    "csat": ("Tickets solved since Monday", "CSAT: ", "target 95%"),
}
"""Words that the bot's answer holds, by the question's first word."""
_UNTIL = re.compile(r" until <!date[^>]*>")


@dataclass
class DeadlineFacts:
    """What was done. `due`: when the notice had to come, `latest` seconds late at most; `asked`: what the bot was
    asked, and the key of its answer.
    """

    ticket: int
    due: datetime
    latest: float
    asked: dict[str, str] = field(default_factory=dict)


class Deadline:
    """Plays it. `notifier`: its HTTP side, as the stand-in for Slack reaches it."""

    def __init__(self, world: World, log: ActivityLog, notifier: str, latest: float) -> None:
        self._world, self._log, self._notifier, self._latest = world, log, notifier, latest

        self.facts: DeadlineFacts | None = None

    def comes(self, ticket: int) -> None:
        """Zendesk gives the ticket a target whose notice is due in some seconds; a note is nobody's business."""
        due = datetime.now(UTC).replace(microsecond=0) + AHEAD
        self.facts = DeadlineFacts(ticket, due, self._latest)
        until = f"{self.facts.due + LEAD:%H:%M:%S} UTC"
        self._log.action(f"Zendesk wants a reply until {until}; Ben leaves a private note")
        self._set_target("active")
        self._world.act(ticket, "comments", body=NOTE, public=False)

    def is_taken(self) -> None:
        """Ada presses the button of the notice and asks the bot."""
        notice = self._notice()
        self._log.action("Ada takes it on, in Slack")
        self._world.press(self._notifier, str(notice["channel"]), str(notice["ts"]), WHO)
        self._log.wait_for(
            "the notice to say who took it", lambda e: is_edit(e, notice) and shown(e) == TAKEN
        )
        self._log.wait_for("a word to Ada", lambda e: e["kind"] == "slack.ephemeral")
        for question in ("breaching", f"ticket {self._known.ticket}", "csat"):
            self._ask(question)

    def is_met(self) -> None:
        """Ada replies in public, and Zendesk counts the target as reached."""
        notice = self._notice()
        self._log.action("Ada replies in time")
        self._set_target("achieved")
        self._world.act(self._known.ticket, "comments", body="The runner's disk was full. It deploys again.")
        self._log.wait_for("the notice to say so", lambda e: is_edit(e, notice) and shown(e) == ANSWERED)

    @property
    def _known(self) -> DeadlineFacts:
        if self.facts is None:
            raise DemoError("no deadline has come near yet")
        return self.facts

    def _ask(self, question: str) -> None:
        self._log.action(f"Ada asks the bot: {question}")
        key = self._known.asked[question] = self._world.ask(self._notifier, question, WHO)
        self._log.wait_for(f"the answer to {question!r}", lambda e: is_answer(e, key))

    def _notice(self) -> Json:
        return self._log.wait_for("the breach notice", lambda e: is_notice(e, self._known.ticket))

    def _set_target(self, stage: str) -> None:
        breach_at = f"{self._known.due + LEAD:%Y-%m-%dT%H:%M:%SZ}"
        target = {"metric": METRIC, "stage": stage, "breach_at": breach_at}
        self._world.act(self._known.ticket, "sla", policy_metrics=[target])


def is_notice(entry: Json, ticket: int) -> bool:
    """Whether an entry is a breach notice about the ticket."""
    posted = entry["kind"] == "slack.message" and entry.get("event_type") == BREACH
    return bool(posted) and str(entry["payload"]["ticket_id"]) == str(ticket)


def is_edit(entry: Json, message: Json) -> bool:
    """Whether an entry is a change of that message."""
    place = (entry["kind"], entry.get("channel"), entry.get("ts"))
    return place == ("slack.update", message["channel"], message["ts"])


def is_answer(entry: Json, key: str) -> bool:
    """Whether an entry is an answer of the bot to the command of that key."""
    return bool(entry["kind"] == "slack.response" and entry["key"] == key)


def shown(entry: Json) -> str:
    """How a notice says that its target stands, without moments."""
    return _UNTIL.sub("", breach_state(entry))


def findings(facts: DeadlineFacts | None, entries: Sequence[Json]) -> Iterator[Finding]:
    """Told once, to the second, taken on by who pressed, answered; and the bot knows. Nothing of it without `facts`."""
    asked = {} if facts is None else facts.asked
    acknowledged = [entry["status"] for entry in entries if entry["kind"] == "slack.ack"]
    yield Finding("Slack's requests, all answered", [200] * (len(asked) + (facts is not None)), acknowledged)
    answers = [entry for entry in entries if entry["kind"] == "slack.response"]
    yield Finding("answers of the bot", len(asked), len(answers))
    alone = [str(entry["text"]).split(" until")[0] for entry in entries if entry["kind"] == "slack.ephemeral"]
    yield Finding("said to one person alone", ["It is yours"] if facts else [], alone)
    alerts = [entry for entry in entries if entry.get("event_type") == BREACH]
    posted = [entry for entry in alerts if entry["kind"] == "slack.message"]
    yield Finding("breach notices", 0 if facts is None else 1, len(posted))
    if facts is None:
        return
    for notice in posted:
        late = (datetime.fromisoformat(notice["at"]) - facts.due).total_seconds()
        yield Finding(
            f"the notice at its moment, {facts.latest:g} s late at most",
            True,
            0 <= late <= facts.latest or f"{late:.3f} s",
        )
    yield Finding(
        "what the notice showed, in order", [OPEN, TAKEN, ANSWERED], [shown(entry) for entry in alerts]
    )
    for question, key in facts.asked.items():
        wanted = [words.format(ticket=facts.ticket) for words in KNOWN[question.partition(" ")[0]]]
        said = [str(entry["text"]) for entry in answers if entry["key"] == key]
        found = [[words for words in wanted if words in text] for text in said]
        yield Finding(f"the bot's answer to {question.partition(' ')[0]!r} names", [wanted], found)
