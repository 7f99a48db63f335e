"""The org's records and the rules of writing them by external id (docs/vendors/salesforce.md#writing)."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.clock import Clock
from sandbox.ledger import Ledger
from sandbox.salesforce import seed
from sandbox.salesforce.errors import Refused, SeveralMatch, no_such_column
from sandbox.salesforce.ids import IdMaker, normal
from sandbox.salesforce.rights import Eyes
from sandbox.salesforce.schema import Field, SObject
from sandbox.salesforce.values import kept, stamp

Record = dict[str, Any]


@dataclass(slots=True)
class Table:
    """One object's rows, with an index of ids per value of its external-id and unique fields."""

    sobject: SObject
    rows: dict[str, Record] = field(default_factory=dict)
    index: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # lower-case field: value: ids

    def matches(self, column: Field, value: Any) -> list[str]:
        return self.index.get(column.name.lower(), {}).get(index_key(column, value), [])

    def live(self) -> list[Record]:
        """The rows outside of the recycle bin."""
        return [row for row in self.rows.values() if not row["IsDeleted"]]

    def put(self, key: str, row: Record) -> None:
        before = self.rows.get(key)
        self.rows[key] = row
        for name, column in self.sobject.fields.items():
            if column.external_id or column.unique:
                self._reindex(name, column, key, _held(before, column), _held(row, column))

    def _reindex(self, name: str, column: Field, key: str, before: Any, after: Any) -> None:
        table = self.index.setdefault(name, {})
        if before is not None and before != after:
            table[index_key(column, before)].remove(key)
        if after is not None and before != after:
            table.setdefault(index_key(column, after), []).append(key)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked write. `key` is the record to change, None for a new one."""

    table: Table
    key: str | None
    values: Record


class Org:
    """Tables by lower-case object name. Every write of a client leaves a line in the ledger."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self.tables: dict[str, Table] = {}
        self.eyes = Eyes()
        self.rates = dict(seed.RATES)
        self._clock = clock
        self._ledger = ledger
        self._ids = IdMaker()
        self.plant()

    def plant(self) -> None:
        self.rates = dict(seed.RATES)
        self.tables = {}
        for made in seed.objects():
            self.define(made)
        for name, row in seed.rows():
            self.insert(name, row)

    def table(self, name: str) -> Table:
        found = self.tables.get(name.lower())
        if found is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist")
        return found

    def define(self, sobject: SObject) -> Table:
        """Add an object or replace its definition, rows kept."""
        had = self.tables.get(sobject.name.lower())
        sobject.eyes = self.eyes
        made = self.tables[sobject.name.lower()] = Table(sobject)
        for key, row in (had.rows if had else {}).items():
            made.put(key, row)
        return made

    def children_of(self, sobject: SObject) -> list[tuple[SObject, Field]]:
        """The references of other objects to this one, as far as the user sees them."""
        wanted = sobject.name.lower()
        return [
            (table.sobject, column)
            for table in self.tables.values()
            for column in table.sobject.seen_fields()
            if (column.reference_to or "").lower() == wanted
        ]

    def row(self, table: Table, key: str) -> Record:
        """The live row with this id, of 15 or 18 characters; NOT_FOUND or ENTITY_IS_DELETED otherwise."""
        row = table.rows.get(normal(key) or "")
        if row is None or not self.eyes.sees_row(row["Id"]):
            raise Refused("NOT_FOUND", "The requested resource does not exist")
        if row["IsDeleted"]:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted")
        return row

    def in_user_currency(self, amount: float, currency: str | None) -> float:
        """`convertCurrency()`: from the record's currency into the user's, which is the first of the rates (1.0)."""
        return round(amount / self.rates.get(currency or next(iter(self.rates)), 1.0), 2)

    def key_prefix(self) -> str:
        """A free prefix for a new custom object."""
        return f"a{len(self.tables):02d}"

    # --- writing ---

    def insert(self, name: str, values: Record) -> str:
        """A row without the rules of the API: for seeds and the control API. `Id` may be given."""
        table = self.table(name)
        key = normal(str(values.get("Id", ""))) or self._ids.next(table.sobject.prefix)
        row = self._fresh(table, key)
        row |= {self._column(table, k).name: v for k, v in values.items() if k.lower() != "id"}
        table.put(key, row)
        return key

    def external_id_field(self, table: Table, name: str) -> Field:
        column = table.sobject.field(name)
        if column is None or not (column.external_id or column.name == "Id"):
            text = f"Provided external ID field does not exist or is not accessible: {name}"
            raise Refused("NOT_FOUND", text)
        return column

    def prepare(self, table: Table, column: Field, value: str, values: Record) -> Prepared:
        """Check an upsert by external id without doing it.

        Raises SeveralMatch (300) when the id is not unique, Refused for everything that Salesforce would refuse.
        """
        found = table.matches(column, value)
        if len(found) > 1:
            raise SeveralMatch(found)
        clean = self._clean(table, values, creating=not found)
        if column.name in clean:
            text = f"The {column.name} field should not be specified in the sobject data."
            raise Refused("INVALID_FIELD", text)
        key = found[0] if found else None
        clean[column.name] = kept(column, value)
        self._check_unique(table, key, clean)
        return Prepared(table, key, clean)

    def write(self, plan: Prepared) -> str:
        """Do what was prepared; returns the record's id."""
        if plan.key is None:
            return self._create(plan.table, plan.values)
        self._change(plan.table, plan.key, plan.values)
        return plan.key

    def create(self, name: str, values: Record) -> str:
        table = self.table(name)
        return self._create(table, self._clean(table, values, creating=True))

    def change(self, name: str, key: str, values: Record) -> None:
        table = self.table(name)
        full = self.row(table, key)["Id"]
        self._change(table, full, self._clean(table, values, creating=False))

    def edit(self, name: str, key: str, values: Record) -> None:
        """What a person or a flow changes: no rules of the API and no line in the ledger, for the control API."""
        table = self.table(name)
        changed = {self._column(table, k).name: v for k, v in values.items()}
        table.put(key, table.rows[key] | self._touched({}) | changed)

    def _create(self, table: Table, clean: Record) -> str:
        self._check_unique(table, None, clean)
        key = self._ids.next(table.sobject.prefix)
        row = self._fresh(table, key) | clean
        table.put(key, row)
        self.note("created", table, key, clean)
        return key

    def _change(self, table: Table, key: str, clean: Record) -> None:
        self._check_unique(table, key, clean)
        table.put(key, table.rows[key] | self._touched(clean))
        self.note("updated", table, key, clean)

    def _touched(self, values: Record) -> Record:
        now = stamp(self._clock.now_ns())
        return values | {"LastModifiedDate": now, "SystemModstamp": now}

    def note(self, what: str, table: Table, key: str, clean: Record) -> None:
        """A line of the ledger: `what` became of the record by a client's call."""
        externals = {
            c.name: table.rows[key].get(c.name) for c in table.sobject.fields.values() if c.external_id
        }
        facts = {"object": table.sobject.name, "record_id": key, "external_ids": externals, "fields": clean}
        self._ledger.add(f"salesforce.record.{what}", **facts)

    def _fresh(self, table: Table, key: str) -> Record:
        now = stamp(self._clock.now_ns())
        empty = {c.name: False if c.type == "boolean" else None for c in table.sobject.fields.values()}
        return empty | {
            "Id": key,
            "CreatedDate": now,
            "LastModifiedDate": now,
            "SystemModstamp": now,
            "IsDeleted": False,
        }

    # --- checking ---

    def _clean(self, table: Table, values: Record, *, creating: bool) -> Record:
        """Known, writeable columns with stored values; parents by their external id are resolved."""
        clean: Record = {}
        for name, value in values.items():
            if name == "attributes":
                continue
            if isinstance(value, dict):
                clean |= self._parent(table, name, value)
                continue
            column = self._column(table, name)
            open_now = column.createable if creating else column.updateable
            if not open_now or column.calculated or not table.sobject.may_write(column):
                text = f"Unable to create/update fields: {column.name}. Please check its security settings."
                raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", text, [column.name])
            clean[column.name] = self._lookup(column, kept(column, value))
        if creating:
            self._check_required(table, clean)
        return clean

    def _column(self, table: Table, name: str) -> Field:
        column = table.sobject.field(name)
        if column is None:
            raise no_such_column(name, table.sobject.name)
        return column

    def _check_required(self, table: Table, clean: Record) -> None:
        columns = table.sobject.fields.values()
        missing = [c.name for c in columns if not c.nillable and c.createable and clean.get(c.name) is None]
        if missing:
            names = ", ".join(missing)
            raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{names}]", missing)

    def _lookup(self, column: Field, value: Any) -> Any:
        if column.reference_to is None or value is None:
            return value
        table = self.tables.get(column.reference_to.lower())
        if table is not None and not value.startswith(table.sobject.prefix):
            text = f"{column.name}: id value of incorrect type: {value}"
            raise Refused("MALFORMED_ID", text, [column.name])
        if table is None or value not in table.rows or not self.eyes.sees_row(value):
            text = f"insufficient access rights on cross-reference id: {value}"
            raise Refused("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", text)
        if table.rows[value]["IsDeleted"]:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", [column.name])
        return value

    def _parent(self, table: Table, name: str, given: Record) -> Record:
        """`{"Account__r": {"Ext__c": "x"}}`: the parent by its own external id."""
        column = table.sobject.by_relationship(name)
        parent = self.tables.get((column.reference_to or "").lower()) if column else None
        pairs = [(k, v) for k, v in given.items() if k != "attributes"]
        if column is None or parent is None or len(pairs) != 1:
            raise no_such_column(name, table.sobject.name)
        ext, value = pairs[0]
        found = parent.matches(self.external_id_field(parent, ext), value)
        if len(found) != 1:
            text = (
                f"Foreign key external ID: {value} not found for field {ext} in entity {parent.sobject.name}"
            )
            raise Refused("INVALID_FIELD", text)
        return {column.name: found[0]}

    def _check_unique(self, table: Table, key: str | None, clean: Record) -> None:
        for name, value in clean.items():
            column = table.sobject.fields[name.lower()]
            if not column.unique or value is None:
                continue
            others = [found for found in table.matches(column, value) if found != key]
            if others:
                text = f"duplicate value found: {name} duplicates value on record with id: {others[0]}"
                raise Refused("DUPLICATE_VALUE", text)


def _held(row: Record | None, column: Field) -> Any:
    """What a row holds of its indexes' values: in the recycle bin nothing."""
    return None if row is None or row["IsDeleted"] else row.get(column.name)


def index_key(column: Field, value: Any) -> str:
    """External ids are compared without case unless the field says otherwise."""
    text = str(value)
    return text if column.case_sensitive else text.casefold()
