"""Pages of runs and plans, and of the story of an account or an organization. They read our own tables alone."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sfdc_sync.operations.organization_story import (
    Subject,
    change_words,
    is_open,
    standing,
    story_of,
    subject_of,
    values_of,
)
from sfdc_sync.organizations.brake import LIFTED_FOR
from sfdc_sync.organizations.model import Action
from sfdc_sync.salesforce.names import folded
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.tables import accounts, brake_releases, organizations, sync_rows, sync_runs
from supportops.operations.delivery_history import Row, rows_of
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth, guarded_page
from supportops.web.layout import PageLayout

RUNS, FIND = "/runs", "/organizations"
SHOWN = 100
"""Rows on one page; a link leads on."""
STATES = ("planned", "done", "refused", "moved", "already", "kept", "held")
_RUN_ID = re.compile(r"[0-9a-f-]{36}", re.ASCII)
_W, _R = sync_rows, sync_runs


class OrganizationPages:
    """Everything below /runs and /organizations, and /accounts/…"""

    def __init__(self, store: Store, auth: OperatorAuth) -> None:
        self._store = store
        self._layout = PageLayout("sfdc_sync.operations", auth.site)

    async def runs(self, request: Request) -> Response:
        """The last runs and plans, and how the brake stands."""
        async with self._store.reading() as conn:
            found = await rows_of(conn, select(_R).order_by(_R.c.started_at.desc()).limit(SHOWN))
            brake = await brake_of(conn, self._store.clock.now())
        return self._layout.page(request, "runs.html", runs=[_run(each) for each in found], brake=brake)

    async def run(self, request: Request, run_id: str, about: str, wanted: Mapping[str, str]) -> Response:
        """One run with its rows. `wanted`: state, action, and the position after which to go on."""
        if not _RUN_ID.fullmatch(run_id):
            raise HTTPException(404)
        query = select(_W).where(_W.c.run_id == run_id)
        if words := plain(about):
            query = query.where(about_rows(words))
        chosen = {
            "state": _one_of(wanted["state"], STATES),
            "action": _one_of(wanted["action"], tuple(Action)),
        }
        for name, value in chosen.items():
            query = query.where(_W.c[name] == value) if value else query
        after = int(wanted["after"]) if re.fullmatch(r"[0-9]{1,8}", wanted["after"], re.ASCII) else -1
        query = query.where(_W.c.position > after).order_by(_W.c.position).limit(SHOWN + 1)
        async with self._store.reading() as conn:
            runs = await rows_of(conn, select(_R).where(_R.c.run_id == run_id))
            rows = await rows_of(conn, query)
        if not runs:
            raise HTTPException(404)
        return self._layout.page(
            request,
            "run.html",
            run=_run(runs[0]),
            rows=[_shown(each) for each in rows[:SHOWN]],
            after=rows[SHOWN - 1]["position"] if len(rows) > SHOWN else None,
            about=words,
            chosen=chosen,
            states=STATES,
            actions=tuple(Action),
            narrowed=bool(words or any(chosen.values()) or after >= 0),
        )

    async def find(self, request: Request, wanted: str) -> Response:
        """The search field with what has that name; an id leads on to its story; without either: what is marked."""
        words = plain(wanted)
        if (about := subject_of(words)) is not None:
            async with self._store.reading() as conn:
                known = (await story_of(conn, about)).known
            if known:
                return RedirectResponse(path_of(about), status_code=303)
        async with self._store.reading() as conn:
            found = await _named(conn, words) if words else await _marked(conn)
        status = 404 if words and not found else 200
        return self._layout.page(request, "find_organization.html", status, wanted=words, found=found)

    async def story(self, request: Request, about: Subject | None) -> Response:
        """The story of one account or organization. 404 where nothing is known."""
        if about is None:
            raise HTTPException(404)
        async with self._store.reading() as conn:
            story = await story_of(conn, about)
        if not story.known:
            raise HTTPException(404)
        return self._layout.page(
            request,
            "organization.html",
            about=about,
            name=story.name,
            stands=standing(story),
            organizations=[{**each, "values": values_of(each, story.rows)} for each in story.organizations],
            findings=sorted(story.findings, key=lambda each: (not is_open(each), each["report"])),
            rows=[_shown(each) for each in reversed(story.rows)],
        )


async def brake_of(conn: AsyncConnection, now: datetime) -> dict[str, Any]:
    """How the brake stands: `released`, a lifting that a run may still use; `stopped`, the last run if it was held."""
    free = select(brake_releases).where(
        brake_releases.c.used_by.is_(None), brake_releases.c.released_at > now - LIFTED_FOR
    )
    released = await rows_of(conn, free.order_by(brake_releases.c.released_at).limit(1))
    writing = select(_R).where(_R.c.kind != "plan", _R.c.state.in_(("done", "stopped")))
    last = await rows_of(conn, writing.order_by(_R.c.started_at.desc()).limit(1))
    stopped = _run(last[0]) if last and last[0]["state"] == "stopped" else None
    return {"released": released[0] if released else None, "stopped": stopped}


def about_rows(words: str) -> Any:
    """Where a row of a run is about an id (15 characters of an account's are enough) or has the words in its name."""
    key = normalise(words) or words
    named = _W.c.name.icontains(words, autoescape=True)
    return or_(_W.c.organization_id == key, _W.c.account_id == key, named)


def plain(text: str) -> str:
    """What was typed; an address with a NUL comes no further than the edge."""
    return text.strip()[:200]


def path_of(about: Subject) -> str:
    """Where its story is."""
    return f"/{about.kind}s/{about.id}"


async def _named(conn: AsyncConnection, words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind, table in (("account", accounts), ("organization", organizations)):
        query = select(table).where(table.c.folded_name.contains(folded(words), autoescape=True))
        rows = await rows_of(conn, query.order_by(table.c.folded_name).limit(SHOWN))
        found += [{"kind": kind, "id": row[f"{kind}_id"], "name": row["name"], "note": ""} for row in rows]
    return found


async def _marked(conn: AsyncConnection) -> list[dict[str, Any]]:
    where = (organizations.c.marked, organizations.c.deleted_at.is_(None))
    rows = await rows_of(
        conn, select(organizations).where(*where).order_by(organizations.c.name).limit(SHOWN)
    )
    return [
        {
            "kind": "organization",
            "id": row["organization_id"],
            "name": row["name"],
            "note": "marked for review",
        }
        for row in rows
    ]


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    return value if value in allowed else ""


def _run(row: Row) -> dict[str, Any]:
    """A run with what it counted: `counts` by action, `outcomes` by state of its rows."""
    found = {name: count for name, count in orjson.loads(row["counts"]).items() if count}
    outcomes = {name: found.pop(name) for name in STATES if name in found}
    stopped = orjson.loads(row["stopped_by"]) if row["stopped_by"] else []
    return {**row, "counts": found, "outcomes": outcomes, "stopped_by": stopped}


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "changes": change_words(row)}


def mount_organizations(app: FastAPI, auth: OperatorAuth, pages: OrganizationPages) -> None:
    """The routes, for those whom the guard lets in."""

    @guarded_page(app, auth, RUNS)
    async def runs(request: Request) -> Response:
        return await pages.runs(request)

    @guarded_page(app, auth, RUNS + "/{run_id}")
    async def run(
        request: Request, run_id: str, about: str = "", state: str = "", action: str = "", after: str = ""
    ) -> Response:
        return await pages.run(request, run_id, about, {"state": state, "action": action, "after": after})

    @guarded_page(app, auth, FIND)
    async def find(request: Request, about: str = "") -> Response:
        return await pages.find(request, about)

    @guarded_page(app, auth, FIND + "/{organization_id}")
    async def organization(request: Request, organization_id: str) -> Response:
        return await pages.story(request, subject_of(f"organization:{organization_id}"))

    @guarded_page(app, auth, "/accounts/{account_id}")
    async def account(request: Request, account_id: str) -> Response:
        return await pages.story(request, subject_of(f"account:{account_id}"))
