"""Looking rows up by many keys at once: the keys travel as one parameter, so that the statement is always the same.

Statements are built once per table and dialect (`functools.cache`): building one anew for each batch costs more than
PostgreSQL takes to answer it.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, Select, String, Table, bindparam, func, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

POSTGRES, SQLITE = "postgresql", "sqlite"


def among(column: Column[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """`column` is one of the texts in the parameter `name`, given as `as_parameter(…)`."""
    return column.in_(_texts(name, dialect))


def as_parameter(keys: Sequence[str], dialect: str) -> Any:
    """Texts as the one parameter that `among` wants."""
    return orjson.dumps(keys).decode() if dialect == SQLITE else list(keys)


@cache
def locked_rows(table: Table, dialect: str) -> Select[Any]:
    """SELECT of the rows whose primary keys are given by `key_parameters`, in key order, locked on PostgreSQL."""
    pk = list(table.primary_key.columns)
    if not all(isinstance(column.type, String) for column in pk):
        raise TypeError(f"{table.name}: primary keys of the engine's rows are texts")
    wanted = among(pk[0], "key0", dialect) if len(pk) == 1 else tuple_(*pk).in_(_pairs(len(pk), dialect))
    return select(table).where(wanted).order_by(*pk).with_for_update()


def key_parameters(keys: Sequence[Any], width: int, dialect: str) -> dict[str, Any]:
    """The parameters of `locked_rows` for keys of `width` columns (texts, or tuples of texts)."""
    if dialect == SQLITE:
        return {"key0": orjson.dumps(keys).decode()}
    columns = [list(keys)] if width == 1 else [list(column) for column in zip(*keys, strict=True)]
    return {f"key{n}": column for n, column in enumerate(columns)}


def _texts(name: str, dialect: str) -> Select[Any]:
    if dialect == SQLITE:
        return select(func.json_each(bindparam(name)).table_valued("value").c.value)
    return select(func.unnest(bindparam(name, type_=ARRAY(String))))


def _pairs(width: int, dialect: str) -> Select[Any]:
    if dialect == SQLITE:
        value = func.json_each(bindparam("key0")).table_valued("value").c.value
        return select(*(func.json_extract(value, f"$[{n}]") for n in range(width)))
    names = [f"c{n}" for n in range(width)]
    columns = (bindparam(f"key{n}", type_=ARRAY(String)) for n in range(width))
    return select(func.unnest(*columns).table_valued(*names).render_derived())
