"""Runs a parsed query over the org's rows and answers in pages (docs/vendors/salesforce.md#queries)."""

import base64
from typing import Any

from sandbox.salesforce.errors import Refused, no_such_column
from sandbox.salesforce.org import Org, Record, Table
from sandbox.salesforce.soql import Read, Select, fold, parse
from sandbox.web import Json


def run_query(org: Org, soql: str, base: str, start: int, page_size: int) -> Json:
    """One page from row `start`; `nextRecordsUrl` is a path, as Salesforce's is."""
    select = parse(soql)
    table = _table(org, select)
    for column in (*select.columns, *select.mentioned):
        _check(org, table, column)
    rows = _matching(org, table, select)
    if select.count:
        return {"totalSize": len(rows), "done": True, "records": []}
    page = rows[start : start + page_size]
    after = start + len(page)
    answer: Json = {"totalSize": len(rows), "done": after >= len(rows)}
    if after < len(rows):
        cursor = base64.urlsafe_b64encode(f"{after}:{soql}".encode()).decode()
        answer["nextRecordsUrl"] = f"{base}/query/{cursor}"
    answer["records"] = [_shown(org, table, row, select.columns, base) for row in page]
    return answer


def _table(org: Org, select: Select) -> Table:
    found = org.tables.get(select.sobject.lower())
    if found is None or not found.sobject.queryable:
        raise Refused("INVALID_TYPE", f"sObject type '{select.sobject}' is not supported.")
    return found


def _matching(org: Org, table: Table, select: Select) -> list[Record]:
    rows = list(table.rows.values())
    if select.where is not None:
        test = select.where
        rows = [row for row in rows if test(_reader(org, table, row))]
    if select.order is not None:
        column, descending = select.order
        rows.sort(key=lambda row: _sort_key(_value(org, table, row, column)), reverse=descending)
    end = None if select.limit is None else select.offset + select.limit
    return rows[select.offset : end]


def _reader(org: Org, table: Table, row: Record) -> Read:
    return lambda column: _value(org, table, row, column)


def _sort_key(value: Any) -> tuple[bool, str]:
    folded = fold(value)
    return (folded is not None, f"{folded:030.6f}" if isinstance(folded, float) else str(folded))


def _check(org: Org, table: Table, column: str) -> None:
    """Every step of `Account__r.Name` must exist and be visible."""
    here = table
    *steps, last = column.split(".")
    for step in steps:
        here = _follow(org, here, step)
    if here.sobject.field(last) is None:
        raise no_such_column(last, here.sobject.name)


def _follow(org: Org, table: Table, step: str) -> Table:
    column = table.sobject.by_relationship(step)
    found = org.tables.get((column.reference_to or "").lower()) if column else None
    if found is None:
        text = f"Didn't understand relationship '{step}' in field path."
        raise Refused("INVALID_FIELD", text)
    return found


def _value(org: Org, table: Table, row: Record, column: str) -> Any:
    here, held = table, row
    *steps, last = column.split(".")
    for step in steps:
        link = here.sobject.by_relationship(step)
        key = held.get(link.name) if link else None
        if key is None:
            return None
        here = _follow(org, here, step)
        held = here.rows.get(key, {})
    found = here.sobject.field(last)
    return held.get(found.name) if found else None


def _shown(org: Org, table: Table, row: Record, columns: list[str], base: str) -> Json:
    shown = _attributes(table, row, base)
    for column in columns:
        head, _, rest = column.partition(".")
        if not rest:
            found = table.sobject.field(column)
            shown[found.name if found else column] = _value(org, table, row, column)
            continue
        link = table.sobject.by_relationship(head)
        parent = _follow(org, table, head)
        held = parent.rows.get(str(row.get(link.name))) if link else None
        if held is None:
            shown.setdefault(head, None)
        else:
            inner = _shown(org, parent, held, [rest], base)
            shown[head] = (shown.get(head) or {}) | inner
    return shown


def _attributes(table: Table, row: Record, base: str) -> Json:
    name = table.sobject.name
    return {"attributes": {"type": name, "url": f"{base}/sobjects/{name}/{row['Id']}"}}
