"""One thing that is compared at the end of the day."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that had to be so."""

    what: str
    wanted: object
    found: object

    @property
    def right(self) -> bool:
        """Whether it is so."""
        return self.wanted == self.found

    def line(self) -> str:
        """For the person who reads."""
        return f"{'ok  ' if self.right else 'FAIL'} {self.what}" + (
            "" if self.right else f": wanted {self.wanted!r}, found {self.found!r}"
        )
