"""Runs a parsed query over the org's rows and answers in pages (docs/vendors/salesforce.md#queries)."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.cursors import Cursor
from sandbox.salesforce.errors import Refused, no_such_column
from sandbox.salesforce.org import Org, Record, Table
from sandbox.salesforce.schema import Field
from sandbox.salesforce.soql import Order, Read, RecordId, Select, fold, parse
from sandbox.web import Json


@dataclass(frozen=True, slots=True)
class Reader:
    """One client's question: its org, the version's path, rows per page."""

    org: Org
    base: str
    page_size: int
    _families: dict[str, dict[str, list[Record]]] = field(default_factory=dict)  # children by their parent

    def page(self, cursor: Cursor) -> Json:
        """The page that the cursor names; `nextRecordsUrl` is a path, as Salesforce's is."""
        select = parse(cursor.soql)
        table = self._table(select.sobject)
        self._check(table, select)
        if cursor.parent:
            return self._children(table, cursor, select)
        rows = self._matching(table, select, deleted=cursor.deleted)
        if select.count:
            return {"totalSize": len(rows), "done": True, "records": []}
        return self._answer(table, select, rows, cursor)

    def _answer(self, table: Table, select: Select, rows: list[Record], cursor: Cursor) -> Json:
        page = rows[cursor.start : cursor.start + self.page_size]
        after = cursor.start + len(page)
        answer: Json = {"totalSize": len(rows), "done": after >= len(rows)}
        if after < len(rows):
            answer["nextRecordsUrl"] = f"{self.base}/query/{cursor.at(after).text()}"
        answer["records"] = [self._whole(table, select, row, cursor) for row in page]
        return answer

    def _whole(self, table: Table, select: Select, row: Record, cursor: Cursor) -> Json:
        shown = self._shown(table, row, select.columns)
        for column in select.columns:
            if column.lower() in select.converted:
                found = table.sobject.field(column)
                shown[found.name if found else column] = self._converted(table, row, column)
        for number, child in enumerate(select.children):
            own = Cursor(0, cursor.soql, cursor.deleted, str(row["Id"]), number)
            answer = self._children(table, own, select)
            shown[child.sobject] = answer if answer["totalSize"] else None
        return shown

    # --- children ---

    def _children(self, table: Table, cursor: Cursor, select: Select) -> Json:
        child = select.children[cursor.child]
        below, column = self._relationship(table, child.sobject)
        found = self._matching(below, child, deleted=cursor.deleted, parent=(column, cursor.parent))
        return self._answer(below, child, found, cursor)

    def _relationship(self, table: Table, name: str) -> tuple[Table, Field]:
        for sobject, column in self.org.children_of(table.sobject):
            if (column.children or "").lower() == name.lower():
                return self.org.table(sobject.name), column
        text = f"Didn't understand relationship '{name}' in FROM part of query call."
        raise Refused("INVALID_TYPE", text)

    # --- what there is ---

    def _table(self, name: str) -> Table:
        found = self.org.tables.get(name.lower())
        if found is None or not found.sobject.queryable:
            raise Refused("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        return found

    def _check(self, table: Table, select: Select) -> None:
        """Every step of `Account__r.Name` must exist and be visible."""
        for column in (*select.columns, *select.mentioned):
            here = table
            *steps, last = column.split(".")
            for step in steps:
                here = self._follow(here, step)
            if here.sobject.field(last) is None:
                raise no_such_column(last, here.sobject.name)
        for child in select.children:
            self._check(self._relationship(table, child.sobject)[0], child)

    def _follow(self, table: Table, step: str) -> Table:
        column = table.sobject.by_relationship(step)
        found = self.org.tables.get((column.reference_to or "").lower()) if column else None
        if found is None:
            text = f"Didn't understand relationship '{step}' in field path."
            raise Refused("INVALID_FIELD", text)
        return found

    # --- rows ---

    def _matching(
        self, table: Table, select: Select, *, deleted: bool, parent: tuple[Field, str] | None = None
    ) -> list[Record]:
        rows = list(table.rows.values()) if parent is None else self._family(table, *parent)
        if not deleted:
            rows = [row for row in rows if not row["IsDeleted"]]
        if self.org.eyes.rights.hidden_rows:
            rows = [row for row in rows if self.org.eyes.sees_row(row["Id"])]
        if select.where is not None:
            test = select.where
            rows = [row for row in rows if test(self._read(table, row))]
        for order in reversed(select.order):
            rows = self._sorted(table, rows, order)
        end = None if select.limit is None else select.offset + select.limit
        return rows[select.offset : end]

    def _family(self, table: Table, column: Field, parent: str) -> list[Record]:
        name = f"{table.sobject.name}.{column.name}"
        if name not in self._families:
            family = self._families[name] = {}
            for row in table.rows.values():
                family.setdefault(str(row.get(column.name)), []).append(row)
        return self._families[name].get(parent, [])

    def _sorted(self, table: Table, rows: list[Record], order: Order) -> list[Record]:
        values = [(fold(self._value(table, row, order.column)), row) for row in rows]
        some = [pair for pair in values if pair[0] is not None]
        some.sort(key=lambda pair: _sort_key(pair[0]), reverse=order.descending)
        empty = [row for value, row in values if value is None]
        filled = [row for _, row in some]
        return filled + empty if order.nulls_last else empty + filled

    def _read(self, table: Table, row: Record) -> Read:
        return lambda column: self._value(table, row, column)

    def _value(self, table: Table, row: Record, column: str) -> Any:
        here, held = table, row
        *steps, last = column.split(".")
        for step in steps:
            link = here.sobject.by_relationship(step)
            key = held.get(link.name) if link else None
            if key is None:
                return None
            here = self._follow(here, step)
            held = here.rows.get(key, {})
        found = here.sobject.field(last)
        value = held.get(found.name) if found else None
        return RecordId(value) if found and value is not None and found.type in ("id", "reference") else value

    def _converted(self, table: Table, row: Record, column: str) -> Any:
        value = self._value(table, row, column)
        return value if value is None else self.org.in_user_currency(float(value), row.get("CurrencyIsoCode"))

    def _shown(self, table: Table, row: Record, columns: list[str]) -> Json:
        shown = _attributes(table, row, self.base)
        for column in columns:
            head, _, rest = column.partition(".")
            if not rest:
                found = table.sobject.field(column)
                shown[found.name if found else column] = _plain(self._value(table, row, column))
                continue
            link = table.sobject.by_relationship(head)
            parent = self._follow(table, head)
            held = parent.rows.get(str(row.get(link.name))) if link else None
            if held is None:
                shown.setdefault(head, None)
            else:
                shown[head] = (shown.get(head) or {}) | self._shown(parent, held, [rest])
        return shown


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, RecordId) else value


def _sort_key(folded: Any) -> str:
    return f"{folded:030.6f}" if isinstance(folded, float) else str(folded)


def _attributes(table: Table, row: Record, base: str) -> Json:
    name = table.sobject.name
    return {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{row['Id']}"}}
