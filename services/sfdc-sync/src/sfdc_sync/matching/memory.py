"""What look-ups found, for a while: a busy hour asks Salesforce once for each organization and each address."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from supportops.clock import Clock

ABSENT = timedelta(minutes=1)
"""How long "there is none" is believed: somebody may be making it just now."""


class Memory[T]:
    """Answers by key, each with its end; the oldest go when there are more than `size`."""

    def __init__(self, clock: Clock, lifetime: timedelta, size: int = 10_000) -> None:
        self._clock, self._lifetime, self._size = clock, lifetime, size
        self._kept: OrderedDict[str, tuple[datetime, T]] = OrderedDict()

    def known(self, keys: Iterable[str]) -> dict[str, T]:
        """What is still believed of these keys."""
        now = self._clock.now()
        found = {key: self._kept[key] for key in keys if key in self._kept}
        return {key: value for key, (until, value) in found.items() if now < until}

    def keep(self, found: Mapping[str, T]) -> None:
        """Remember answers; an empty one for a shorter time."""
        now = self._clock.now()
        for key, value in found.items():
            self._kept[key] = (now + (self._lifetime if value else min(ABSENT, self._lifetime)), value)
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def drop(self, wrong: Callable[[T], bool]) -> None:
        """Forget the answers that are `wrong`."""
        for key in [key for key, (_, value) in self._kept.items() if wrong(value)]:
            del self._kept[key]
