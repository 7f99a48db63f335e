"""Names of Salesforce's objects and fields."""

from typing import Annotated

from supportops.config.validation_messages import matching

_NAME = "[A-Za-z][A-Za-z0-9_]{0,79}"

# Names cannot be parameters of a URL or of SOQL, so they pass this list or nothing (docs/vendors/salesforce.md#names).
ApiName = Annotated[
    str, matching(_NAME, "the API name of an object or a field, such as Type or Zendesk_Ticket__c")
]
FieldPath = Annotated[
    str,
    matching(
        rf"(?=.{{1,200}}$){_NAME}(\.{_NAME}){{0,4}}",
        "the API name of a field, or of a parent's field, such as Owner.Name",
    ),
]
"""A field, or one of a parent: `Owner.Name`. A relationship of one's own ends in `__r`."""
