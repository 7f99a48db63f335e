"""Names of Salesforce's objects and fields."""

from typing import Annotated

from pydantic import StringConstraints

# Names cannot be parameters of a URL or of SOQL, so they pass this list or nothing (docs/vendors/salesforce.md#names).
ApiName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(__r|__c)?$", max_length=80)]
FieldPath = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,4}$", max_length=200)
]
"""A field, or one of a parent: `Owner.Name`. A relationship of one's own ends in `__r`."""
