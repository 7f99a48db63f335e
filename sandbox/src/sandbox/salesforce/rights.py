"""What a user may see and write: field-level security, sharing, a permission (docs/vendors/salesforce.md#describe)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Rights:
    """`hidden` and `read_only` hold `object.field` in lower case, `hidden_rows` record ids. By default: everything."""

    hidden: set[str] = field(default_factory=set)
    read_only: set[str] = field(default_factory=set)
    hidden_rows: set[str] = field(default_factory=set)
    view_setup: bool = True  # "View Setup and Configuration": limits need it


class Eyes:
    """Through whom the org is looked at just now. Handlers do not wait, so there is one at a time."""

    def __init__(self) -> None:
        self._all = Rights()
        self.rights = self._all

    @contextmanager
    def of(self, rights: Rights) -> Iterator[None]:
        """Look with `rights` for a while; outside of it (seeds, the control API) everything is seen."""
        self.rights = rights
        try:
            yield
        finally:
            self.rights = self._all

    def sees(self, sobject: str, column: str) -> bool:
        return f"{sobject}.{column}".lower() not in self.rights.hidden

    def may_write(self, sobject: str, column: str) -> bool:
        return f"{sobject}.{column}".lower() not in self.rights.read_only

    def sees_row(self, key: str) -> bool:
        return key not in self.rights.hidden_rows
