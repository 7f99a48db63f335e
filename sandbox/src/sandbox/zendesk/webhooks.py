"""Webhooks, their modes and the record of every invocation (docs/vendors/zendesk.md#webhooks-api)."""

import secrets
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.web import Json

TRIGGER = "conditional_ticket_events"
_SWITCHES = ("bad_instead", "breaker")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(now_ns: int) -> str:
    """26 characters, sortable by time: the form of webhook and invocation ids."""
    value = ((now_ns // 1_000_000) << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


@dataclass(slots=True)
class Modes:
    """How the sender misbehaves. Shares are between 0 and 1; times are seconds.

    `wrong_secret` and `corrupt` (one byte changed after signing) send extra bad copies; with `bad_instead` the bad
    one goes out in place of the good one, which then is lost. `reorder` is the longest random hold-back.
    `throttle` is how many invocations pass per minute (0: all): the others wait up to `throttle_hold`, or are lost.
    """

    duplicate: float = 0.0
    duplicate_after: float = 0.2
    drop: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0
    delay_share: float = 1.0
    wrong_secret: float = 0.0
    corrupt: float = 0.0
    bad_instead: bool = False
    breaker: bool = False
    throttle: float = 0.0
    throttle_hold: float = 480.0
    throttle_lost: float = 0.0

    def change(self, values: Json) -> None:
        """Set the named modes. Raises ValueError on an unknown name."""
        known = {f.name for f in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"unknown mode {name!r}; known: {', '.join(sorted(known))}")
            setattr(self, name, bool(value) if name in _SWITCHES else float(value))


@dataclass(slots=True)
class Webhook:
    id: str
    name: str
    endpoint: str
    secret: str
    subscriptions: list[str]
    http_method: str = "POST"
    status: str = "active"
    headers: dict[str, str] = field(default_factory=dict)
    triggers: list[str] = field(default_factory=list)
    timeout: float = 12.0
    retry_spacing: float = 1.0
    modes: Modes = field(default_factory=Modes)
    created_at: int = 0
    authentication: Json | None = None

    @property
    def is_trigger(self) -> bool:
        return TRIGGER in self.subscriptions

    def wants(self, event_type: str) -> bool:
        """Whether this native subscription covers the type; `*` covers all, `zen:event-type:ticket.*` a domain."""
        if self.status != "active":
            return False
        return any(
            s in ("*", event_type) or (s.endswith("*") and event_type.startswith(s[:-1]))
            for s in self.subscriptions
        )


@dataclass(slots=True)
class Invocation:
    """One "this event to this webhook", with what became of each attempt."""

    id: str
    webhook_id: str
    event_id: str
    type: str
    record_id: int
    body: bytes
    copy: str = ""  # "", "duplicate", "wrong_secret", "corrupt" or "replay"
    age: float = 0.0  # seconds by which the signature's timestamp lies in the past
    status: str = "pending"
    attempts: list[tuple[int, int, str | None]] = field(
        default_factory=list
    )  # (when in ns, status or 0, problem)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "webhook_id": self.webhook_id,
            "event_id": self.event_id,
            "type": self.type,
            "record_id": self.record_id,
            "copy": self.copy,
            "status": self.status,
            "attempts": len(self.attempts),
            "last_status": self.attempts[-1][1] if self.attempts else None,
        }
