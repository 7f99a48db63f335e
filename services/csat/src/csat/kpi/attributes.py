"""Plan and region of a ticket, from what the organization's rules name as their source. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from csat.policy.kpi import Source


@dataclass(frozen=True)
class Material:
    """What is known of a ticket and its organization; fields by key or id, as Zendesk gives their values."""

    ticket_fields: Mapping[str, Any] = field(default_factory=dict)
    organization_fields: Mapping[str, Any] = field(default_factory=dict)
    tags: Iterable[str] = ()


LONGEST = 400
"""Bytes of a value: six stand in one key of `cells`, and PostgreSQL takes 2,704 for all of it."""


def value_of(source: Source, material: Material) -> str:
    """The value as it is shown; "" where there is none."""
    raw = _raw(source, material)
    return fitting(source.labels.get(raw, raw))


def fitting(value: str) -> str:
    """As much of a value as the numbers can count by."""
    return value if len(value) <= LONGEST // 4 else value.encode()[:LONGEST].decode(errors="ignore")


def _raw(source: Source, material: Material) -> str:
    if source.organization_field is not None:
        return as_text(material.organization_fields.get(source.organization_field))
    if source.ticket_field is not None:
        return as_text(material.ticket_fields.get(source.ticket_field))
    tags = frozenset(material.tags)
    return next((value for tag, value in source.tags.items() if tag in tags), "")


def as_text(value: object) -> str:
    """A field's value as text: a drop-down's is the tag of its option, a check-box is a boolean.

    See docs/vendors/zendesk.md#organizations.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(as_text(each) for each in value)
    return str(value).strip()
