"""How many examples a property is tried with: a quarter in the gate, all of them with EXAMPLES=long (`make chaos`)."""

import os

from hypothesis import settings

DIVISOR = 1 if os.environ.get("EXAMPLES") == "long" else 4


def examples(number: int) -> int:
    """`number` in the long form, a quarter of it in the gate, at least 5."""
    return max(5, number // DIVISOR)


def load_profile() -> None:
    """For properties that name no number. Without deadlines: slow is not wrong."""
    settings.register_profile("ours", max_examples=examples(100), deadline=None)
    settings.load_profile("ours")
