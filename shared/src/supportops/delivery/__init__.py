"""Calls to other people's servers: rows with a due time, worked off by a courier, recorded once."""

from supportops.delivery.courier import Courier
from supportops.delivery.destination import (
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
    "Rate",
    "TryAgain",
]
