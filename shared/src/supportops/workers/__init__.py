"""The other loops of a process: relay, periodic jobs, janitor."""

from supportops.workers.janitor import Retention, engine_retention, janitor
from supportops.workers.periodic import Periodic
from supportops.workers.relay import Relay
from supportops.workers.run_lease import Busy, Lost, RunLease

__all__ = ["Busy", "Lost", "Periodic", "Relay", "Retention", "RunLease", "engine_retention", "janitor"]
