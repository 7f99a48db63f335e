"""Which account belongs to which organization (docs/rules.md S6). Pure.

By id before name, never by a guess: what two may claim is a conflict, and nobody gets it.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sfdc_sync.organizations.model import Account, Gone, Organization
from sfdc_sync.salesforce import record_id
from sfdc_sync.salesforce.names import folded

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@dataclass(frozen=True, slots=True)
class Link:
    """An account and its organization; `rule` found it. `moved_from`: the merged account whose it was."""

    account: Account
    organization: Organization
    rule: str
    moved_from: str | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why nothing is done about an account or an organization."""

    rule: str
    reason: str
    account: Account | None = None
    organization: Organization | None = None
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Links:
    """Everything that was read, sorted by what may be done about it."""

    linked: list[Link] = field(default_factory=list)
    adopted: list[Link] = field(default_factory=list)
    relinked: list[Link] = field(default_factory=list)
    lone_accounts: list[Account] = field(default_factory=list)
    """Wanted, without an organization, and with a name that nobody else has."""
    orphans: list[tuple[Organization, str, str]] = field(default_factory=list)
    """Organizations without an account, with rule (`account_deleted`, `account_disappeared`) and the account's id."""
    conflicts: list[Conflict] = field(default_factory=list)


@dataclass(frozen=True)
class World:
    """What was read. `complete`: all accounts and organizations; then what is missing is really missing.

    `merged_away`: of accounts whose organization was merged into another: the winner's id.
    """

    accounts: Sequence[Account]
    gone: Mapping[str, Gone]
    organizations: Sequence[Organization]
    complete: bool = True
    merged_away: Mapping[str, str] = field(default_factory=dict)
    known_names: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Folded name -> ids of accounts as they were last called, also of those that were not read this time."""
    salesforce_id: str = "salesforce_id"
    granted: Mapping[str, str] = field(default_factory=dict)
    """Organization's id -> the sharing request in force for it, in words."""


def winner_of(account_id: str, gone: Mapping[str, Gone]) -> str | None:
    """The account at the end of a chain of merges; None when the chain ends in one that is deleted."""
    seen: set[str] = set()
    here: str | None = account_id
    while here is not None and here in gone:
        if here in seen:
            return None
        seen.add(here)
        here = gone[here].winner
    return here


def own_id(organization: Organization, key: str = "salesforce_id") -> str | None:
    """The account's id that an organization holds, of 18 characters: its field, else its external id."""
    field = organization.values.get(key)
    return record_id.account_id(field if isinstance(field, str) else None) or record_id.account_id(
        organization.external_id
    )


def domain_problem(domain: str, public: frozenset[str] = frozenset()) -> str:
    """What is wrong with an organization's domain; empty when it is well formed (S6: no special characters)."""
    text = domain.strip()
    if text != domain or not text:
        return "is empty or has blanks around it"
    try:
        ascii_form = text.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return "is no domain name"
    labels = ascii_form.split(".")
    if (
        len(labels) < 2
        or len(ascii_form) > 253
        or not all(map(_LABEL.fullmatch, labels))
        or labels[-1].isdigit()
    ):
        return "is no domain name: no scheme, path, port, @, blank or special character"
    if ascii_form in public:
        return "belongs to a public mail service, so strangers would join this organization"
    return ""


def find_links(world: World) -> Links:
    """Sort what was read."""
    return _Linker(world).run()


class _Linker:
    """One pass over a world; each step takes what the steps before it left."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._out = Links()
        self._accounts = {each.id: each for each in world.accounts}
        self._organizations = {each.id: each for each in world.organizations}
        self._own: dict[str, list[Organization]] = defaultdict(list)
        self._free: dict[str, list[Organization]] = defaultdict(list)
        self._named: dict[str, list[Organization]] = defaultdict(list)
        self._names: dict[str, set[str]] = defaultdict(set)
        self._claims: dict[str, list[Link]] = defaultdict(list)
        self._losers: dict[str, list[tuple[Organization, str]]] = defaultdict(list)
        self._disputed: set[str] = set()

    def run(self) -> Links:
        self._index()
        for account in self._world.accounts:
            self._place(account)
        self._grant_claims()
        self._look_for_orphans()
        return self._out

    def _index(self) -> None:
        for organization in self._world.organizations:
            account_id = own_id(organization, self._world.salesforce_id)
            name = folded(organization.name)
            self._named[name].append(organization)
            if account_id is None:
                self._free[name].append(organization)
            else:
                self._own[account_id].append(organization)
        for loser, organizations in self._own.items():
            if (winner := self._winner(loser)) is not None:
                self._losers[winner] += [(organization, loser) for organization in organizations]
        for name, ids in self._world.known_names.items():
            self._names[name].update(set(ids) - self._accounts.keys() - self._world.gone.keys())
        for account in self._world.accounts:
            self._names[folded(account.name)].add(account.id)

    def _winner(self, loser: str) -> str | None:
        return winner_of(loser, self._world.gone) if loser in self._world.gone else None

    def _place(self, account: Account) -> None:
        mine = self._own.get(account.id, [])
        if len(mine) > 1:
            self._conflict(
                "repeat_organizations", f"{len(mine)} organizations hold this account's id", account, mine
            )
        elif mine:
            self._check_linked(account, mine[0])
        elif not self._by_merge(account) and not self._by_back_reference(account) and account.wanted:
            self._by_name(account)

    def _check_linked(self, account: Account, organization: Organization) -> None:
        back = account.back_reference
        other = self._organizations.get(back) if back not in (None, organization.id) else None
        if other is not None:
            self._conflict(
                "ids_disagree",
                f"organization {organization.id} holds this account's id, but the account names {other.id}",
                account,
                [organization, other],
            )
            return
        self._out.linked.append(Link(account, organization, "salesforce_id"))

    def _by_merge(self, account: Account) -> bool:
        """An organization whose account was merged into this one, or whose own successor is known."""
        losers = self._losers.get(account.id, [])
        if len(losers) > 1:
            found = [organization for organization, _ in losers]
            reason = "several organizations belonged to accounts that were merged into this one"
            self._conflict("merged_accounts", reason, account, found)
            return True
        for organization, loser in losers:
            self._claims[organization.id].append(Link(account, organization, "account_merged", loser))
            return True
        return self._by_merged_organization(account)

    def _by_merged_organization(self, account: Account) -> bool:
        if account.id not in self._world.merged_away:
            return False
        winner = self._organizations.get(self._world.merged_away[account.id])
        if winner is None:
            return False
        if own_id(winner, self._world.salesforce_id) is not None:
            reason = f"its organization was merged into {winner.id}, which belongs to another account"
            self._conflict("organization_merged", reason, account, [winner])
        else:
            self._claims[winner.id].append(Link(account, winner, "organization_merged"))
        return True

    def _by_back_reference(self, account: Account) -> bool:
        named = self._organizations.get(account.back_reference or "")
        if named is None:
            return False
        holder = own_id(named, self._world.salesforce_id)
        if holder is None:
            self._claims[named.id].append(Link(account, named, "back_reference"))
            return True
        reason = f"the account names organization {named.id}, which holds the id of {holder}"
        self._conflict("ids_disagree", reason, account, [named], holder)
        return True

    def _by_name(self, account: Account) -> None:
        name = folded(account.name)
        twins = tuple(sorted(self._names[name] - {account.id}))
        if twins:
            reason = f"of the same name: {', '.join(twins)}"
            self._out.conflicts.append(Conflict("ambiguous_name", reason, account, others=twins))
            return
        taken, free = self._named.get(name, []), self._free.get(name, [])
        if len(taken) == 1 and free:
            self._claims[free[0].id].append(Link(account, free[0], "name"))
        elif taken:
            reason = "an organization of this name belongs to another account, or there are several"
            self._conflict("name_taken", reason, account, taken)
        else:
            self._out.lone_accounts.append(account)

    def _grant_claims(self) -> None:
        """An organization that one account claims is that account's; one that several claim is nobody's."""
        for links in self._claims.values():
            if len(links) == 1:
                link = links[0]
                (self._out.relinked if link.moved_from else self._out.adopted).append(link)
                continue
            ids = tuple(sorted(link.account.id for link in links))
            self._out.conflicts.append(
                Conflict(
                    "several_claims", f"accounts {', '.join(ids)} claim it", None, links[0].organization, ids
                )
            )

    def _look_for_orphans(self) -> None:
        claimed = set(self._claims)
        for account_id, organizations in self._own.items():
            if account_id in self._accounts:
                continue
            for organization in organizations:
                if organization.id not in claimed and organization.id not in self._disputed:
                    self._orphan(organization, account_id)

    def _orphan(self, organization: Organization, account_id: str) -> None:
        winner = self._winner(account_id)
        if winner is not None and winner in self._accounts:
            reason = (
                f"its account was merged into {winner}, which has its own: merge the two in Zendesk by hand"
            )
            self._out.conflicts.append(
                Conflict("merged_account", reason, self._accounts[winner], organization, (account_id,))
            )
        elif account_id in self._world.gone:
            self._out.orphans.append((organization, "account_deleted", account_id))
        elif self._world.complete:
            self._out.orphans.append((organization, "account_disappeared", account_id))

    def _conflict(
        self,
        rule: str,
        reason: str,
        account: Account,
        organizations: Iterable[Organization],
        *others: str,
    ) -> None:
        ids = [each.id for each in organizations]
        self._disputed.update(ids)
        first = self._organizations[ids[0]] if ids else None
        self._out.conflicts.append(Conflict(rule, reason, account, first, (*ids[1:], *others)))
