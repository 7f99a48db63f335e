"""A solve of a ticket, as a delivery about it carries it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from supportops.delivery import Delivery
from supportops.vendors.zendesk import Ticket


@dataclass(frozen=True)
class Solve:
    """`due_at`: when the delivery is due. `cause`: the event that told us. `known`: what that event said of the ticket,
    ids (None: known to be empty) and tags; what it did not say is not in it.
    """

    ticket_id: str
    solved_at: datetime
    due_at: datetime
    cause: str | None = None
    known: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, delivery: Delivery) -> "Solve":
        payload = delivery.payload
        solved_at = datetime.fromisoformat(payload["solved_at"])
        known = payload.get("known") or {}
        return cls(payload["ticket_id"], solved_at, delivery.due_at, payload.get("cause"), known)

    def value(self, name: str, ticket: Ticket | None) -> Any:
        """What the event said, else what the ticket shows."""
        if name in self.known:
            return self.known[name]
        return getattr(ticket, name) if ticket is not None else None
