"""What is known of a ticket, merged field by field whatever the order of arrival."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from sfdc_sync.ticket_records.fit import Value
from supportops.ticket_version import is_newer


@dataclass(frozen=True)
class TicketState:
    """What we know of a ticket: its fields, grouped by the version of the fact that told them. Pure.

    Events arrive late, twice and out of order, and those of a trigger or an export know only some of the fields. So
    every field keeps its own version: whatever the order of arrival, the state ends up the same, a stale event
    changes nothing, and a partial one clears nothing. Most tickets have one group, a full snapshot.
    """

    groups: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> "TicketState":
        """The state stored by `dump`; no text is no knowledge."""
        return cls(orjson.loads(text)) if text else cls()

    def dump(self) -> str:
        """The state as JSON text, the same text for the same state."""
        return orjson.dumps(self.groups, option=orjson.OPT_SORT_KEYS).decode()

    def merged(self, version: str, facts: Mapping[str, Value]) -> "TicketState":
        """The state after an event of `version` told `facts`; newer and equally old knowledge stays."""
        versions = self._versions()
        newer = {name: value for name, value in facts.items() if is_newer(version, versions.get(name))}
        if not newer:
            return self
        kept = {
            known: {name: value for name, value in fields.items() if name not in newer}
            for known, fields in self.groups.items()
        }
        kept[version] = {**kept.get(version, {}), **newer}
        return TicketState({known: fields for known, fields in kept.items() if fields})

    def fields(self) -> dict[str, Value]:
        """Every known field; None is known to be empty, an absent one is unknown."""
        return {name: value for fields in self.groups.values() for name, value in fields.items()}

    @property
    def version(self) -> str:
        """The newest version that told any field; empty when nothing is known."""
        return max(self.groups, default="")

    def _versions(self) -> dict[str, str]:
        return {name: version for version, fields in self.groups.items() for name in fields}
