"""Plan and region from an organization's field, a ticket's field or a tag."""

from typing import Any

import pytest
from pydantic import ValidationError

from csat.kpi.attributes import LONGEST, Material, value_of
from csat.policy.kpi import KpiPolicy, Source
from tests.support.for_each import for_each

FIELD = Source(organization_field="support_level")


@for_each(
    "source, material, value",
    [
        (FIELD, Material(organization_fields={"support_level": "ultimate"}), "ultimate"),
        (FIELD, Material(organization_fields={"support_level": None}), ""),
        (FIELD, Material(), ""),
        (FIELD, Material(organization_fields={"support_level": True}), "yes"),
        (FIELD, Material(organization_fields={"support_level": 3}), "3"),
        (FIELD, Material(organization_fields={"support_level": ["a", "b"]}), "a, b"),
        (Source(ticket_field="17"), Material(ticket_fields={"17": " EMEA "}), "EMEA"),
        (Source(ticket_field="17"), Material(ticket_fields={"18": "EMEA"}), ""),
        (Source(tags={"gold": "Gold", "silver": "Silver"}), Material(tags=["silver", "gold"]), "Gold"),
        (Source(tags={"gold": "Gold"}), Material(tags=["vip"]), ""),
        (Source(ticket_field="17", labels={"emea": "EMEA"}), Material(ticket_fields={"17": "emea"}), "EMEA"),
        (Source(), Material(tags=["gold"]), ""),
    ],
)
def test_values(source: Source, material: Material, value: str) -> None:
    assert value_of(source, material) == value


@for_each("letter", ["x", "\u00e4", "\u20ac", "\U0001f600"])
def test_a_value_of_a_megabyte_still_fits_the_keys_of_the_numbers(letter: str) -> None:
    value = value_of(FIELD, Material(organization_fields={"support_level": letter * 2**20}))
    assert LONGEST - 4 < len(value.encode()) <= LONGEST
    assert set(value) == {letter}


@for_each(
    "values",
    [
        {"organization_field": "plan", "tags": {"gold": "Gold"}},
        {"ticket_field": "the plan"},
        {"organization_field": ""},
    ],
)
def test_a_source_is_one_and_can_be_read(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Source.model_validate(values)


def test_the_plan_is_the_handbooks_support_level() -> None:
    assert KpiPolicy().plan == FIELD
