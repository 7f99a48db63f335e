"""What every broker and database server of the tests can do, however it runs."""

from typing import Protocol


class Server(Protocol):
    """A server of one's own: `start` after `kill` or `stop` finds what was acknowledged before."""

    @property
    def address(self) -> str:
        """Kafka: host:port. PostgreSQL: a superuser's URL."""
        ...

    def start(self) -> None:
        """Start and return when it takes work."""
        ...

    def kill(self) -> None:
        """SIGKILL, the whole server at once: a crash."""
        ...

    def stop(self) -> None:
        """An orderly end; a server that is down already is fine."""
        ...

    def remove(self) -> None:
        """Kill it and throw its data away."""
        ...


class Unavailable(Exception):
    """This rung of the ladder cannot be used here; the message says what is missing."""
