"""The other loops of a process: relay, periodic jobs, janitor."""

from supportops.workers.janitor import Retention, engine_retention, janitor
from supportops.workers.periodic import Periodic
from supportops.workers.relay import Relay

__all__ = ["Periodic", "Relay", "Retention", "engine_retention", "janitor"]
