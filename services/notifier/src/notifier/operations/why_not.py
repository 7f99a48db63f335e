"""Why a message went where it went, and why not elsewhere: worked out from the facts and the rules of then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import json, to_builtins
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.feeds.decisions import from_facts, judgements
from notifier.policy.conditions import Routable
from notifier.policy.notifier import NotifierPolicy
from notifier.tables import feed_decisions, routing_versions
from supportops.operations.delivery_history import rows_of
from supportops.operations.timeline import Line


@dataclass(frozen=True)
class Decision:
    """A decision with the rules that made it; `rules` is None where those are not kept any more."""

    item: str
    at: datetime
    version: str
    feeds: list[str]
    routable: Routable
    rules: NotifierPolicy | None

    def judged(self) -> Mapping[str, str]:
        """For each feed of then that did not get the message, why not."""
        if self.rules is None:
            return {}
        said = judgements(self.rules, self.routable)
        late = "an earlier feed took it (match: first)"
        return {name: each.why or late for name, each in said.items() if name not in self.feeds}

    def lines(self) -> list[Line]:
        """What was decided, in words."""
        what = f"comment {self.item}: decided by rules {self.version}"
        lines = [Line(self.at, what, f"goes to {', '.join(self.feeds) or 'no feed'}")]
        if self.rules is None:
            return [*lines, Line(self.at, what, "why not elsewhere cannot be told: these rules are not kept")]
        return lines + [Line(self.at, what, f"not {name}: {why}") for name, why in self.judged().items()]

    def document(self) -> dict[str, Any]:
        """The same for JSON."""
        facts = to_builtins(self.routable)
        return {"item": self.item, "at": self.at, "version": self.version, "facts": facts} | {
            "feeds": self.feeds,
            "not": dict(self.judged()),
        }


async def decisions_of(conn: AsyncConnection, ticket_id: str) -> list[Decision]:
    query = select(feed_decisions).where(feed_decisions.c.ticket_id == ticket_id)
    rows = await rows_of(conn, query.order_by(feed_decisions.c.decided_at))
    known = await rows_of(conn, select(routing_versions))
    rules = {row["version"]: NotifierPolicy.model_validate_json(row["rules"]) for row in known}
    return [
        Decision(
            row["item"],
            row["decided_at"],
            row["version"],
            json.decode(row["feeds"], type=list[str]),
            from_facts(row["facts"]),
            rules.get(row["version"]),
        )
        for row in rows
    ]
