"""A ticket's story on a page, for operators: what `csat explain` tells, with the customer's words."""

import re

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from csat.operations.timeline import Timeline, timeline_of
from csat.operations.timeline_text import lines_of, standing
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout
from supportops.web.site import Site

SEARCH = "/tickets"
_TICKET_ID = re.compile(r"[0-9]{1,20}")


class TicketPage:
    """Finds a ticket by its id and tells its story."""

    def __init__(self, store: Store, site: Site) -> None:
        self._store = store
        self._layout = PageLayout("csat.operations", site)

    async def find(self, request: Request, wanted: str) -> Response:
        """The search field; with an id in it, on to that ticket."""
        ticket_id = wanted.strip().removeprefix("#")
        if _TICKET_ID.fullmatch(ticket_id):
            return RedirectResponse(f"{SEARCH}/{ticket_id}", status_code=303)
        return self._search(request, 422 if wanted else 200, _NO_ID if wanted else "", wanted)

    async def show(self, request: Request, ticket_id: str) -> Response:
        """The story; 404 with the search field when there is none."""
        if not _TICKET_ID.fullmatch(ticket_id):
            return self._search(request, 404, _NO_ID, ticket_id)
        async with self._store.reading() as conn:
            timeline = await timeline_of(conn, ticket_id, self._store.clock.now())
        if not timeline.known:
            problem = (
                f"Nothing is known of ticket {ticket_id}: no event of it arrived, or its history was removed."
            )
            return self._search(request, 404, problem, ticket_id)
        return self._timeline(request, timeline)

    def _search(self, request: Request, status: int, problem: str, wanted: str) -> Response:
        return self._layout.page(request, "find_ticket.html", status, problem=problem, wanted=wanted[:40])

    def _timeline(self, request: Request, timeline: Timeline) -> Response:
        return self._layout.page(
            request,
            "ticket.html",
            ticket_id=timeline.ticket_id,
            stands=standing(timeline),
            lines=lines_of(timeline, words=True),
            issue_url=_issue_url(timeline),
        )


_NO_ID = "The id of a ticket is a number, such as 35436."


def _issue_url(timeline: Timeline) -> str | None:
    """The issue's address, as GitLab gave it; nothing but https or http becomes a link."""
    url = (timeline.issue or {}).get("web_url")
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None


def mount_ticket_page(app: FastAPI, auth: OperatorAuth, page: TicketPage) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, SEARCH)
    async def find(request: Request, id: str = "") -> Response:  # the name in the address
        return await page.find(request, id)

    @guarded_page(app, auth, SEARCH + "/{ticket_id}")
    async def show(request: Request, ticket_id: str) -> Response:
        return await page.show(request, ticket_id)
