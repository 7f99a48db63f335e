"""What one anonymous client may take from an HTTP server of ours, and who gives way when it is full (decision 108)."""

import resource
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder

KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bytes and seconds. The defaults are for a server that strangers reach."""

    connections: int = 512
    head_bytes: int = 16 * KIB
    body_bytes: int = 1024 * KIB
    held_bytes: int = 16 * 1024 * KIB  # of all bodies whose requests are not answered yet
    head_time: float = 10.0  # from the first byte, or from connecting, to the end of the head
    body_time: float = 10.0  # from the end of the head; Zendesk waits 12 s for the whole answer
    write_time: float = 30.0  # for a client to take what we have written
    keep_alive: float = 75.0  # between requests; above the 60 s of common proxies, so that they close first
    drain: float = 10.0  # for open requests after the stop; below the process's grace time


class Refusal(NamedTuple):
    """How a request is turned away. `cause` names it in the log and the metric."""

    status: int
    cause: str
    text: str


MALFORMED: Final = Refusal(400, "malformed", "this is not HTTP/1.1 as we read it")
SLOW: Final = Refusal(408, "slow", "the request did not arrive in time")
BODY_TOO_LARGE: Final = Refusal(413, "body_too_large", "the body is too large")
HEAD_TOO_LARGE: Final = Refusal(431, "head_too_large", "the head is too large")
CROWDED: Final = Refusal(503, "crowded", "too many connections, try again")
TOO_MUCH_HELD: Final = Refusal(503, "too_much_held", "too many bodies at once, try again")

# In which order connections give way: those that were refused and linger; those that have not sent a request yet;
# those kept alive between requests; those whose body is on its way. A request in hand is never cut off.
Stage = Literal["leaving", "new", "idle", "receiving", "busy"]
GIVE_WAY: Final[tuple[Stage, ...]] = ("leaving", "new", "idle", "receiving")


class Connection(Protocol):
    """What the guard asks of a connection."""

    def give_way(self, stage: Stage) -> None:
        """Make room for another connection."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Answer and close."""
        ...


@dataclass(slots=True)
class ConnectionGuard:
    """What the connections of one server share: how many there are, who may give way, the body bytes they hold."""

    server: str
    limits: HttpLimits
    metrics: Recorder
    room: int = 0
    open: int = 0
    held: int = 0
    _stages: dict[Stage, dict[Connection, None]] = field(
        default_factory=lambda: {stage: {} for stage in GIVE_WAY}
    )
    _warnings: LimitedWarnings = field(
        default_factory=lambda: LimitedWarnings(get_logger("supportops.runtime.http_server"))
    )

    def __post_init__(self) -> None:
        self.room = min(self.limits.connections, file_descriptors() // 2)

    def admit(self) -> bool:
        """Count one more connection. When the house is full the oldest that may give way does; False: none may."""
        if self.open >= self.room and not self._make_room():
            return False
        self.open += 1
        return True

    def _make_room(self) -> bool:
        for stage in GIVE_WAY:
            for oldest in self._stages[stage]:
                self.tell("gave_way")
                oldest.give_way(stage)
                return True
        return False

    def move(self, connection: Connection, before: Stage, after: Stage) -> None:
        """A connection has come to another stage; in each the oldest stands first."""
        if before != "busy":
            self._stages[before].pop(connection, None)
        if after != "busy":
            self._stages[after][connection] = None

    def leave(self, connection: Connection, stage: Stage) -> None:
        """A connection that was admitted is gone."""
        self.move(connection, stage, "busy")
        self.open -= 1

    def hold(self, size: int) -> None:
        """More bytes of bodies are held; past the limit the oldest bodies still on their way are refused.

        A sender of ours needs milliseconds for its body, so the oldest is the one that takes its time.
        """
        self.held += size
        if self.held > self.limits.held_bytes:
            for oldest in tuple(self._stages["receiving"]):
                if self.held > self.limits.held_bytes:
                    oldest.refuse(TOO_MUCH_HELD)

    def tell(self, cause: str, **facts: object) -> None:
        """Count a refusal, and warn of it once in a while."""
        self.metrics.count("http_refused", server=self.server, cause=cause)
        self._warnings.warning("http.refused", cause, server=self.server, open=self.open, **facts)


def file_descriptors() -> int:
    """How many files and sockets this process may have open (soft limit)."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 65_536 if soft == resource.RLIM_INFINITY else soft
