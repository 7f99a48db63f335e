"""Reading both sides for a comparison: everything, or what changed since a moment and what was left over."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sfdc_sync.organizations.links import World, own_id
from sfdc_sync.organizations.model import Gone, Organization
from sfdc_sync.organizations.repository import Repository
from sfdc_sync.organizations.salesforce_side import AccountReader, AccountsRead, SalesforceOrg
from sfdc_sync.organizations.zendesk_side import ZendeskSide
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce import record_id
from sfdc_sync.salesforce.names import folded
from supportops.errors import Permanent
from supportops.runtime.output import Report

MOST_MERGES = 100
"""Organizations that vanished and are asked about, in one run."""


@dataclass(frozen=True, slots=True)
class Production:
    """Whether this installation writes to a real Zendesk; a Salesforce sandbox may not, unless told."""

    zendesk: bool
    sandbox_allowed: bool = False


@dataclass(slots=True)
class Reading:
    """What was read. `unreadable`: rows of organizations that could not be; then nothing is created or marked.

    `whole`: every account that matters, not only what changed.
    """

    org: SalesforceOrg
    world: World
    linked: int = 0
    unreadable: int = 0
    accounts: AccountsRead = field(default_factory=AccountsRead)
    whole: bool = False

    @property
    def odd(self) -> int:
        """Rows of either side that could not be read."""
        return self.unreadable + self.accounts.unusable


class WrongEnvironment(Permanent):
    """This is not the Salesforce that was read before, or not one that may write here."""


class Reader:
    """Both sides and our own list of them."""

    def __init__(
        self,
        accounts: AccountReader,
        zendesk: ZendeskSide,
        repository: Repository,
        policy: OrganizationsPolicy,
        production: Production,
        report: Report,
    ) -> None:
        self.accounts, self.zendesk, self.repository = accounts, zendesk, repository
        self.policy, self._production, self.report = policy, production, report

    async def guard(self) -> SalesforceOrg:
        """The org, after a look that it is the right one and that every mapped field is readable."""
        org = await self.accounts.org()
        if self.policy.salesforce_org_id and org.id[:15] != self.policy.salesforce_org_id[:15]:
            raise WrongEnvironment(
                f"this is org {org.id}, the rules name {self.policy.salesforce_org_id} (salesforce_org_id)"
            )
        if org.sandbox and self._production.zendesk and not self._production.sandbox_allowed:
            raise WrongEnvironment(
                f"org {org.id} is a Salesforce sandbox, and this Zendesk is a production account: set "
                "organizations.sandbox_allowed when that is meant"
            )
        kept = await self.repository.pinned(
            "salesforce", f"{org.id} {'sandbox' if org.sandbox else 'production'}"
        )
        if kept != (now := f"{org.id} {'sandbox' if org.sandbox else 'production'}"):
            raise WrongEnvironment(
                f"this is org {now}, earlier runs read {kept}. A refreshed sandbox keeps its record ids: when this is "
                "the right org, `sfdc-sync sync pin`"
            )
        await self.accounts.check_readable()
        return org

    async def everything(self, alive: Callable[[], Awaitable[None]]) -> Reading:
        """All organizations and all accounts that matter, page by page; `alive` is called between pages."""
        org = await self.guard()
        begin = self.repository.now()
        organizations, unreadable = await self._list(alive)
        await alive()
        self.report(None, f"{len(organizations)} organizations; reading accounts")
        read = await self.accounts.all_wanted()
        own = {key for each in organizations if (key := own_id(each, self.policy.salesforce_id))}
        await self.accounts.by_id(own, read)
        await self._remember_merges(own, read)
        await alive()
        lost = {} if unreadable else await self.repository.forget_unseen(begin)
        merged = await self._merged_away({key: lost[key] for key in lost.keys() & read.living.keys() - own})
        world = World(
            tuple(read.living.values()),
            read.gone,
            organizations,
            complete=not unreadable and not read.unusable,
            merged_away=merged,
            salesforce_id=self.policy.salesforce_id,
        )
        return Reading(org, world, len(own & read.living.keys()), unreadable, read, whole=True)

    async def changes(self, since: datetime) -> Reading:
        """What changed in Salesforce since then or in Zendesk as events told, and what was refused before."""
        org = await self.guard()
        linked = await self.repository.linked()
        stale = await self.repository.stale()
        read = await self.accounts.changed_since(since - self.policy.overlap, linked)
        left = await self.repository.refused_accounts()
        left |= {each["account_id"] for each in stale if each["account_id"]}
        await self.accounts.by_id({*left, *(each.winner for each in read.gone.values() if each.winner)}, read)
        wanted = {*read.living, *read.gone}
        ids = await self.repository.holders(wanted & linked.keys())  # two may hold one account's id
        ids |= {each["organization_id"] for each in stale}
        ids |= {each.back_reference for each in read.living.values() if each.back_reference}
        names = {folded(each.name) for each in read.living.values() if each.id not in linked}
        ids |= set(await self.repository.named(names))
        odd: set[str] = set()
        found = await self.zendesk.by_id(ids, odd)
        unlinked = [key for key, each in read.living.items() if each.wanted and key not in linked]
        found |= {each.id: each for each in await self.zendesk.by_external_id(unlinked, odd)}
        _leave_out(odd, read, linked)
        await self.repository.remember(found.values(), self.policy)
        vanished = {key: linked[key] for key in wanted & linked.keys() if linked[key] not in {*found, *odd}}
        await self.repository.mark_deleted(vanished.values())
        merged = await self._merged_away({key: vanished[key] for key in vanished.keys() & read.living.keys()})
        found |= await self.zendesk.by_id(set(merged.values()) - found.keys())
        world = World(
            tuple(read.living.values()),
            read.gone,
            tuple(found.values()),
            complete=False,
            merged_away=merged,
            known_names=await self.repository.names(names),
            salesforce_id=self.policy.salesforce_id,
        )
        return Reading(org, world, len(linked), sum(map(str.isdigit, odd)), read)

    async def some(self, account_ids: set[str], organization_ids: set[str]) -> Reading:
        """These accounts and organizations, as they are now."""
        org = await self.guard()
        read = AccountsRead()
        await self.accounts.by_id(account_ids, read)
        names = {folded(each.name) for each in read.living.values()}
        odd: set[str] = set()
        found = await self.zendesk.by_id({*organization_ids, *await self.repository.named(names)}, odd)
        found |= {each.id: each for each in await self.zendesk.by_external_id(read.living, odd)}
        _leave_out(odd, read, {})
        world = World(
            tuple(read.living.values()),
            read.gone,
            tuple(found.values()),
            complete=False,
            known_names=await self.repository.names(names),
            salesforce_id=self.policy.salesforce_id,
        )
        return Reading(org, world, unreadable=sum(map(str.isdigit, odd)), accounts=read)

    async def _remember_merges(self, own: set[str], read: AccountsRead) -> None:
        """Merges that the recycle bin has forgotten since: it is emptied after two weeks, a relink may wait longer."""
        known = await self.repository.merges()
        for key in (own & known.keys()) - read.living.keys() - read.gone.keys():
            read.gone[key] = Gone(key, known[key])
        await self.accounts.by_id({each.winner for each in read.gone.values() if each.winner}, read)

    async def _list(self, alive: Callable[[], Awaitable[None]]) -> tuple[list[Organization], int]:
        organizations: list[Organization] = []
        unreadable = 0
        async for page, odd in self.zendesk.pages():
            organizations += page
            unreadable += odd
            await self.repository.remember(page, self.policy)
            if len(organizations) % 1_000 == 0:
                await alive()
                self.report(None, f"{len(organizations)} organizations read")
        return organizations, unreadable

    async def _merged_away(self, vanished: dict[str, str]) -> dict[str, str]:
        """Account's id -> the organization that its own was merged into, of those that are not shown any more."""
        found: dict[str, str] = {}
        for account_id, organization_id in sorted(vanished.items())[:MOST_MERGES]:
            winner = await self.zendesk.merged_into(organization_id)
            if winner is not None:
                found[account_id] = winner
        return found


def _leave_out(odd: set[str], read: AccountsRead, linked: Mapping[str, str]) -> None:
    """Accounts whose organization cannot be read: nothing is known of it, so nothing is done about them."""
    own = {key for text in odd if (key := record_id.account_id(text))}
    for key, account in list(read.living.items()):
        if key in own or linked.get(key) in odd or account.back_reference in odd:
            del read.living[key]
