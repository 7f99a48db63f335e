"""Views and their counts (docs/vendors/zendesk.md#views): a count may be missing, old, or still on its way."""

from typing import Any

from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.limits import Limits
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import at_most, not_found, rate_limited
from sandbox.zendesk.search_api import tickets_by

COUNTED_AT_ONCE = 20


class ViewsApi:
    """A view holds what its `query` finds; `value`, `fresh` and `readable` say what a count is to show instead."""

    def __init__(self, account: Account, limits: Limits) -> None:
        self._account, self._limits = account, limits

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/views/active", self.active),
            ("GET", "/views/count_many", self.count_many),
            ("GET", "/views/{id}/tickets", self.tickets),
        ]

    def active(self, call: Call) -> Reply:
        found = [each for each in self._account.records.views if each.get("active", True)]
        return Reply(200, page_of(call, self._account.base, "views", found, _shown))

    def count_many(self, call: Call) -> Reply:
        """Six calls in five minutes; views that the caller may not see are missing."""
        if (wait := self._limits.view_counts.take()) is not None:
            raise rate_limited(wait, endpoint=True)
        ids = at_most(call.ids(), "ids", COUNTED_AT_ONCE)
        views = {each["id"]: each for each in self._account.records.views}
        found = [views[each] for each in ids if each in views and views[each].get("readable", True)]
        return Reply(200, {"view_counts": [self._count(each) for each in found]})

    def tickets(self, call: Call) -> Reply:
        view = next((each for each in self._account.records.views if each["id"] == call.number("id")), None)
        if view is None:
            raise not_found()
        found = tickets_by(self._account, view.get("query", ""))
        base = self._account.base
        return Reply(200, page_of(call, base, "tickets", found, lambda ticket: render.ticket(base, ticket)))

    def _count(self, view: Json) -> Json:
        counted = len(tickets_by(self._account, view.get("query", "")))
        value: int | None = view.get("value", counted)
        pretty = "..." if value is None else f"~{value}"
        url = f"{self._account.base}/views/{view['id']}/count.json"
        fresh = value is not None and view.get("fresh", True)
        return {"view_id": view["id"], "url": url, "value": value, "pretty": pretty, "fresh": fresh}


def _shown(view: Json) -> dict[str, Any]:
    hidden = ("query", "value", "fresh", "readable")
    return {name: value for name, value in view.items() if name not in hidden}
