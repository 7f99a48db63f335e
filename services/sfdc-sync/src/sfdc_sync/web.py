"""sfdc-sync's HTTP side: the operators' pages. It calls nobody; what needs Zendesk or Salesforce, the worker does."""

from fastapi import FastAPI

from sfdc_sync.operations.explain import explain_ticket
from sfdc_sync.operations.integrity_page import INTEGRITY, IntegrityPage, mount_integrity
from sfdc_sync.operations.organization_pages import FIND, RUNS, OrganizationPages, mount_organizations
from sfdc_sync.operations.sharing_page import SHARING, SharingPages, mount_sharing
from sfdc_sync.settings import WebSettings
from supportops.config import HttpSettings
from supportops.runtime.http_server import HttpServer
from supportops.runtime.process import Parts
from supportops.store import Store
from supportops.web.app import operators_app
from supportops.web.auth.guard import OperatorAuth
from supportops.web.site import Link, site_of
from supportops.web.story_page import SEARCH, Story, StoryPage, mount_story

START = SHARING
TICKET = Story(
    explain_ticket,
    "A ticket's record in Salesforce: events, account and contact with their rules, calls, answers.",
)
PAGES = (
    Link("Runs", RUNS),
    Link("Accounts", FIND),
    Link("Find a ticket", SEARCH),
    Link("Integrity", INTEGRITY),
    Link("Sharing", SHARING),
)
"""The navigation: a page of its own adds a line here, and its `mount_…` below."""


def http_server(settings: WebSettings, parts: Parts) -> HttpServer:
    """What serves the pages."""
    site = site_of(settings.operators, "sfdc-sync", START, PAGES)
    auth = OperatorAuth(settings.operators, site, parts.store, parts.metrics)
    app = create_app(parts.store, auth, settings.http)
    return HttpServer(app, (settings.http.host, settings.http.port), parts.metrics, "sfdc-sync-web")


def create_app(store: Store, auth: OperatorAuth, http: HttpSettings | None = None) -> FastAPI:
    """The application, with every page."""
    app = operators_app(auth, http)
    mount_organizations(app, auth, OrganizationPages(store, auth))
    mount_integrity(app, auth, IntegrityPage(store, auth))
    mount_story(app, auth, StoryPage(store, auth.site, TICKET))
    mount_sharing(app, auth, SharingPages(store, auth))
    return app
