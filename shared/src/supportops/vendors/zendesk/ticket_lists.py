"""Lists of tickets that agents look at: views with their counts, and what is assigned to somebody.

See docs/vendors/zendesk.md#views.
"""

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import AliasPath, Field, StringConstraints

from supportops.errors import NotFound, Permanent
from supportops.vendors.zendesk.calls import Calls, digits, read_all
from supportops.vendors.zendesk.models import Answered, Id, Identified, Ticket

COUNTED_AT_ONCE = 20
"""Views in one `count_many`; Zendesk takes six such calls in five minutes."""
PAGE = 100
_ADDRESS = re.compile(r"[^@\s<>,;:\"\\()]{1,64}@[A-Za-z0-9.-]{1,190}")


class View(Identified):
    """A view. `restricted_to`: None for everybody's; `Group`, `User` (a personal one)."""

    title: Annotated[str, StringConstraints(min_length=1)]
    active: bool = True
    position: int = 0
    restricted_to: str | None = Field(None, validation_alias=AliasPath("restriction", "type"))

    @property
    def is_personal(self) -> bool:
        """Whether it belongs to the integration's user alone."""
        return self.restricted_to == "User"


class ViewCount(Answered):
    """A view's count. `value` None: still being counted, which is not zero. Not `fresh`: another is being computed."""

    decides = frozenset({"value", "fresh"})

    view_id: Id
    value: Annotated[int, Field(ge=0)] | None = None
    fresh: bool = False


class TicketLists:
    """The calls about lists."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def views(self) -> list[View]:
        """Active views that others can see as well, in the order of their positions."""
        found: list[View] = []
        async for page in self._calls.pages("views", "/views/active", {"page[size]": str(PAGE)}):
            found += read_all(View, page, "views")
        return sorted((each for each in found if each.active and not each.is_personal), key=_place)

    async def count_many(self, view_ids: Sequence[str]) -> dict[str, ViewCount]:
        """Counts by view, of `COUNTED_AT_ONCE` views at most; a view that we may not see is missing."""
        if len(view_ids) > COUNTED_AT_ONCE:
            raise ValueError(f"at most {COUNTED_AT_ONCE} views in one call")
        query = {"ids": ",".join(map(digits, view_ids))}
        answer = await self._calls.get("view_counts", "/views/count_many", query)
        return {each.view_id: each for each in read_all(ViewCount, answer, "view_counts")}

    async def in_view(self, view_id: str, limit: int) -> list[Ticket] | None:
        """The first tickets of a view, in its own order; None when it is gone."""
        query = {"page[size]": str(min(limit, PAGE))}
        try:
            answer = await self._calls.get("view_tickets", f"/views/{digits(view_id)}/tickets", query)
        except NotFound:
            return None
        return read_all(Ticket, answer, "tickets")[:limit]

    async def assigned_to(self, email: str, limit: int) -> list[Ticket]:
        """Tickets that wait for an agent, the longest untouched first; the search index may be a minute late.

        Permanent for an address that cannot stand in a search.
        """
        if not _ADDRESS.fullmatch(email):
            raise Permanent("not an e-mail address that Zendesk can be asked for")
        query = {"query": f'type:ticket status<solved assignee:"{email}"', "sort_by": "updated_at"}
        query |= {"sort_order": "asc", "per_page": str(min(limit, PAGE))}
        answer = await self._calls.get("assigned", "/search", query)
        return read_all(Ticket, answer, "results")[:limit]


def _place(view: View) -> tuple[int, str]:
    return view.position, view.title
