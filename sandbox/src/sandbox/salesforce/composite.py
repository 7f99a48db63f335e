"""`POST composite`: several queries in one request (docs/vendors/salesforce.md#queries)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.salesforce.cursors import Cursor
from sandbox.salesforce.errors import Refused
from sandbox.web import Json

MOST_PARTS, MOST_QUERIES = 25, 5


def composite(body: Json, ask: Callable[[Cursor], Json]) -> list[Json]:
    """The answer of each part, with a status of its own. Raises Refused when the request as a whole is wrong."""
    parts = body.get("compositeRequest")
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise Refused("JSON_PARSER_ERROR", "compositeRequest: a list of objects is needed")
    if len(parts) > MOST_PARTS or sum(_is_query(part) for part in parts) > MOST_QUERIES:
        text = f"a composite request has at most {MOST_PARTS} parts and {MOST_QUERIES} queries or collections"
        raise Refused("EXCEEDED_ID_LIMIT", text)
    names = [str(part.get("referenceId", "")) for part in parts]
    if "" in names or len(set(names)) < len(names):
        raise Refused("INVALID_INPUT", "every part needs a referenceId of its own")
    return [_answered(part, ask) for part in parts]


def _is_query(part: Json) -> bool:
    return urlsplit(str(part.get("url", ""))).path.rstrip("/").endswith(("/query", "/queryAll"))


def _answered(part: Json, ask: Callable[[Cursor], Json]) -> Json:
    try:
        status, body = 200, _query(part, ask)
    except Refused as refused:
        reply = refused.reply()
        status, body = reply.status, reply.body
    return {
        "body": body,
        "httpHeaders": {},
        "httpStatusCode": status,
        "referenceId": part["referenceId"],
    }


def _query(part: Json, ask: Callable[[Cursor], Json]) -> Any:
    if part.get("method") != "GET" or not _is_query(part):
        raise Refused("INVALID_INPUT", "only queries are pretended here")
    address = urlsplit(str(part["url"]))
    soql = parse_qs(address.query).get("q", [""])[0]
    return ask(Cursor(0, soql, deleted=address.path.rstrip("/").endswith("/queryAll")))
