"""Deleting, merging and bringing back: the row stays, with `IsDeleted`, until the bin is emptied.

See docs/vendors/salesforce.md#deleted-and-merged.
"""

from sandbox.salesforce.errors import Refused
from sandbox.salesforce.org import Org, Table


class RecycleBin:
    """What goes in and comes out: children of a deleted record go with it, those of a merged one to the winner."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def delete(self, name: str, key: str) -> str:
        """As a client's call does it; the whole id. Raises NOT_FOUND and ENTITY_IS_DELETED."""
        table = self._org.table(name)
        full = str(self._org.row(table, key)["Id"])
        self._throw(table, full, None)
        self._org.note("deleted", table, full, {})
        return full

    def merge(self, name: str, winner: str, losers: list[str]) -> None:
        """The losers end in the bin with `MasterRecordId`; what pointed at them points at the winner."""
        table = self._org.table(name)
        kept = str(self._org.row(table, winner)["Id"])
        for loser in losers:
            gone = str(self._org.row(table, loser)["Id"])
            if gone == kept:
                raise Refused("INVALID_ID_FIELD", "a record cannot be merged with itself")
            self._repoint(table, gone, kept)
            self._throw(table, gone, kept)

    def undelete(self, name: str, key: str) -> None:
        """Back, without its `MasterRecordId`; the children that went with it stay in the bin."""
        table = self._org.table(name)
        merged = {"MasterRecordId": None} if table.sobject.field("MasterRecordId") else {}
        self._org.edit(name, key, {"IsDeleted": False} | merged)

    def empty(self) -> int:
        """How many rows are gone for good now."""
        count = 0
        for table in self._org.tables.values():
            gone = [key for key, row in table.rows.items() if row["IsDeleted"]]
            count += len(gone)
            for key in gone:
                del table.rows[key]
        return count

    def _throw(self, table: Table, key: str, master: str | None) -> None:
        values = {"IsDeleted": True} | ({"MasterRecordId": master} if master else {})
        self._org.edit(table.sobject.name, key, values)
        if master is None:
            self._throw_children(table, key)

    def _throw_children(self, table: Table, key: str) -> None:
        for child, column in self._org.children_of(table.sobject):
            below = self._org.table(child.name)
            for row in below.live():
                if row.get(column.name) != key:
                    continue
                if column.nillable and not column.cascades:
                    self._org.edit(child.name, row["Id"], {column.name: None})
                else:
                    self._throw(below, row["Id"], None)

    def _repoint(self, table: Table, gone: str, kept: str) -> None:
        for child, column in self._org.children_of(table.sobject):
            for row in self._org.table(child.name).live():
                if row.get(column.name) == gone:
                    self._org.edit(child.name, row["Id"], {column.name: kept})
