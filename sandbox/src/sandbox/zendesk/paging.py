"""Cursor and offset pages of docs/vendors/zendesk.md#rest."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.web import Call, Json
from sandbox.zendesk.problems import bad_request


def page_of[Item](
    call: Call, base: str, name: str, items: Sequence[Item], show: Callable[[Item], Any]
) -> Json:
    """A cursor page when `page[size]` is asked for, else an offset page. `items` are in their final order."""
    if "page[size]" in call.query or "page[after]" in call.query:
        return _cursor_page(call, base, name, items, show)
    number = _number(call, "page", 1)
    size = min(100, _number(call, "per_page", 100))
    if number > 100:
        raise bad_request(
            "InvalidPaginationDepth", "Cannot access records beyond 10,000; use cursor pagination"
        )
    start = (number - 1) * size
    more = start + size < len(items)
    url = f"{base}{call.path.split('/api/v2', 1)[-1]}"
    return {
        name: [show(item) for item in items[start : start + size]],
        "count": len(items),
        "next_page": f"{url}?page={number + 1}&per_page={size}" if more else None,
        "previous_page": f"{url}?page={number - 1}&per_page={size}" if number > 1 else None,
    }


def _cursor_page[Item](
    call: Call, base: str, name: str, items: Sequence[Item], show: Callable[[Item], Any]
) -> Json:
    size = max(1, min(100, _number(call, "page[size]", 100)))
    start = _offset(call.query.get("page[after]", ""))
    shown = items[start : start + size]
    end = start + len(shown)
    more = end < len(items)
    after = _cursor(end) if shown else None
    query = urlencode({"page[after]": after or "", "page[size]": size})
    url = f"{base}{call.path.split('/api/v2', 1)[-1]}.json?{query}"
    return {
        name: [show(item) for item in shown],
        "meta": {"has_more": more, "after_cursor": after, "before_cursor": _cursor(start) if shown else None},
        "links": {"next": url if more else None, "prev": None},
    }


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"o:{offset}".encode()).decode()


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("o:"))
    except (binascii.Error, ValueError) as error:
        raise bad_request("InvalidPaginationParameter", "page[after] is not valid") from error


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return max(1, int(text)) if text.isdigit() else default
