"""Repeatable chance: which request meets a fault, which webhook is spoilt, whose turn it is in a burst."""

import random


def dice(seed: int = 1) -> random.Random:
    """A seeded generator; the same seed plays the same game."""
    return random.Random(seed)  # noqa: S311 - a test's chance must be repeatable, and guards nothing  # nosec B311
