"""Three services of one installation on databases of their own, and browsers that reach them by their hosts."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from pydantic import SecretStr

from csat.policy.csat import CsatPolicy
from csat.survey_link.tokens import SurveyTokens
from csat.survey_page.routes import SurveyPage
from csat.web import PAGES
from csat.web import START as CSAT_START
from csat.web import create_app as csat_app
from ingest.operations.counts_page import START as INGEST_START
from ingest.operations.counts_page import create_app as ingest_app
from ingest.webhooks.endpoint import WebhookEndpoint
from ingest.webhooks.freshness import Freshness
from ingest.webhooks.intake import Intake
from ingest.webhooks.parse import Account, Road
from ingest.webhooks.spool import Spool
from notifier.web import START as NOTIFIER_START
from notifier.web import create_app as notifier_app
from supportops.clock import ManualClock
from supportops.config import HttpSettings
from supportops.observability.metrics import Metrics
from supportops.store import Store
from supportops.web.auth.guard import OperatorAuth
from supportops.web.auth.passwords import hash_password
from supportops.web.auth.settings import OperatorsSettings
from supportops.web.site import site_of
from tests.support.engine import store_on

PASSWORD = "correct horse battery staple"
HASHED = hash_password(PASSWORD, PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
TOKEN = "the-token-of-programs-0123"
KEYS = "the-session-key-of-these-tests"
DOMAIN = "ops.example.com"
SERVICES = ("ingest", "csat", "notifier")
STARTS = {"ingest": INGEST_START, "csat": CSAT_START, "notifier": NOTIFIER_START}
APIS = {"ingest": "/api/counts", "csat": "/api/kpi", "notifier": "/api/figures"}
ADDRESSES = {service: f"https://{service}.{DOMAIN}" for service in SERVICES}
SESSION = "__Secure-supportops-session"


def chosen(users: Path | None = None, **values: Any) -> OperatorsSettings:
    """The login that all services share: a password for all, or a users' file."""
    who: dict[str, Any] = {"users_file": users} if users else {"password_hash": HASHED}
    addresses = {f"{service}_url": url for service, url in ADDRESSES.items()}
    return OperatorsSettings(**({"session_keys": KEYS, "cookie_domain": DOMAIN, **who, **addresses} | values))


@dataclass
class Installation:
    """The services' stores; replicas are made of them at will."""

    stores: Mapping[str, Store]
    folder: Path
    away: set[str] = field(default_factory=set)

    def app(self, service: str, login: OperatorsSettings, http: HttpSettings | None = None) -> Any:
        """One replica of a service's HTTP side."""
        store, metrics = self.stores[service], Metrics()
        pages = PAGES if service == "csat" else ()
        site = site_of(login, service, STARTS[service], pages)
        auth = OperatorAuth(login, site, store, metrics, SecretStr(TOKEN))
        if service == "notifier":
            return notifier_app(store, auth, http)
        if service == "csat":
            tokens = SurveyTokens([KEYS], timedelta(days=28), store.clock)
            return csat_app(store, CsatPolicy(), auth, SurveyPage(store, tokens, CsatPolicy()), http)
        intake = Intake(store, Spool(self.folder / "spool"), Account("1"), metrics)
        secrets: dict[Road, list[SecretStr]] = {"native": [SecretStr(KEYS)], "trigger": []}
        freshness = Freshness(timedelta(minutes=5), store.clock, metrics)
        hook = WebhookEndpoint(intake, secrets, freshness, store.clock, metrics)
        return ingest_app(store, intake, hook, auth, http)

    @asynccontextmanager
    async def browser(
        self, login: OperatorsSettings, client: str = "192.0.2.1", http: HttpSettings | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A browser at an address, in front of replicas of its own; it keeps cookies and follows nothing by itself."""
        mounts = {
            url: _Reachable(
                self, service, httpx.ASGITransport(self.app(service, login, http), client=(client, 1))
            )
            for service, url in ADDRESSES.items()
        }
        async with httpx.AsyncClient(mounts=mounts) as opened:
            yield opened


class _Reachable(httpx.AsyncBaseTransport):
    """A service that answers, unless the installation says that it is away."""

    def __init__(self, installation: Installation, service: str, inner: httpx.AsyncBaseTransport) -> None:
        self._installation, self._service, self._inner = installation, service, inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._service in self._installation.away:
            raise httpx.ConnectError("away")
        return await self._inner.handle_async_request(request)


@asynccontextmanager
async def installed(
    new_database: Callable[[str], str], clock: ManualClock, folder: Path
) -> AsyncIterator[Installation]:
    """Databases of all three services."""
    async with AsyncExitStack() as stack:
        stores = {
            name: await stack.enter_async_context(store_on(new_database(name), clock, pool=4))
            for name in SERVICES
        }
        yield Installation(stores, folder)


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
    """Whether the service's first page and its API open."""
    answers = [await browser.get(url(service, path)) for path in ("", APIS[service])]
    found = {answer.status_code for answer in answers}
    assert found in ({200}, {303, 401}), found
    return found == {200}
