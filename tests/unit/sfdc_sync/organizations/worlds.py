"""Builders of accounts and organizations, and a Zendesk that does what a plan says."""

from collections.abc import Iterable
from dataclasses import replace

from sfdc_sync.organizations.links import World
from sfdc_sync.organizations.model import (
    EXTERNAL_ID,
    FIELD,
    NAME,
    TAGS,
    Account,
    Gone,
    Item,
    Organization,
    Value,
)
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.salesforce.record_id import to18

POLICY = OrganizationsPolicy()


def sf_id(number: int) -> str:
    return to18(f"001D000000{number:05d}")


A, B, C, D = (sf_id(number) for number in range(1, 5))


def account(
    account_id: str = A, name: str = "Acme", *, wanted: bool = True, back: str | None = None, **target: Value
) -> Account:
    values: dict[str, Value] = {"salesforce_id": account_id, "support_level": "premium"}
    return Account(account_id, name, wanted, back, values | target)


def organization(
    key: str = "1",
    name: str = "Acme",
    *,
    of: str | None = None,
    external_id: str | None = None,
    tags: tuple[str, ...] = (),
    **values: Value,
) -> Organization:
    fields: dict[str, Value] = {"support_level": "premium"} if of else {}
    if of:
        fields["salesforce_id"] = of
    return Organization(key, name, external_id or of, fields | values, tags)


def world(
    accounts: Iterable[Account] = (),
    organizations: Iterable[Organization] = (),
    gone: Iterable[Gone] = (),
    *,
    complete: bool = True,
) -> World:
    return World(tuple(accounts), {each.id: each for each in gone}, tuple(organizations), complete)


FIRST_NEW = 1_000


def written(organizations: dict[str, Organization], item: Item) -> None:
    """Do to Zendesk what the item says, and nothing else."""
    if item.organization_id is None:
        key = str(1 + max([FIRST_NEW, *map(int, organizations)]))  # an id that no account has named before
        found = Organization(key, "")
    else:
        found = organizations[item.organization_id]
    for change in item.changes:
        match change.key:
            case str() as key if key == NAME:
                found = replace(found, name=str(change.after))
            case str() as key if key == EXTERNAL_ID:
                found = replace(found, external_id=str(change.after))
            case str() as key if key == TAGS:
                found = replace(found, tags=tuple(str(change.after).split()))
            case key:
                found = replace(found, values={**found.values, key.removeprefix(FIELD): change.after})
    organizations[found.id] = found
