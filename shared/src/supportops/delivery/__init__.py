"""Calls to other people's servers: rows with a due time, worked off by a courier, recorded once."""

from supportops.delivery.courier import Courier
from supportops.delivery.destination import (
    Budget,
    Cancel,
    Delivery,
    Destination,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Rate,
    Snooze,
    TryAgain,
    Unknown,
)

__all__ = [
    "Budget",
    "Cancel",
    "Courier",
    "Delivery",
    "Destination",
    "DestinationSpec",
    "Discard",
    "Done",
    "Outcome",
    "Rate",
    "Snooze",
    "TryAgain",
    "Unknown",
]
