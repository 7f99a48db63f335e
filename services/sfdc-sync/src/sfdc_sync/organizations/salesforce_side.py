"""Reading accounts: which fields, all of them in pages, those that changed, and what became of those that are gone.

A field that may not be read stops everything: it must never be taken for empty. Filters hide those who left, so linked
accounts are read whatever their type is, and deleted ones from the recycle bin (docs/vendors/salesforce.md#queries).
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

from sfdc_sync.organizations.fields import Unmappable, account_of
from sfdc_sync.organizations.model import Account, Gone
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.policy.overrides import Overrides
from sfdc_sync.salesforce.record_id import normalise
from sfdc_sync.salesforce.rows import Row, value_at
from sfdc_sync.salesforce.soql import in_lists, literal
from supportops.errors import DestinationPaused, Permanent

MOST_MERGES = 5
"""Links of a chain of merged accounts that are followed."""
_GONE = "SELECT Id, IsDeleted, MasterRecordId FROM Account"


class SalesforcePort(Protocol):
    """What we need of `salesforce.client.Salesforce`."""

    def pages(self, soql: str, *, deleted: bool = False) -> AsyncIterator[list[Mapping[str, Any]]]: ...
    async def more(self, url: object) -> list[Mapping[str, Any]]: ...
    async def describe(self, object_name: str) -> Mapping[str, Any] | None: ...
    def quota_reached(self, share: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class SalesforceOrg:
    """Which Salesforce this is."""

    id: str
    sandbox: bool
    name: str = ""


@dataclass(slots=True)
class AccountsRead:
    """Accounts that live, those that are gone, and rows that could not be used."""

    living: dict[str, Account] = field(default_factory=dict)
    gone: dict[str, Gone] = field(default_factory=dict)
    unusable: int = 0


class Unreadable(Permanent):
    """The integration user may not read what the rules name: nothing is compared, nothing is written."""


class AccountReader:
    """Reads accounts as the rules map them. `today`: the day that plans expire by."""

    def __init__(
        self,
        salesforce: SalesforcePort,
        policy: OrganizationsPolicy,
        overrides: Overrides,
        today: Callable[[], date],
        seen: Callable[[Row, str], None] = lambda _row, _account_id: None,
    ) -> None:
        self._salesforce, self._policy, self._overrides = salesforce, policy, overrides
        self._today = today
        self._seen = seen

    async def org(self) -> SalesforceOrg:
        """The org that answers. Raises Unreadable when it does not say."""
        async for rows in self._salesforce.pages("SELECT Id, IsSandbox, Name FROM Organization"):
            for row in rows:
                key = normalise(str(row.get("Id")))
                if key is not None and isinstance(row.get("IsSandbox"), bool):
                    return SalesforceOrg(key, row["IsSandbox"], str(row.get("Name") or ""))
        raise Unreadable("Salesforce does not say which org this is (SELECT Id, IsSandbox FROM Organization)")

    async def check_readable(self) -> None:
        """Every field that the rules name is there for the integration user. Raises Unreadable with their names."""
        described = await self._salesforce.describe("Account")
        if described is None:
            raise Unreadable("Account does not exist, or the integration user may not see it")
        fields = [each for each in described.get("fields", []) if isinstance(each, dict)]
        names = {str(each.get("name", "")).lower() for each in fields}
        parents = {str(each.get("relationshipName") or "").lower() for each in fields}
        missing = [
            path
            for path in self._paths()
            if (path.partition(".")[0].lower() not in (parents if "." in path else names))
        ]
        if missing:
            raise Unreadable(
                f"not readable: {', '.join(f'Account.{path}' for path in missing)}. Each does not exist, "
                "or field-level security hides it from the integration user. It would look empty: nothing is written"
            )

    async def all_wanted(self) -> AccountsRead:
        """Every account of the configured types."""
        types = ",".join(literal(each) for each in self._policy.types)
        read = AccountsRead()
        await self._read(f"{self._select()} WHERE Type IN ({types})", read)
        return read

    async def changed_since(self, moment: datetime, linked: Collection[str]) -> AccountsRead:
        """What changed since then: accounts of the configured types, and linked ones whatever they are now."""
        since = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        read = AccountsRead()
        await self._read(f"{self._select()} WHERE SystemModstamp >= {since}", read, deleted=True)
        keep = set(linked)
        read.living = {key: each for key, each in read.living.items() if each.wanted or key in keep}
        return read

    async def by_id(self, ids: Iterable[str], read: AccountsRead) -> None:
        """Add accounts to `read`, whatever their type; deleted ones with the account they were merged into."""
        missing = sorted(set(ids) - read.living.keys() - read.gone.keys())
        for _ in range(MOST_MERGES):
            if not missing:
                return
            for query in in_lists(f"{self._select()} WHERE Id IN", missing):
                await self._read(query, read, deleted=True)
            winners = {each.winner for each in read.gone.values() if each.winner}
            missing = sorted(winners - read.living.keys() - read.gone.keys() - set(missing))

    async def gone_of(self, ids: Iterable[str]) -> dict[str, Gone]:
        """Those of `ids` that are deleted, and what they were merged into, as far as the recycle bin knows."""
        read = AccountsRead()
        missing = sorted(ids)
        for _ in range(MOST_MERGES):
            for query in in_lists(f"{_GONE} WHERE IsDeleted = true AND Id IN", missing):
                await self._read(query, read, deleted=True)
            missing = sorted({each.winner for each in read.gone.values() if each.winner} - read.gone.keys())
        return read.gone

    async def _read(self, soql: str, read: AccountsRead, *, deleted: bool = False) -> None:
        async for rows in self._salesforce.pages(soql, deleted=deleted):
            for row in rows:
                await self._add(row, read)
            if self._salesforce.quota_reached(self._policy.quota_share):
                raise DestinationPaused(
                    "our share of Salesforce's daily requests for runs and checks is used up"
                )

    async def _add(self, row: Row, read: AccountsRead) -> None:
        key = normalise(str(row.get("Id") or ""))
        if key is None:
            read.unusable += 1
            return
        if row.get("IsDeleted") is True:
            winner = row.get("MasterRecordId")
            read.gone[key] = Gone(key, normalise(winner) if isinstance(winner, str) else None)
            read.living.pop(key, None)
            return
        try:
            whole = await self._whole(row)
            read.living[key] = account_of(whole, self._policy, self._overrides, self._today())
            self._seen(whole, key)
        except Unmappable:
            read.unusable += 1

    async def _whole(self, row: Row) -> Row:
        """The row with all rows of its sub-query, which comes in pages of its own."""
        rule = self._policy.plan.subscriptions
        children = value_at(row, rule.relationship) if rule else None
        if rule is None or not isinstance(children, Mapping) or children.get("done") is not False:
            return row
        rest = await self._salesforce.more(children.get("nextRecordsUrl"))
        return {**row, rule.relationship: {"records": [*children.get("records", []), *rest]}}

    def _paths(self) -> list[str]:
        policy = self._policy
        paths = ["Id", "Type", "Name", policy.name, *(rule.source for rule in policy.fields.values())]
        paths += [
            each for each in (policy.back_reference, policy.plan.ends, policy.integrity.product) if each
        ]
        if policy.plan.subscriptions is not None:
            paths.remove(policy.fields[policy.plan.field].source)
        return list(dict.fromkeys(paths))

    def _select(self) -> str:
        converted = {rule.source for rule in self._policy.fields.values() if rule.currency == "converted"}
        columns = [f"convertCurrency({path})" if path in converted else path for path in self._paths()]
        columns += ["IsDeleted", "MasterRecordId", "SystemModstamp"]
        if rule := self._policy.plan.subscriptions:
            inner = ", ".join(dict.fromkeys([rule.status, rule.plan, *([rule.ends] if rule.ends else [])]))
            columns.append(f"(SELECT {inner} FROM {rule.relationship})")  # noqa: S608 # nosec B608 # SOQL of checked names
        return f"SELECT {', '.join(columns)} FROM Account"  # noqa: S608 # nosec B608 # SOQL of checked names
