"""The story of a ticket on a page, with a field to find one: what the service's `explain` tells, for operators."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from supportops.operations.timeline import Explain, Explanation
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout
from supportops.web.site import Link, Site

SEARCH = "/tickets"
_TICKET_ID = re.compile(r"[0-9]{1,20}")
_NO_ID = "The id of a ticket is a number, such as 35436."


def no_link(_: Explanation) -> Link | None:
    """There is nothing elsewhere that belongs to a story."""
    return None


@dataclass(frozen=True)
class Story:
    """What a service tells of a ticket. `about`: the page in a sentence; `words`: with the customers' words.

    `link`: what belongs to the story elsewhere; its address is http or https.
    """

    explain: Explain
    about: str
    words: bool = False
    link: Callable[[Explanation], Link | None] = no_link


class StoryPage:
    """Finds a ticket by its id and tells its story."""

    def __init__(self, store: Store, site: Site, story: Story) -> None:
        self._store, self._story = store, story
        self._layout = PageLayout("supportops.web", site)

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
            told = await self._story.explain(conn, ticket_id, self._store.clock.now(), self._story.words)
        if not told.known:
            problem = (
                f"Nothing is known of ticket {ticket_id}: no event of it arrived, or its history was removed."
            )
            return self._search(request, 404, problem, ticket_id)
        return self._layout.page(
            request,
            "ticket.html",
            ticket_id=ticket_id,
            stands=told.standing,
            lines=told.lines,
            link=self._story.link(told),
        )

    def _search(self, request: Request, status: int, problem: str, wanted: str) -> Response:
        return self._layout.page(
            request,
            "find_ticket.html",
            status,
            about=self._story.about,
            problem=problem,
            wanted=wanted[:40],
        )


def mount_story(app: FastAPI, auth: OperatorAuth, page: StoryPage) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, SEARCH)
    async def find(request: Request, id: str = "") -> Response:  # the name in the address
        return await page.find(request, id)

    @guarded_page(app, auth, SEARCH + "/{ticket_id}")
    async def show(request: Request, ticket_id: str) -> Response:
        return await page.show(request, ticket_id)
