"""The loops of a process: relay, courier, periodic jobs."""

from supportops.workers.courier import Courier
from supportops.workers.destination import (
    Budget,
    Delivery,
    Destination,
    DestinationSpec,
    Done,
    GiveUp,
    Moot,
    Outcome,
    Rate,
    TryAgain,
)
from supportops.workers.janitor import Retention, engine_retention, janitor
from supportops.workers.periodic import Periodic
from supportops.workers.relay import Relay

__all__ = [
    "Budget",
    "Courier",
    "Delivery",
    "Destination",
    "DestinationSpec",
    "Done",
    "GiveUp",
    "Moot",
    "Outcome",
    "Periodic",
    "Rate",
    "Relay",
    "Retention",
    "TryAgain",
    "engine_retention",
    "janitor",
]
