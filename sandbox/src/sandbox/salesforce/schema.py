"""Objects and fields, and what describe tells of them (docs/vendors/salesforce.md#describe)."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.rights import Eyes
from sandbox.web import Json

DEFAULT_LENGTHS = {"string": 255, "textarea": 32768, "email": 80, "url": 255, "picklist": 255, "phone": 40}


@dataclass(slots=True)
class Field:
    """One column. `length` counts characters; 0 means that the type has none."""

    name: str
    type: str = "string"
    length: int = 0
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    calculated: bool = False
    reference_to: str | None = None
    children: str | None = None  # of a reference: what the parent calls its children, in sub-queries
    cascades: bool = False  # of a reference: a deleted parent takes its children along, else they lose it
    picklist: list[str] = field(default_factory=list)
    restricted: bool = False
    visible: bool = True  # field-level security: an invisible field does not exist for the integration user

    def __post_init__(self) -> None:
        self.length = self.length or DEFAULT_LENGTHS.get(self.type, 0)

    @property
    def relationship(self) -> str | None:
        """`Account__c` is followed as `Account__r`, `AccountId` as `Account`."""
        if self.reference_to is None:
            return None
        return self.name[:-1] + "r" if self.name.endswith("__c") else self.name.removesuffix("Id")

    def describe(self, *, writeable: bool = True) -> Json:
        custom = self.name.endswith("__c")
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "length": self.length,
            "createable": writeable and self.createable and not self.calculated,
            "updateable": writeable and self.updateable and not self.calculated,
            "nillable": self.nillable,
            "defaultedOnCreate": not self.createable,
            "calculated": self.calculated,
            "autoNumber": False,
            "custom": custom,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.name == "Id",
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "permissionable": custom and self.nillable,
            "filterable": self.type != "textarea",
            "restrictedPicklist": self.restricted,
            "referenceTo": [self.reference_to] if self.reference_to else [],
            "relationshipName": self.relationship,
            "picklistValues": [{"value": value, "label": value, "active": True} for value in self.picklist],
        }


@dataclass(slots=True)
class SObject:
    """One object; names of objects and fields are case-insensitive."""

    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)  # by lower-case name
    createable: bool = True
    updateable: bool = True
    queryable: bool = True
    eyes: Eyes = field(default_factory=Eyes)  # the org's, once it is defined there

    def add(self, *columns: Field) -> "SObject":
        self.fields.update({column.name.lower(): column for column in columns})
        return self

    def field(self, name: str) -> Field | None:
        """The field, if the user sees it: hidden ones do not exist for them."""
        found = self.fields.get(name.lower())
        return found if found is not None and self._seen(found) else None

    def seen_fields(self) -> list[Field]:
        return [column for column in self.fields.values() if self._seen(column)]

    def may_write(self, column: Field) -> bool:
        return self.eyes.may_write(self.name, column.name)

    def by_relationship(self, name: str) -> Field | None:
        wanted = name.lower()
        return next((f for f in self.seen_fields() if (f.relationship or "").lower() == wanted), None)

    def _seen(self, column: Field) -> bool:
        return column.visible and self.eyes.sees(self.name, column.name)

    def brief(self, base: str) -> Json:
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "keyPrefix": self.prefix,
            "custom": self.name.endswith("__c"),
            "createable": self.createable,
            "updateable": self.updateable,
            "deletable": True,
            "queryable": self.queryable,
            "retrieveable": True,
            "searchable": True,
            "urls": {
                "sobject": f"{base}/sobjects/{self.name}",
                "describe": f"{base}/sobjects/{self.name}/describe",
            },
        }

    def describe(self, base: str, children: list[Json]) -> Json:
        """As the user sees it. `children`: the relationships of other objects to this one."""
        shown = [column.describe(writeable=self.may_write(column)) for column in self.seen_fields()]
        return self.brief(base) | {"fields": shown, "recordTypeInfos": [], "childRelationships": children}


def system_fields() -> list[Field]:
    """What every object has and nobody writes."""
    fixed: dict[str, Any] = {"createable": False, "updateable": False, "nillable": False}
    return [
        Field("Id", "id", 18, **fixed),
        Field("CreatedDate", "datetime", **fixed),
        Field("LastModifiedDate", "datetime", **fixed),
        Field("SystemModstamp", "datetime", **fixed),
        Field("IsDeleted", "boolean", **fixed),
    ]


def master_field() -> Field:
    """Of objects that can be merged: the winner, on a loser in the bin."""
    return Field("MasterRecordId", "reference", 18, createable=False, updateable=False)


def field_of(values: Json) -> Field:
    """A field from the control API's JSON: the names of describe (`externalId`, `referenceTo`) or our own."""
    names = {"externalId": "external_id", "caseSensitive": "case_sensitive", "referenceTo": "reference_to"}
    return Field(**{names.get(key, key): value for key, value in values.items()})
