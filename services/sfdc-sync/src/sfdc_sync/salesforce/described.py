"""What describe says of an object, in the shapes that Salesforce documents, whatever came. Pure.

A field is as the integration user sees it; what is of another shape is as if it had not been said
(docs/vendors/salesforce.md#describe).
"""

from collections.abc import Mapping
from typing import Any

from supportops.errors import Retryable


def described(answer: object, object_name: str) -> dict[str, Any]:
    """The answer with its `fields` as objects. Retryable without fields: that is not an object that hides them all."""
    fields = answer.get("fields") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(fields, list):
        raise Retryable(f"Salesforce describes {object_name} without its fields")
    return {**answer, "fields": [_field(each) for each in fields if isinstance(each, dict)]}


def _field(row: Mapping[str, Any]) -> dict[str, Any]:
    length = row.get("length")
    return {
        **row,
        **{name: _text(row.get(name)) for name in ("name", "type", "relationshipName")},
        "length": length if isinstance(length, int) else 0,
        "referenceTo": [each for each in _list(row.get("referenceTo")) if isinstance(each, str)],
        "picklistValues": [each for each in _list(row.get("picklistValues")) if isinstance(each, dict)],
    }


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
