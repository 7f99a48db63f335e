"""Prints line by line what happened where, from the sandbox's ledger."""

import re
import time
from collections.abc import Callable

from sandbox.demo.world import Json, World, survey_link, wait_until

Say = Callable[[str], None]
WIDTH = 120
BREACH = "sla_breach_alert"
"""The kind of a breach notice, in its metadata."""
HARM = tuple(f"gitlab.{effect}" for effect in ("quick_action", "reference", "image", "html", "tasks"))
"""What no comment of a customer may set off."""
SLACK_LINK = re.compile(r"<(?:https?://|!date)[^|>]*\|([^>]*)>")
"""A link or a moment, as people see it."""


class ActivityLog:
    """Prints actions as they are taken and effects as the outside world sees them."""

    def __init__(self, world: World, say: Say, patience: float) -> None:
        self._world = world
        self._say = say
        self._patience = patience
        self._begin = time.monotonic()
        self._seen = world.last_seq()
        self.entries: list[Json] = []

    def action(self, text: str) -> None:
        """A line about what a person does."""
        self.catch_up()
        self._say(f"{self._now()}  {text}")

    def catch_up(self) -> None:
        """Print what is new in the ledger."""
        for entry in self._world.ledger(after=self._seen):
            self._seen = int(entry["seq"])
            self.entries.append(entry)
            if line := describe(entry):
                self._say(f"{self._now()}      {line}"[:WIDTH])

    def wait_for(self, about: str, found: Callable[[Json], bool], times: int = 1) -> Json:
        """Go on printing until `times` entries match; returns the last of them."""

        def probe() -> list[Json]:
            self.catch_up()
            matching = [entry for entry in self.entries if found(entry)]
            return matching if len(matching) >= times else []

        return wait_until(probe, about, self._patience)[-1]

    def wait_for_quiet(self, seconds: float) -> None:
        """Go on printing until nothing new has come for a while and nothing is under way."""
        last, quiet_since = self._seen, time.monotonic()

        def probe() -> bool:
            nonlocal last, quiet_since
            self.catch_up()
            if last != self._seen or not self._world.summary()["idle"]:
                last, quiet_since = self._seen, time.monotonic()
            return time.monotonic() - quiet_since >= seconds

        wait_until(probe, "a quiet moment", self._patience)

    def wait_for_numbers(self, answered: int) -> Json:
        """csat's numbers once so many answers are counted: they are a second or two behind the votes."""

        def probe() -> Json | None:
            numbers = self._world.kpi()
            return numbers if numbers["good"] + numbers["bad"] >= answered else None

        return wait_until(probe, f"{answered} answers in the numbers", self._patience) or {}

    def _now(self) -> str:
        return f"{time.monotonic() - self._begin:6.1f} s"


def describe(entry: Json) -> str:
    """One line about an effect; empty for what needs none."""
    kind = str(entry["kind"])
    if kind == "zendesk.comment":
        what = "survey link sent as a public comment" if survey_link(entry) else _quoted(entry["body"])
        return f"-> Zendesk     ticket {entry['ticket_id']}: {what}"
    if kind == "zendesk.tags" and entry.get("changed"):
        return f"-> Zendesk     ticket {entry['ticket_id']}: tagged {', '.join(map(str, entry['tags']))}"
    if kind == "zendesk.organization.updated":
        return (
            f"-> Zendesk     organization {entry['organization_id']} {_organization_words(entry['fields'])}"
        )
    if kind.startswith("salesforce.record."):
        return _describe_record(entry)
    if kind.startswith("slack."):
        return _describe_slack(entry)
    if kind == "gitlab.issue":
        return f"-> GitLab      issue #{entry['iid']}: {_quoted(', '.join(entry['labels']))}"
    if kind == "gitlab.mention":
        return f"-> GitLab      notifies @{entry['name']}"
    if kind in HARM:
        return f"!! GitLab      a comment set off {_quoted(entry)}"
    if kind == "zendesk.webhook" and entry.get("status") != "success":
        return f"!! webhook     {entry.get('status')}"
    return ""


def _organization_words(fields: Json) -> str:
    if "shared_tickets" in fields:
        return "shares its tickets" if fields["shared_tickets"] else "does not share its tickets"
    plan = fields.get("organization_fields", {}).get("support_level")
    return f"has the fields of its account, its plan is {plan}"


def breach_state(entry: Json) -> str:
    """How a breach notice says that its target stands; empty for other messages."""
    blocks = [block for each in entry.get("attachments") or () for block in each.get("blocks") or ()]
    words = [
        element["text"] for block in blocks if block["type"] == "context" for element in block["elements"]
    ]
    return words[0] if words and entry.get("event_type") == BREACH else ""


def _describe_slack(entry: Json) -> str:
    kind = entry["kind"]
    if kind in ("slack.message", "slack.update"):
        said = f"{state}: {entry['text']}" if (state := breach_state(entry)) else entry["text"]
        verb = "" if kind == "slack.message" else "(changed) "
        return f"-> Slack       #{entry['channel_name']}: {verb}{_quoted(said)}"
    if kind in ("slack.ephemeral", "slack.response"):
        return f"-> Slack       to one person: {_quoted(entry['text'])}"
    return "" if entry.get("status") == 200 else f"!! Slack       was answered {entry.get('status')}"


def _describe_record(entry: Json) -> str:
    key = ", ".join(str(value) for value in entry["external_ids"].values())
    status = entry["fields"].get("Status__c", "status unchanged")
    return f"-> Salesforce  record of ticket {key} {str(entry['kind']).rpartition('.')[2]}: {status}"


def _quoted(text: object) -> str:
    line = " ".join(SLACK_LINK.sub(r"\1", str(text)).split())
    return line if len(line) <= 70 else line[:69] + "…"
