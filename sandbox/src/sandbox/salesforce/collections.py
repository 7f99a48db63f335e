"""Writes of up to 200 records in one call: a result per record, in their order (docs/vendors/salesforce.md#writing)."""

from collections.abc import Callable, Sequence
from typing import Any

from sandbox.salesforce.errors import Refused, SeveralMatch
from sandbox.salesforce.org import Org, Prepared, Table, index_key
from sandbox.salesforce.recycle_bin import RecycleBin
from sandbox.salesforce.schema import Field
from sandbox.web import Json

MAX_RECORDS = 200


class Collections:
    """`record_faults`: error code -> how many of the next records still get it (injected)."""

    def __init__(self, org: Org, recycle_bin: RecycleBin) -> None:
        self.record_faults: dict[str, int] = {}
        self._org = org
        self._bin = recycle_bin

    def upsert(self, name: str, ext: str, body: Json) -> list[Json]:
        """Raises Refused when the request as a whole is wrong; each record's own error is in its result."""
        records = _records(body)
        table = self._org.table(name)
        column = self._org.external_id_field(table, ext)
        twice = _repeated(column, [_own_id(r, column.name) for r in records])
        plans = [self._prepare(table, column, record, twice) for record in records]
        if body.get("allOrNone") and any(isinstance(plan, Refused) for plan in plans):
            rolled = "Record rolled back because not all records were valid and the request was using AllOrNone header"
            undone = Refused("ALL_OR_NONE_OPERATION_ROLLED_BACK", rolled)
            return [_failed(plan if isinstance(plan, Refused) else undone) for plan in plans]
        return [self._write(plan) for plan in plans]

    def create(self, body: Json) -> list[Json]:
        """New records, also of several objects. Each record's own error is in its result."""
        return [self._one(record, self._made) for record in _records(body)]

    def update(self, body: Json) -> list[Json]:
        """By `id`; never creates. Each record's own error is in its result."""
        return [self._one(record, self._changed) for record in _records(body)]

    def delete(self, ids: list[str]) -> list[Json]:
        """Into the recycle bin; the object follows from each id's prefix."""
        _refuse_many(ids)
        return [self._one({"id": key}, self._deleted) for key in ids]

    def _one(self, record: Json, act: Callable[[Json], str]) -> Json:
        try:
            self._fault()
            return {"id": act(record), "success": True, "errors": []}
        except Refused as refused:
            return _failed(refused)

    def _made(self, record: Json) -> str:
        return self._org.create(str((record.get("attributes") or {}).get("type", "")), record)

    def _changed(self, record: Json) -> str:
        name = str((record.get("attributes") or {}).get("type", ""))
        key = str(record.get("id") or record.get("Id") or "")
        self._org.change(name, key, {k: v for k, v in record.items() if k.lower() != "id"})
        return str(self._org.row(self._org.table(name), key)["Id"])

    def _deleted(self, record: Json) -> str:
        key = str(record["id"])
        for table in self._org.tables.values():
            if key.startswith(table.sobject.prefix):
                return self._bin.delete(table.sobject.name, key)
        raise Refused("MALFORMED_ID", f"malformed id {key}", ["Id"])

    def _prepare(self, table: Table, column: Field, record: Json, twice: set[str]) -> Prepared | Refused:
        try:
            self._fault()
            kind = str((record.get("attributes") or {}).get("type", ""))
            if kind.lower() != table.sobject.name.lower():
                raise Refused("INVALID_TYPE", f"attributes.type must be {table.sobject.name}")
            value = _own_id(record, column.name)
            if value in (None, ""):
                raise Refused("MISSING_ARGUMENT", f"{column.name} not specified", [column.name])
            if index_key(column, value) in twice:
                raise Refused("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [column.name])
            values = {k: v for k, v in record.items() if k.lower() != column.name.lower()}
            return self._org.prepare(table, column, str(value), values)
        except Refused as refused:
            return refused
        except SeveralMatch as several:
            return Refused(
                "DUPLICATE_VALUE", f"{column.name} matches {len(several.ids)} records", [column.name]
            )

    def _write(self, plan: Prepared | Refused) -> Json:
        if isinstance(plan, Refused):
            return _failed(plan)
        try:
            key = self._org.write(plan)
        except Refused as refused:  # an earlier record of this call took a unique value
            return _failed(refused)
        return {"id": key, "success": True, "errors": [], "created": plan.key is None}

    def _fault(self) -> None:
        for code, left in self.record_faults.items():
            if left > 0:
                self.record_faults[code] = left - 1
                raise Refused(code, f"injected: {code}")


def _records(body: Json) -> list[Json]:
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise Refused("JSON_PARSER_ERROR", "records: a list of objects is needed")
    _refuse_many(records)
    return records


def _refuse_many(items: Sequence[object]) -> None:
    if len(items) > MAX_RECORDS:
        text = "record limit reached. cannot submit more than 200 records to this call"
        raise Refused("EXCEEDED_ID_LIMIT", text)


def _own_id(record: Json, ext: str) -> Any:
    return next((value for key, value in record.items() if key.lower() == ext.lower()), None)


def _repeated(column: Field, values: list[Any]) -> set[str]:
    """Index keys that occur more than once among these external ids."""
    keys = [index_key(column, value) for value in values if value is not None]
    return {key for key in keys if keys.count(key) > 1} if len(set(keys)) < len(keys) else set()


def _failed(refused: Refused) -> Json:
    return {"success": False, "errors": [refused.as_record_error()]}
