"""Offset pages with their headers: `page`, `per_page` (20, at most 100), `Link`, `X-Next-Page`.

See docs/vendors/gitlab.md#issues-and-notes.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.web import Call, Reply


def paged[T](call: Call, rows: Sequence[T], shown: Callable[[T], Any]) -> Reply:
    """One page of rows."""
    page = max(1, _number(call, "page", 1))
    size = min(100, max(1, _number(call, "per_page", 20)))
    pages = max(1, -(-len(rows) // size))
    some = rows[(page - 1) * size : page * size]
    headers = {
        "x-page": str(page),
        "x-per-page": str(size),
        "x-total": str(len(rows)),
        "x-total-pages": str(pages),
        "x-next-page": str(page + 1) if page < pages else "",
        "x-prev-page": str(page - 1) if page > 1 else "",
    }
    others = {"first": 1, "last": pages} | ({"next": page + 1} if page < pages else {})
    headers["link"] = ", ".join(f'<{_address(call, n, size)}>; rel="{name}"' for name, n in others.items())
    return Reply(200, [shown(row) for row in some], headers)


def _address(call: Call, page: int, size: int) -> str:
    query = {**call.query, "page": str(page), "per_page": str(size)}
    return f"http://{call.headers.get('host', 'sandbox')}{call.path}?{urlencode(query)}"


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default
