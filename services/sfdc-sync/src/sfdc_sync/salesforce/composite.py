"""Several queries in one call that counts as one request (docs/vendors/salesforce.md#queries). Pure."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from supportops.errors import UnknownOutcome

MOST_QUERIES = 5
"""Of the 25 parts of a composite request at most five may be queries."""


def composite_of(queries: Sequence[str], version: str, *, deleted: bool) -> dict[str, Any]:
    """The body of a composite request for at most `MOST_QUERIES` queries."""
    resource = "queryAll" if deleted else "query"
    parts = [
        {
            "method": "GET",
            "url": f"/services/data/v{version}/{resource}/?q={quote(query, safe='')}",
            "referenceId": f"q{number}",
        }
        for number, query in enumerate(queries)
    ]
    return {"allOrNone": False, "compositeRequest": parts}


def parts_of(answer: object, count: int) -> list[tuple[int, Any]]:
    """Status and body of each of `count` parts, in the order of the request; UnknownOutcome for any other answer."""
    parts = answer.get("compositeResponse") if isinstance(answer, dict) else None
    by_name = {part.get("referenceId"): part for part in parts or () if isinstance(part, dict)}
    found = [by_name.get(f"q{number}") for number in range(count)]
    if not all(isinstance(part, dict) and isinstance(part.get("httpStatusCode"), int) for part in found):
        raise UnknownOutcome("Salesforce's answer to a composite request has not all of its parts")
    return [(part["httpStatusCode"], part.get("body")) for part in found if part is not None]


def page_of(answer: object) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of one page of a query, and where the next one is; None when this is the last.

    Half an answer is none: rows that are missing would look like records that are gone.
    """
    rows = answer.get("records") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(rows, list):
        raise UnknownOutcome("Salesforce's answer to a query has no records")
    found = [row for row in rows if isinstance(row, dict)]
    if len(found) < len(rows):
        raise UnknownOutcome("Salesforce's answer to a query has rows that are no records")
    match answer.get("done"), answer.get("nextRecordsUrl"):
        case True, _:
            return found, None
        case False, str(url) if url:
            return found, url
    raise UnknownOutcome("Salesforce's answer to a query neither ends nor names its next page")
