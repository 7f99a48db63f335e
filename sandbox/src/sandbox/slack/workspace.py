"""Channels, messages and people of the pretended workspace."""

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import NANOS, Clock

APP_ID = "A0SUPPORTOPS"
BOT_USER = "U0SUPPORTBOT"
BOT_ID = "B0SUPPORTBOT"
TEAM_ID = "T0SANDBOX"
SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.customize",
    "commands",
    "groups:history",
    "groups:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
SEED_CHANNELS = {
    "C0SELFMANAGED": "zd-self-managed-feed",
    "C0GITLABCOM": "zd-gitlab-com-feed",
    "C0PREMIUM": "zd-premium-feed",
    "C0SUCCESS": "zd-customer-success-feed",
    "C0BREACHSM": "breach-self-managed",
    "C0BREACHCOM": "breach-gitlab-com",
    "C0CSAT": "csat-feedback",
    "C0SUPPORTOPS": "support-ops",
}
_AUTOMATIC = re.compile(r"C0[A-Z0-9]+")


@dataclass(slots=True)
class Channel:
    id: str
    name: str
    member: bool = True
    archived: bool = False
    private: bool = False
    ext_shared: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)
    by_ts: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def delete(self, ts: str) -> bool:
        """A person deletes a message; False when it is not there."""
        message = self.by_ts.pop(ts, None)
        if message is None:
            return False
        self.messages.remove(message)
        self.deleted.add(ts)
        return True


@dataclass(slots=True)
class Person:
    id: str
    name: str
    email: str
    deleted: bool = False
    is_bot: bool = False
    team: str = TEAM_ID
    guest: bool = False
    groups: list[str] = field(default_factory=list)


class Pace:
    """Messages per second and channel, with a tolerated burst: a token bucket per channel.

    See docs/vendors/slack.md#limits.
    """

    def __init__(self, clock: Clock, per_second: float | None = 1.0, burst: int = 3) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, int]] = {}  # channel: (tokens, when in ns)

    def take(self, channel: str) -> int | None:
        """None when the message may pass, else the `Retry-After` in whole seconds."""
        if self.per_second is None:
            return None
        now = self._clock.now_ns()
        tokens, since = self._buckets.get(channel, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - since) / NANOS * self.per_second)
        if tokens < 1:
            self._buckets[channel] = (tokens, now)
            return max(1, round((1 - tokens) / self.per_second))
        self._buckets[channel] = (tokens - 1, now)
        return None

    def clear(self) -> None:
        self._buckets.clear()


class Workspace:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.pace = Pace(clock)
        self.auto_channels = True
        self.scopes: list[str] = []
        self.channels: dict[str, Channel] = {}
        self.people: dict[str, Person] = {}
        self._last_ts = 0
        self.plant()

    def plant(self) -> None:
        """The seed channels and people; the pace stays as it was set."""
        self.scopes = list(SCOPES)
        self.channels = {key: Channel(key, name) for key, name in SEED_CHANNELS.items()}
        people = (
            Person("U0ADA", "Ada Agent", "ada@support.example"),
            Person("U0TAM", "Tam Manager", "tam@support.example"),
        )
        self.people = {person.id: person for person in people}
        self.pace.clear()

    def channel(self, wanted: str) -> Channel | None:
        """By id or public name. An unknown id that begins with `C0` comes to life, unless that is switched off."""
        found = self.channels.get(wanted)
        if found is not None:
            return found
        if wanted in self.people:
            return self._direct(self.people[wanted])
        name = wanted.removeprefix("#")
        found = next((c for c in self.channels.values() if c.name == name), None)
        if found is None and self.auto_channels and _AUTOMATIC.fullmatch(wanted):
            found = self.channels[wanted] = Channel(wanted, wanted.lower())
        return found

    def _direct(self, person: Person) -> Channel:
        """The conversation of the bot with one person: posting takes the person's id, everything else the channel's."""
        key = f"D{person.id[1:]}"
        return self.channels.setdefault(key, Channel(key, person.name, private=True))

    def next_ts(self) -> str:
        """`1503435956.000247`: unique, rising, microseconds."""
        self._last_ts = max(self.clock.now_ns() // 1000, self._last_ts + 1)
        seconds, micros = divmod(self._last_ts, 1_000_000)
        return f"{seconds}.{micros:06d}"
