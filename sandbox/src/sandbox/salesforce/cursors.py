"""Where a query goes on: the cursor carries the query and the place, so that it needs no memory here."""

import base64
import binascii
from dataclasses import dataclass, replace

import orjson

from sandbox.salesforce.errors import Refused


@dataclass(frozen=True, slots=True)
class Cursor:
    """Row `start` of a query, or of the sub-query number `child` of the row `parent`. `deleted`: of `queryAll`."""

    start: int
    soql: str
    deleted: bool = False
    parent: str = ""
    child: int = 0

    def at(self, start: int) -> "Cursor":
        return replace(self, start=start)

    def text(self) -> str:
        parts = (self.start, self.soql, self.deleted, self.parent, self.child)
        return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


def cursor_of(text: str) -> Cursor:
    """Raises INVALID_QUERY_LOCATOR for what is none of ours."""
    try:
        start, soql, deleted, parent, child = orjson.loads(base64.urlsafe_b64decode(text))
        return Cursor(int(start), str(soql), bool(deleted), str(parent), int(child))
    except (binascii.Error, ValueError, TypeError) as error:
        raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator") from error
