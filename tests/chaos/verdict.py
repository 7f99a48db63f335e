"""After a bad day: the outside world compared with what a perfect system would have done."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.support.system import System

EXCLUDED = "GitLab"  # the organization that is not asked for ratings (docs/rules.md C7)


@dataclass(frozen=True)
class Verdict:
    """Findings by kind; each names what is wrong with which ticket."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    stale: tuple[str, ...]
    counted: dict[str, int]

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing doubled, nothing stale."""
        return not (self.lost or self.doubled or self.stale)

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {number}" for name, number in self.counted.items())
        found = f"lost {len(self.lost)}, doubled {len(self.doubled)}, stale {len(self.stale)} ({figures})"
        examples = [*self.lost[:5], *self.doubled[:5], *self.stale[:5]]
        return "\n  ".join([found, *examples])


class World:
    """What happened, by ticket."""

    def __init__(self, system: System) -> None:
        self.tickets: list[dict[str, Any]] = system.get("/control/expected")["tickets"]
        entries = system.ledger()
        self.surveys = Counter(
            str(entry["ticket_id"])
            for entry in entries
            if entry["kind"] == "zendesk.comment" and entry["public"]
        )
        self.tags = Counter(
            str(entry["ticket_id"])
            for entry in entries
            if entry["kind"] == "zendesk.tags" and entry["changed"]
        )
        self.created = Counter(
            number
            for entry in entries
            if entry["kind"] == "salesforce.record.created"
            for number in entry["external_ids"].values()
        )
        self.posts = Counter(
            str(entry["payload"]["ticket_id"]) for entry in entries if entry["kind"] == "slack.message"
        )
        self.post_keys = Counter(
            json.dumps(entry["payload"], sort_keys=True)
            for entry in entries
            if entry["kind"] == "slack.message"
        )
        rows = system.get("/control/salesforce/records/Zendesk_Ticket__c")["records"]
        self.records = {str(row["Zendesk_Ticket_ID__c"]): str(row["Status__c"]).casefold() for row in rows}


def judge(system: System, channels: int = 1) -> Verdict:
    """Compare; `channels` is how many feeds show each action."""
    world = World(system)
    lost, doubled, stale = [], [], []
    for ticket in world.tickets:
        number = ticket["ticket_id"]
        asked = int(ticket["status"] == "solved" and ticket["organization_name"] != EXCLUDED)
        for what, wanted, found in (
            ("survey", asked, world.surveys[number]),
            ("survey tag", asked, world.tags[number]),
            ("Salesforce record", 1, world.created[number]),
            ("Slack messages", channels * ticket["feed_actions"], world.posts[number]),
        ):
            if found < wanted:
                lost.append(f"ticket {number}: {what}: {found} of {wanted}")
            if found > wanted:
                doubled.append(f"ticket {number}: {what}: {found} instead of {wanted}")
        recorded = world.records.get(number)
        if recorded is not None and recorded != ticket["status"]:
            stale.append(f"ticket {number}: Salesforce says {recorded}, it is {ticket['status']}")
    doubled += [
        f"Slack key {key} posted {count} times" for key, count in world.post_keys.items() if count > 1
    ]
    counted = {
        "tickets": len(world.tickets),
        "surveys": world.surveys.total(),
        "records": world.created.total(),
        "messages": world.posts.total(),
    }
    return Verdict(tuple(lost), tuple(doubled), tuple(stale), counted)
