"""A parser for the part of SOQL that our readers use.

SELECT columns or COUNT() FROM object [WHERE …] [ORDER BY column [ASC|DESC]] [LIMIT n] [OFFSET n]; conditions with
= != < <= > >= LIKE IN NOT IN, AND, OR, NOT and brackets. Anything else is MALFORMED_QUERY.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.salesforce.errors import Refused

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


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


@dataclass(slots=True)
class Select:
    """A parsed query. `columns` as written; `count` for `COUNT()`; `where` tests one row."""

    columns: list[str]
    sobject: str
    count: bool = False
    where: Test | None = None
    mentioned: list[str] = field(default_factory=list)  # columns of WHERE and ORDER BY, for checking
    order: tuple[str, bool] | None = None  # (column, descending)
    limit: int | None = None
    offset: int = 0


def parse(soql: str) -> Select:
    """Raises Refused(MALFORMED_QUERY)."""
    return _Parser(list(_tokens(soql))).select()


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
        self._word("SELECT")
        columns, count = self._columns()
        self._word("FROM")
        found = Select(columns, self._name(), count)
        if self._skip("WHERE"):
            found.where = self._or()
        if self._skip("ORDER"):
            self._word("BY")
            found.order = self._order()
        if self._skip("LIMIT"):
            found.limit = int(self._take("number").text)
        if self._skip("OFFSET"):
            found.offset = int(self._take("number").text)
        if self._peek() is not None:
            raise _malformed(f"unexpected token: '{self._next().text}'")
        found.mentioned = self._mentioned
        return found

    def _columns(self) -> tuple[list[str], bool]:
        columns = [self._name()]
        if columns[0].upper() == "COUNT" and self._sign("("):
            self._sign(")", needed=True)
            return [], True
        while self._sign(","):
            columns.append(self._name())
        return columns, False

    def _order(self) -> tuple[str, bool]:
        column = self._name()
        self._mentioned.append(column)
        descending = self._skip("DESC")
        if not descending:
            self._skip("ASC")
        if self._skip("NULLS"):
            self._name()
        return column, descending

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
            return lambda read: fold(read(column)) not in values
        if self._skip("IN"):
            values = self._list()
            return lambda read: fold(read(column)) in values
        compare = _COMPARE.get(self._take("sign").text)
        if compare is None:
            raise _malformed("an operator is missing")
        wanted = fold(self._literal())
        return lambda read: compare(fold(read(column)), wanted)

    def _list(self) -> list[Any]:
        self._sign("(", needed=True)
        values = [fold(self._literal())]
        while self._sign(","):
            values.append(fold(self._literal()))
        self._sign(")", needed=True)
        return values

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
