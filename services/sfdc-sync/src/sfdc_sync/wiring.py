"""The one place that knows every concrete class of sfdc-sync."""

from collections.abc import Collection, Mapping

from sfdc_sync.operations.doctor import examine as examine_salesforce
from sfdc_sync.salesforce.client import open_salesforce
from sfdc_sync.settings import Settings, SfdcRules
from sfdc_sync.ticket_records import handlers
from sfdc_sync.ticket_records.destination import TicketRecords
from sfdc_sync.ticket_records.mapping import Value
from supportops.clock import SystemClock
from supportops.config.rules_file import load
from supportops.delivery import Courier
from supportops.errors import DestinationPaused, Permanent
from supportops.messaging import UNHURRIED, Consumer
from supportops.operations.checks import Finding
from supportops.runtime.process import open_parts, run_process
from supportops.store import open_store
from supportops.store.migrate import upgrade
from supportops.vendors.cache import Lifetime, ReferenceCache
from supportops.vendors.zendesk import Organization, References, User, open_zendesk
from supportops.workers import Relay, engine_retention, janitor

GROUP = "sfdc-sync"
PACKAGE = "sfdc_sync"


class ZendeskDirectory:
    """`destination.Directory` on Zendesk's REST, in batches, remembered for a while."""

    def __init__(
        self,
        users: ReferenceCache[User],
        organizations: ReferenceCache[Organization],
        *,
        rules: SfdcRules,
        base_url: str,
    ) -> None:
        self._users = users
        self._organizations = organizations
        self._rules = rules
        self._base_url = base_url

    async def requesters(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """E-mail address and name of each user that exists."""
        found = await self._read(self._users, ids)
        return {
            key: {"requester_email": user.email, "requester_name": user.name} for key, user in found.items()
        }

    async def organizations(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]]:
        """Name and Salesforce id of each organization that exists."""
        found = await self._read(self._organizations, ids)
        return {key: self._sources(organization) for key, organization in found.items()}

    def ticket_url(self, ticket_id: str) -> str:
        """The agents' page of the ticket."""
        return f"{self._base_url}/agent/tickets/{ticket_id}"

    def _sources(self, organization: Organization) -> Mapping[str, Value]:
        field = (organization.organization_fields or {}).get(self._rules.organization_salesforce_id)
        return {
            "organization_name": organization.name,
            "organization_salesforce_id": field if isinstance(field, str) else None,
        }

    async def _read[T](self, cache: ReferenceCache[T], ids: Collection[str]) -> Mapping[str, T]:
        """A refusal is about our rights, not about these tickets: everything waits for a person."""
        try:
            return await cache.get_many(key for key in sorted(ids) if key.isascii() and key.isdigit())
        except Permanent as error:
            raise DestinationPaused(
                f"Zendesk refuses a look-up: {error}", self._rules.pauses.config
            ) from error


async def work(settings: Settings) -> int:
    """Consumer, relay, courier and janitor, until the process is told to stop; the exit code."""
    rules = load(settings.config.file, PACKAGE, SfdcRules)
    async with (
        open_parts(settings) as parts,
        open_zendesk(settings.zendesk, clock=parts.clock, metrics=parts.metrics) as zendesk,
        open_salesforce(settings.salesforce, rules.pauses) as salesforce,
    ):
        lifetime = Lifetime(found=rules.lookup_lifetime)
        names = References(zendesk, clock=parts.clock, metrics=parts.metrics, lifetime=lifetime)
        directory = ZendeskDirectory(
            names.users, names.organizations, rules=rules, base_url=settings.zendesk.base_url
        )
        records = TicketRecords(
            parts.store,
            salesforce,
            directory,
            rules,
            call_timeout=settings.salesforce.call_timeout,
            metrics=parts.metrics,
        )
        table = handlers.TicketHandlers(rules.ticket_record).table()
        return await run_process(
            settings,
            parts,
            Consumer(parts.broker, parts.store, table, group=GROUP, metrics=parts.metrics, policy=UNHURRIED),
            Relay(parts.broker, parts.store, parts.metrics),
            Courier(parts.store, [records], parts.metrics),
            janitor(parts.store, engine_retention(), parts.metrics),
        )


def migrate(settings: Settings) -> int:
    """Bring the database to the newest revision."""
    upgrade(settings.database.url.get_secret_value(), PACKAGE)
    return 0


async def examine(settings: Settings) -> list[Finding]:
    """Compare the rules with what Salesforce shows the integration user."""
    rules = load(settings.config.file, PACKAGE, SfdcRules)
    async with open_salesforce(settings.salesforce, rules.pauses) as salesforce:
        return await examine_salesforce(salesforce, rules.ticket_record)


async def write_again(settings: Settings, ticket_ids: Collection[str], *, given_up: bool) -> list[str]:
    """Queue the records of these tickets (and of those given up on) anew; the ids that we know."""
    async with open_store(settings.database, clock=SystemClock()) as store, store.transaction() as tx:
        wanted = {*ticket_ids, *(await handlers.given_up(tx) if given_up else ())}
        return await handlers.write_again(tx, wanted)
