"""The services of one installation on databases of their own, and browsers that reach them by their hosts."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from html import unescape
from inspect import getclosurevars
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from pydantic import SecretStr

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.routes import SurveyPage
from csat.web import PAGES as CSAT_PAGES
from csat.web import START as CSAT_START
from csat.web import create_app as csat_app
from ingest.operations.counts_page import START as INGEST_START
from ingest.operations.counts_page import create_app as ingest_app
from ingest.webhooks.endpoint import WebhookEndpoint
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import Account, Road
from ingest.webhooks.spool import Spool
from notifier.operations.pages import PAGES as NOTIFIER_PAGES
from notifier.policy.breach_settings import Acknowledging
from notifier.settings import SlackRequestsSettings
from notifier.slack.requests import SlackRequests
from notifier.web import START as NOTIFIER_START
from notifier.web import SlackSide
from notifier.web import create_app as notifier_app
from sandbox.clients import tls
from sfdc_sync.web import PAGES as SFDC_PAGES
from sfdc_sync.web import START as SFDC_START
from sfdc_sync.web import create_app as sfdc_app
from supportops.clock import ManualClock
from supportops.config import HttpSettings
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.passwords import hash_password
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import Link, site_of
from tests.support.engine import store_on

PASSWORD = "correct horse battery staple"
HASHED = hash_password(PASSWORD, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
TOKEN = "the-token-of-programs-0123"
KEYS = "the-session-key-of-these-tests"
DOMAIN = "ops.example.com"
SLACK_SECRET, TEAM = "the-signing-secret-of-these-tests", "T0TESTS"
SERVICES = ("ingest", "csat", "notifier", "sfdc-sync")
STARTS = {"ingest": INGEST_START, "csat": CSAT_START, "notifier": NOTIFIER_START, "sfdc-sync": SFDC_START}
PAGES: dict[str, tuple[Link, ...]] = {
    "ingest": (),
    "csat": CSAT_PAGES,
    "notifier": NOTIFIER_PAGES,
    "sfdc-sync": SFDC_PAGES,
}
APIS = {"ingest": "/api/counts", "csat": "/api/kpi", "notifier": "/api/figures"}
ADDRESSES = {service: f"https://{service}.{DOMAIN}" for service in SERVICES}
SESSION = "__Secure-supportops-session"


def setting_of(service: str) -> str:
    """The setting that holds a service's address."""
    return f"{service.replace('-', '_')}_url"


def chosen(users: Path | None = None, **values: Any) -> OperatorsSettings:
    """The login that all services share: a password for all, or a users' file."""
    who: dict[str, Any] = {"users_file": users} if users else {"password_hash": HASHED}
    addresses = {setting_of(service): url for service, url in ADDRESSES.items()}
    return OperatorsSettings(**({"session_keys": KEYS, "cookie_domain": DOMAIN, **who, **addresses} | values))


@dataclass
class Installation:
    """Opens the services' databases as they are needed; replicas are made at will."""

    new_database: Callable[[str], str]
    clock: ManualClock
    folder: Path
    opened: AsyncExitStack
    away: set[str] = field(default_factory=set)
    _stores: dict[str, Store] = field(default_factory=dict)

    async def store(self, service: str) -> Store:
        """The service's database, migrated."""
        if service not in self._stores:
            url = self.new_database(service.replace("-", "_"))
            self._stores[service] = await self.opened.enter_async_context(store_on(url, self.clock, pool=4))
        return self._stores[service]

    async def app(self, service: str, login: OperatorsSettings, http: HttpSettings | None = None) -> Any:
        """One replica of a service's HTTP side: an ASGI application."""
        store, metrics = await self.store(service), Metrics()
        site = site_of(login, service, STARTS[service], PAGES[service])
        auth = OperatorAuth(login, site, store, metrics, SecretStr(TOKEN))
        if service == "notifier":
            return notifier_app(store, auth, http, self._slack())
        if service == "sfdc-sync":
            return sfdc_app(store, auth, http)
        if service == "csat":
            tokens = SurveyTokens([KEYS], timedelta(days=28), store.clock)
            return csat_app(store, CsatPolicy(), auth, SurveyPage(store, tokens, CsatPolicy()), http)
        intake = Intake(store, Spool(self.folder / "spool"), Account("1"), metrics)
        secrets: dict[Road, list[SecretStr]] = {"native": [SecretStr(KEYS)], "trigger": []}
        freshness = Freshness(timedelta(minutes=5), store.clock, metrics)
        hook = WebhookEndpoint(intake, secrets, freshness, store.clock, metrics)
        return ingest_app(store, intake, hook, auth, http)

    def _slack(self) -> SlackSide:
        settings = SlackRequestsSettings(signing_secret=SecretStr(SLACK_SECRET), team_id=TEAM)
        return SlackSide(SlackRequests(settings, self.clock), Acknowledging())

    @asynccontextmanager
    async def browser(
        self,
        login: OperatorsSettings,
        client: str = "192.0.2.1",
        http: HttpSettings | None = None,
        replicas: dict[str, Any] | None = None,
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A browser at an address; it keeps cookies and follows nothing by itself. It stands in front of replicas of
        its own, made when they are asked, or in front of those in `replicas`: applications by service.
        """
        shared = {} if replicas is None else replicas
        mounts = {
            url: _Reachable(self, service, partial(self._transport, shared, service, login, client, http))
            for service, url in ADDRESSES.items()
        }
        async with httpx.AsyncClient(mounts=mounts, verify=tls()) as opened:
            yield opened

    async def _transport(
        self,
        shared: dict[str, Any],
        service: str,
        login: OperatorsSettings,
        client: str,
        http: HttpSettings | None,
    ) -> httpx.ASGITransport:
        if service not in shared:
            shared[service] = await self.app(service, login, http)
        return httpx.ASGITransport(shared[service], client=(client, 1))


type Opening = Callable[[], Awaitable[httpx.ASGITransport]]


class _Reachable(httpx.AsyncBaseTransport):
    """A replica, made when it is asked for the first time; it answers unless its service is away."""

    def __init__(self, installation: Installation, service: str, opening: Opening) -> None:
        self._installation, self._service, self._opening = installation, service, opening
        self._inner: httpx.ASGITransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._service in self._installation.away:
            raise httpx.ConnectError("away")
        if self._inner is None:
            self._inner = await self._opening()
        return await self._inner.handle_async_request(request)


@asynccontextmanager
async def installed(
    new_database: Callable[[str], str], clock: ManualClock, folder: Path
) -> AsyncIterator[Installation]:
    """An installation whose databases are closed with it."""
    async with AsyncExitStack() as stack:
        yield Installation(new_database, clock, folder, stack)


def routes_of(app: Any) -> Iterator[tuple[str, str]]:
    """Path and method of everything that a service's HTTP side answers; ingest's webhooks stand in front of its."""
    pages: Any = app if isinstance(app, FastAPI) else getclosurevars(app).nonlocals["pages"]
    for each in pages.routes:
        included = getattr(each, "original_router", None)
        for route in included.routes if included else [each]:
            yield from ((route.path, method) for method in sorted(route.methods))


def url(service: str, path: str = "") -> str:
    """The address of a service's path; of its first page."""
    return ADDRESSES[service] + (path or STARTS[service])


def form_token(page: str) -> str:
    """The token in a page's form."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def pictures(page: str) -> list[str]:
    """The addresses of a page's pictures."""
    return [unescape(address) for address in re.findall(r'<img src="([^"]+)"', page)]


async def log_in(
    browser: httpx.AsyncClient, service: str = "csat", name: str = "", password: str = PASSWORD
) -> httpx.Response:
    """Open the login page of a service, fill in its form and send it."""
    shown = await browser.get(url(service, "/login"))
    fields = {"form_token": form_token(shown.text), "username": name, "password": password}
    return await browser.post(url(service, "/login"), data=fields)


async def log_out(browser: httpx.AsyncClient, service: str) -> httpx.Response:
    """Press the button of a service's first page."""
    shown = await browser.get(url(service))
    return await browser.post(url(service, "/logout"), data={"form_token": form_token(shown.text)})


async def opens(browser: httpx.AsyncClient, service: str) -> bool:
    """Whether the service's first page opens, and its API where it has one."""
    shut = {"": 303} | ({APIS[service]: 401} if service in APIS else {})
    found = {path: (await browser.get(url(service, path))).status_code for path in shut}
    assert found in (shut, dict.fromkeys(shut, 200)), found
    return found != shut
