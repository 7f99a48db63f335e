"""What is to be done: links and values compared, before anything is written (docs/rules.md S5-S8). Pure.

Only mapped fields, the mark, an empty external id and the tags of other plans are ever touched.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sfdc_sync.organizations.links import Conflict, Link, Links, World, find_links, own_id, winner_of
from sfdc_sync.organizations.model import (
    EXTERNAL_ID,
    FIELD,
    NAME,
    TAGS,
    Account,
    Action,
    Change,
    Item,
    Organization,
    Plan,
    Value,
    joined,
    same,
)
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce.record_id import normalise

NO_SLA = "none"


@dataclass(frozen=True)
class Options:
    """What this run may do beside correcting values."""

    create: bool = False
    relink: bool = True


@dataclass(frozen=True)
class Planner:
    """Compares a world with the rules."""

    policy: OrganizationsPolicy
    options: Options = field(default_factory=Options)

    @cached_property
    def plan_tags(self) -> frozenset[str]:
        """The tags of all plans."""
        return frozenset(self.policy.fields[self.policy.plan.field].values.values())

    def plan(self, world: World) -> Plan:
        """What to do, in the order conflicts, marks, relinks, adoptions, updates, creations; by id within each."""
        links = find_links(world)
        found = list(self._items(links, world))
        items = sorted((each for each in found if each is not None), key=_order)
        return Plan(
            tuple(items),
            unchanged=sum(1 for each in found if each is None),
            linked=len(links.linked) + len(links.adopted) + len(links.relinked),
            accounts=len(world.accounts),
            organizations=len(world.organizations),
        )

    def _items(self, links: Links, world: World) -> Iterator[Item | None]:
        yield from map(_conflict, links.conflicts)
        for link in links.linked:
            yield self._written(Action.UPDATE, link)
        for link in links.adopted:
            yield self._written(Action.ADOPT, link)
        for link in links.relinked:
            yield self._relink(link)
        for account in links.lone_accounts:
            yield self._create(account)
        for organization, rule, account_id in links.orphans:
            yield self._mark(organization, rule, account_id)
        yield from self._lost_sharing(world)

    def _lost_sharing(self, world: World) -> Iterator[Item]:
        """Sharing of organizations whose account was merged into another: a merge of accounts carries none over."""
        owners = [(own_id(each, self.policy.salesforce_id), each) for each in world.organizations]
        holders = dict(owners)
        for loser, organization in owners:
            granted = _shared(organization, world.granted)
            if loser is None or loser not in world.gone or not granted:
                continue
            winner = winner_of(loser, world.gone)
            if winner is None:
                continue
            other = holders.get(winner)
            reason = f"{granted}: agreed with account {loser}, which was merged into {winner}"
            if other is None:
                reason += "; it stays as it is: have it confirmed or undone"
            else:
                own = _shared(other, world.granted) or "nothing is shared"
                reason += f"; it is lost when this organization is merged into {other.id} ({other.name}), where {own}"
            others = (loser,) if other is None else (loser, other.id)
            yield Item(
                Action.SHARING,
                "account_merged",
                organization.name,
                winner,
                organization.id,
                reason=reason,
                others=others,
            )

    def _written(self, action: Action, link: Link, reason: str = "") -> Item | None:
        """The changes of a linked organization; None when it needs none."""
        changes = self.changes(link.account, link.organization)
        if not changes:
            return None
        return Item(
            action,
            link.rule,
            link.organization.name,
            link.account.id,
            link.organization.id,
            tuple(changes),
            reason,
            self._sla(changes),
            link.account.notes,
        )

    def _relink(self, link: Link) -> Item | None:
        reason = f"account {link.moved_from} was merged into {link.account.id}"
        item = self._written(Action.RELINK, link, reason)
        if item is None or self.options.relink:
            return item
        return Item(
            Action.CONFLICT,
            "relink_proposed",
            item.name,
            item.account_id,
            item.organization_id,
            (),
            f"{reason}: `sync --plan FILE`, look at it, `sync --apply FILE`",
        )

    def _create(self, account: Account) -> Item:
        changes = tuple(self._of_new(account))
        action, reason = Action.CREATE, ""
        if not self.options.create:
            action, reason = Action.MISSING, "this run creates no organizations (`--create`)"
        return Item(
            action, "no_organization", account.name, account.id, None, changes, reason, "", account.notes
        )

    def _mark(self, organization: Organization, rule: str, account_id: str) -> Item | None:
        held = organization.values.get(self.policy.marked)
        if held is True or organization.id in self.policy.protected:
            return None
        reason = {
            "account_deleted": "its account was deleted in Salesforce",
            "account_disappeared": "its account is not there: deleted for good, or the integration user may not see it",
        }[rule]
        change = Change(FIELD + self.policy.marked, held, True)
        return Item(Action.MARK, rule, organization.name, account_id, organization.id, (change,), reason)

    def changes(self, account: Account, organization: Organization) -> list[Change]:
        """What of a linked organization is not as it should be."""
        found = list(self._of_fields(account, organization))
        if organization.values.get(self.policy.marked) is True:
            found.append(Change(FIELD + self.policy.marked, True, False))
        if self.policy.write_external_id and _external_id_is_ours(organization.external_id, account.id):
            found.append(Change(EXTERNAL_ID, organization.external_id, account.id))
        if self.policy.sync_name and organization.name.strip() != account.name:
            found.append(Change(NAME, organization.name, account.name))
        if (tags := self._tags(account, organization)) is not None:
            found.append(Change(TAGS, joined(organization.tags), joined(tags)))
        return found

    def _of_fields(self, account: Account, organization: Organization) -> Iterator[Change]:
        for key, wanted in account.target.items():
            held = organization.values.get(key)
            if key == self.policy.salesforce_id and own_id(organization, key) == account.id and held:
                continue  # of 15 characters, or with its case damaged: the same id
            if not same(held, wanted):
                yield Change(FIELD + key, held, wanted)

    def _of_new(self, account: Account) -> Iterator[Change]:
        yield Change(NAME, None, account.name)
        if self.policy.write_external_id:
            yield Change(EXTERNAL_ID, None, account.id)
        for key, wanted in account.target.items():
            if not same(None, wanted):
                yield Change(FIELD + key, None, wanted)

    def _tags(self, account: Account, organization: Organization) -> tuple[str, ...] | None:
        """The organization's tags without those of other plans; None when there are none of them.

        Zendesk copies an organization's tags to its tickets, so a stale plan would live on there.
        """
        key = self.policy.plan.field
        if not self.policy.plan.remove_stale_tags or key not in account.target:
            return None
        plan = account.target[key]
        stale = self.plan_tags & set(organization.tags) - {plan}
        if not stale:
            return None
        kept = [tag for tag in organization.tags if tag not in stale]
        if isinstance(plan, str) and plan not in kept:
            kept.append(plan)
        return tuple(kept)

    def _sla(self, changes: Collection[Change]) -> str:
        key = FIELD + self.policy.plan.field
        change = next((each for each in changes if each.key == key), None)
        if change is None:
            return ""
        before, after = self._policy_of(change.before), self._policy_of(change.after)
        return "" if before == after else f"{before} -> {after}"

    def _policy_of(self, plan: Value) -> str:
        return self.policy.plan.sla.get(str(plan), NO_SLA)


def left_over(plan: Plan, waiting: Collection[str], *, creates: bool, delta: bool) -> dict[str, str]:
    """Accounts that are to be looked at again by the next delta, which sees only what changed; with the reason.

    Those that a delta could not give an organization (`creates`: it may make some), and of those that were `waiting`
    already whoever still has none. `plan`: what the run could do; what it wrote is not asked here.
    """
    found = {
        account_id: item.reason
        for item in plan.items
        if item.rule in _NO_ORGANIZATION and item.action in (Action.CONFLICT, Action.MISSING)
        for account_id in ([item.account_id] if item.account_id else item.others)
    }
    if delta and creates:
        return found
    return {account_id: reason for account_id, reason in found.items() if account_id in waiting}


_NO_ORGANIZATION = frozenset({"no_organization", "ambiguous_name", "name_taken", "several_claims"})
"""Rules by which an account ends without an organization, and may get one when something else changes."""

_RANK = {
    Action.CONFLICT: 0,
    Action.SHARING: 1,
    Action.MISSING: 2,
    Action.MARK: 3,
    Action.RELINK: 4,
    Action.ADOPT: 5,
    Action.UPDATE: 6,
    Action.CREATE: 7,
}


def _order(item: Item) -> tuple[int, str, str]:
    return _RANK[item.action], item.organization_id or "", item.account_id or ""


def _conflict(conflict: Conflict) -> Item:
    account, organization = conflict.account, conflict.organization
    named = organization or account
    return Item(
        Action.CONFLICT,
        conflict.rule,
        named.name if named is not None else "",
        account.id if account is not None else None,
        organization.id if organization is not None else None,
        reason=conflict.reason,
        others=conflict.others,
    )


def _shared(organization: Organization, granted: Mapping[str, str]) -> str:
    """What members see of each other's tickets, in words; empty: nothing."""
    switched = "shared_tickets is on" if organization.shared else ""
    return "; ".join(each for each in (granted.get(organization.id, ""), switched) if each)


def _external_id_is_ours(held: str | None, account_id: str) -> bool:
    """Whether the external id is to be written: it is empty, or another account's. Anything else stays."""
    if not held:
        return True
    found = normalise(held)
    return found is not None and found != account_id
