"""sfdc-sync's pages with three people who may log in, each with a role; the password of each is their name, twice."""

from pathlib import Path

import httpx
from fastapi import FastAPI
from playwright.async_api import Page

from sandbox.demo import PROXY_KEY
from sfdc_sync.web import PAGES, START, create_app
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.passwords import hash_password
from supportops.web.auth.proxy import SECRET_HEADER
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of
from tests.integration.csat.dashboard_app import CHEAP, SESSION_KEYS, form_token
from tests.support import operators_browser
from tests.support.operators_browser import Site

ADDRESS = "http://127.0.0.1:8003"
ROLES = {"lena-looks": "look", "otto-operates": "operate", "anna-approves": "approve"}
PROXY_SECRET = PROXY_KEY
BY_PROXY = {"X-Forwarded-User": "anna-approves", SECRET_HEADER: PROXY_SECRET, "host": "127.0.0.1:8003"}


def application(store: Store, folder: Path) -> FastAPI:
    """The pages as `wiring.http_side` makes them."""
    users = folder / "users"
    lines = [f"{name}:{role}:{hash_password(name * 2, CHEAP)}" for name, role in ROLES.items()]
    users.write_text("\n".join(lines) + "\n")
    users.chmod(0o600)
    settings = OperatorsSettings(
        users_file=users,
        session_keys=SESSION_KEYS,
        proxy_header="X-Forwarded-User",
        proxy_secret=PROXY_SECRET,
        proxy_role="approve",
        csat_url="http://csat.ops.example.com",
        ingest_url="http://ingest.ops.example.com",
        notifier_url="http://notifier.ops.example.com",
    )
    site = site_of(settings, "sfdc-sync", START, PAGES, ADDRESS)
    return create_app(store, OperatorAuth(settings, site, store, Metrics()))


class Browser:
    """Somebody's browser, more or less."""

    def __init__(self, app: FastAPI) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ADDRESS)

    async def log_in(self, name: str) -> None:
        shown = await self.http.get("/login", params={"next": "/sharing"})
        fields = {"form_token": form_token(shown.text), "username": name, "password": name * 2}
        assert (await self.http.post("/login", data=fields)).status_code == 303

    async def send(self, path: str, **fields: str) -> httpx.Response:
        """Fill in a form of the page at `path` and send it; its token stands on every page, for the log-out."""
        shown = await self.http.get("/sharing")
        return await self.http.post(path, data={"form_token": form_token(shown.text), **fields})


async def walk_in(page: Page, site: Site, path: str) -> None:
    """The one who approves logs in, by keyboard."""
    await operators_browser.log_in(page, site, path, "anna-approves" * 2, "anna-approves")
