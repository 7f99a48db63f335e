"""sfdc-sync on both databases, against the sandbox as a process of its own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sfdc_sync.matching.matcher import Matcher
from sfdc_sync.organizations.repository import Repository
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.salesforce.client import Salesforce, open_salesforce
from sfdc_sync.settings import ZENDESK_SCOPES, SalesforceSettings
from sfdc_sync.ticket_records.destination import TicketRecords
from sfdc_sync.ticket_records.directory import ZendeskDirectory
from sfdc_sync.ticket_records.facts import Facts
from supportops.clock import SystemClock
from supportops.config import DatabaseSettings
from supportops.observability.metrics import Metrics
from supportops.store import Store, open_store
from supportops.vendors.zendesk import References, open_zendesk
from tests.integration.sfdc_sync.app import RULES, Service
from tests.integration.sfdc_sync.sandbox import Outside
from tests.integration.sfdc_sync.sharing_app import SharingWorld, sharing_world
from tests.integration.sfdc_sync.sync_app import Sync, compared
from tests.support.sandbox import zendesk_settings


@pytest.fixture
def outside(sandbox_url: str) -> Iterator[Outside]:
    """Its controls."""
    found = Outside(sandbox_url)
    yield found
    found.close()


@pytest.fixture
def database(new_database: Callable[[str], str]) -> str:
    """The URL of a fresh sfdc-sync database, migrated."""
    return new_database("sfdc_sync")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """The same, opened."""
    settings = DatabaseSettings(url=SecretStr(database), pool=4)
    async with open_store(settings, clock=SystemClock()) as opened:
        yield opened


@pytest.fixture
def salesforce_settings(outside: Outside) -> SalesforceSettings:
    """The sandbox's org, with little patience."""
    return SalesforceSettings(
        login_url="",
        client_id="sandbox-client",
        client_secret=SecretStr("sandbox-secret"),
        api_version="62.0",
        sandbox_url=f"{outside.base_url}/salesforce",
        connect_timeout=timedelta(seconds=1),
        read_timeout=timedelta(seconds=1),
    )


@pytest.fixture
async def salesforce(salesforce_settings: SalesforceSettings) -> AsyncIterator[Salesforce]:
    """The real client."""
    async with open_salesforce(salesforce_settings, RULES.pauses, Metrics()) as opened:
        yield opened


@pytest.fixture
def rules() -> SfdcPolicy:
    """The organization's rules; a test that needs others has a fixture of this name."""
    return RULES


@pytest.fixture
async def service(
    store: Store, salesforce: Salesforce, outside: Outside, rules: SfdcPolicy
) -> AsyncIterator[Service]:
    """Wired as in `wiring.work`, without broker and process."""
    metrics, clock = Metrics(), SystemClock()
    account = zendesk_settings(outside.base_url)
    async with AsyncExitStack() as stack:
        zendesk = await stack.enter_async_context(
            open_zendesk(account, ZENDESK_SCOPES, clock=clock, metrics=metrics)
        )
        names = References(zendesk, clock=clock, metrics=metrics)
        directory = ZendeskDirectory(zendesk, names, policy=rules, base_url=account.base_url)
        matcher = Matcher(
            salesforce,
            rules.matching,
            clock=clock,
            lifetime=rules.lookup_lifetime,
            merges=Repository(store).merges,
        )
        facts = Facts(directory, matcher, rules)
        records = TicketRecords(
            store, salesforce, facts, rules, call_timeout=timedelta(seconds=2), metrics=metrics
        )
        yield Service(store, records, metrics, rules, zendesk, facts)


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """A file with nothing but our section, all by default."""
    path = tmp_path / "rules.yaml"
    path.write_text("sfdc_sync: {}\n")
    return path


@pytest.fixture
async def world(store: Store) -> AsyncIterator[SharingWorld]:
    """Shared organizations around a stand-in of their own, inside the test's loop."""
    async with sharing_world(store) as made:
        yield made


@pytest.fixture
async def sync(store: Store, salesforce: Salesforce, outside: Outside) -> AsyncIterator[Sync]:
    """Accounts to organizations, both sides as after a reset, the first full compare done."""
    async with compared(store, salesforce, outside) as made:
        yield made
