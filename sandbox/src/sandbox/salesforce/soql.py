"""A parser for the part of SOQL that our readers use.

SELECT columns or COUNT() FROM object [WHERE …] [ORDER BY column [ASC|DESC] [NULLS FIRST|LAST], …] [LIMIT n] [OFFSET n];
a column is a field, `convertCurrency(field)` or a sub-query of children in brackets; conditions with
= != < <= > >= LIKE IN NOT IN, AND, OR, NOT and brackets. Anything else is MALFORMED_QUERY.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.errors import Refused
from sandbox.salesforce.ids import normal

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*')
      | (?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d))?)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

Read = Callable[[str], Any]  # the value of a column of the row in hand, by its name as written
Test = Callable[[Read], bool]


class RecordId(str):
    """A value of an id column: compared with case, and 15 characters like 18."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


@dataclass(slots=True)
class Select:
    """A parsed query. `columns` as written; `count` for `COUNT()`; `where` tests one row.

    `converted` are the columns in the user's currency; `children` the sub-queries, whose `sobject` is a relationship.
    """

    columns: list[str]
    sobject: str
    count: bool = False
    converted: set[str] = field(default_factory=set)
    children: list["Select"] = field(default_factory=list)
    where: Test | None = None
    mentioned: list[str] = field(default_factory=list)  # columns of WHERE and ORDER BY, for checking
    order: list["Order"] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One column of ORDER BY. Nulls come first where nothing else is said."""

    column: str
    descending: bool
    nulls_last: bool


def parse(soql: str) -> Select:
    """Raises Refused(MALFORMED_QUERY)."""
    parser = _Parser(list(_tokens(soql)))
    found = parser.select()
    parser.end()
    return found


def _tokens(soql: str) -> Iterator[Token]:
    position = 0
    while position < len(soql.rstrip()):
        match = _TOKEN.match(soql, position)
        if match is None or match.lastgroup is None:
            raise _malformed(f"unexpected token near '{soql[position : position + 20]}'")
        yield Token(match.lastgroup, match[match.lastgroup])
        position = match.end()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._mentioned: list[str] = []

    def select(self) -> Select:
        before, self._mentioned = self._mentioned, []
        self._word("SELECT")
        found = Select([], "")
        self._columns(found)
        self._word("FROM")
        found.sobject = self._name()
        if self._skip("WHERE"):
            found.where = self._or()
        if self._skip("ORDER"):
            self._word("BY")
            found.order = self._orders()
        if self._skip("LIMIT"):
            found.limit = int(self._take("number").text)
        if self._skip("OFFSET"):
            found.offset = int(self._take("number").text)
        found.mentioned, self._mentioned = self._mentioned, before
        return found

    def end(self) -> None:
        """Nothing may follow."""
        if self._peek() is not None:
            raise _malformed(f"unexpected token: '{self._next().text}'")

    def _columns(self, found: Select) -> None:
        self._column(found)
        while self._sign(","):
            self._column(found)
        if found.count and (found.columns or found.children):
            raise _malformed("COUNT() stands alone")

    def _column(self, found: Select) -> None:
        if self._sign("("):
            found.children.append(self.select())
            self._sign(")", needed=True)
            return
        name = self._name()
        if not self._sign("("):
            found.columns.append(name)
        elif name.upper() == "COUNT":
            found.count = True
            self._sign(")", needed=True)
        elif name.upper() == "CONVERTCURRENCY":
            column = self._name()
            found.columns.append(column)
            found.converted.add(column.lower())
            self._sign(")", needed=True)
        else:
            raise _malformed(f"unknown function: {name}")

    def _orders(self) -> list[Order]:
        orders = [self._order()]
        while self._sign(","):
            orders.append(self._order())
        return orders

    def _order(self) -> Order:
        column = self._name()
        self._mentioned.append(column)
        descending = self._skip("DESC")
        if not descending:
            self._skip("ASC")
        last = False
        if self._skip("NULLS"):
            last = self._name().upper() == "LAST"
        return Order(column, descending, last)

    # --- conditions ---

    def _or(self) -> Test:
        tests = [self._and()]
        while self._skip("OR"):
            tests.append(self._and())
        return tests[0] if len(tests) == 1 else lambda read: any(test(read) for test in tests)

    def _and(self) -> Test:
        tests = [self._not()]
        while self._skip("AND"):
            tests.append(self._not())
        return tests[0] if len(tests) == 1 else lambda read: all(test(read) for test in tests)

    def _not(self) -> Test:
        if self._skip("NOT"):
            inner = self._not()
            return lambda read: not inner(read)
        if self._sign("("):
            inner = self._or()
            self._sign(")", needed=True)
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        column = self._name()
        self._mentioned.append(column)
        if self._skip("LIKE"):
            pattern = _like(str(self._literal()))
            return lambda read: pattern.fullmatch(str(read(column) or "")) is not None
        if self._skip("NOT"):
            self._word("IN")
            values = self._list()
            return lambda read: not _among(read(column), values)
        if self._skip("IN"):
            values = self._list()
            return lambda read: _among(read(column), values)
        compare = _COMPARE.get(self._take("sign").text)
        if compare is None:
            raise _malformed("an operator is missing")
        literal = self._literal()
        wanted, as_id = fold(literal), _as_id(literal)
        return lambda read: _compared(compare, read(column), wanted, as_id)

    def _list(self) -> tuple[set[Any], set[Any]]:
        """The values as others are compared, and as ids are."""
        self._sign("(", needed=True)
        values = [self._literal()]
        while self._sign(","):
            values.append(self._literal())
        self._sign(")", needed=True)
        return {fold(value) for value in values}, {_as_id(value) for value in values}

    def _literal(self) -> Any:
        token = self._next()
        if token.kind == "text":
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token.text[1:-1], flags=re.DOTALL)
        if token.kind == "number":
            return float(token.text)
        if token.kind == "date":
            return token.text
        if token.is_word("TRUE", "FALSE"):
            return token.text.upper() == "TRUE"
        if token.is_word("NULL"):
            return None
        raise _malformed(f"a value is missing near '{token.text}'")

    # --- tokens ---

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> Token:
        token = self._peek()
        if token is None:
            raise _malformed("unexpected end of query")
        self._at += 1
        return token

    def _take(self, kind: str) -> Token:
        token = self._next()
        if token.kind != kind:
            raise _malformed(f"unexpected token: '{token.text}'")
        return token

    def _name(self) -> str:
        return self._take("word").text

    def _word(self, word: str) -> None:
        if not self._next().is_word(word):
            raise _malformed(f"expecting '{word}'")

    def _skip(self, word: str) -> bool:
        token = self._peek()
        if token is None or not token.is_word(word):
            return False
        self._at += 1
        return True

    def _sign(self, sign: str, *, needed: bool = False) -> bool:
        token = self._peek()
        if token is not None and token.kind == "sign" and token.text == sign:
            self._at += 1
            return True
        if needed:
            raise _malformed(f"expecting '{sign}'")
        return False


def fold(value: Any) -> Any:
    """Text is compared without case; dates in all their spellings as one."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return float(value)
    text = str(value)
    if re.match(r"\d{4}-\d\d-\d\dT", text):
        return re.sub(r"(\.0+)?(Z|\+00:?00)$", "", text)
    return text.casefold()


def _as_id(literal: Any) -> Any:
    """A literal as an id column understands it; what is no id equals none."""
    return (normal(literal) or literal) if isinstance(literal, str) else literal


def _among(value: Any, values: tuple[set[Any], set[Any]]) -> bool:
    folded, ids = values
    return str(value) in ids if isinstance(value, RecordId) else fold(value) in folded


def _compared(compare: Callable[[Any, Any], bool], value: Any, wanted: Any, as_id: Any) -> bool:
    return compare(str(value), as_id) if isinstance(value, RecordId) else compare(fold(value), wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Null is neither less nor more than anything."""
    return lambda a, b: a is not None and b is not None and type(a) is type(b) and compare(a, b)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
}


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    text = "".join(parts.get(char, re.escape(char)) for char in pattern)
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def _malformed(message: str) -> Refused:
    return Refused("MALFORMED_QUERY", message)
