"""What a ticket looked like when it was solved: form, plan, region, group and assignee, for the numbers
(docs/rules.md C9).

Read right after the solve, many tickets at once. Ids that the event itself told are those of the solve, and win over
what the ticket shows by now; the ticket is read only for what the event did not tell. What cannot be found is "" and
holds nothing up. One call at a time, so that a survey waits for at most one of ours where both want Zendesk's share.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from csat import tables
from csat.destinations import DESCRIPTION
from csat.kpi import ticket_facts
from csat.kpi.attributes import Material, fitting, value_of
from csat.policy.kpi import KpiPolicy
from csat.solve import Solve
from supportops.delivery import Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.pausing import quota_pauses_all
from supportops.errors import Permanent
from supportops.observability.logging import get_logger
from supportops.store import Transaction
from supportops.vendors.zendesk import Named, Organization, Ticket, User

BATCH = 100
"""Zendesk's show_many takes no more."""

log = get_logger("csat.kpi")


class Lookup[T](Protocol):
    """Things by id; those that do not exist are left out."""

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]: ...


@dataclass(frozen=True)
class Names:
    """Where names are looked up. Organizations are believed for seconds only: their plan is part of the numbers."""

    organizations: Lookup[Organization]
    forms: Lookup[Named]
    groups: Lookup[Named]
    users: Lookup[User]


class DescribeSolves:
    """Notes names, plan and region of each solve that still counts when they are known."""

    spec = DestinationSpec(
        DESCRIPTION,
        batch=BATCH,
        linger=timedelta(seconds=1),
        concurrency=1,
        timeout=timedelta(minutes=1),
        idempotent=True,
    )

    def __init__(
        self,
        tickets: Callable[[Iterable[str]], Awaitable[Mapping[str, Ticket]]],
        names: Names,
        policy: KpiPolicy,
    ) -> None:
        self._tickets, self._names, self._policy = tickets, names, policy
        self._logged: set[str] = set()

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """Look everything up with a handful of calls; one outcome per solve."""
        solves = [Solve.of(delivery) for delivery in deliveries]
        with quota_pauses_all():
            unclear = [solve.ticket_id for solve in solves if not self._wanted() <= solve.known.keys()]
            described = await self.names_of(solves, await self._found("tickets", self._tickets, unclear))
        return [_outcome(solve, names) for solve, names in zip(solves, described, strict=True)]

    async def names_of(self, solves: Sequence[Solve], tickets: Mapping[str, Ticket]) -> list[dict[str, str]]:
        """Form, plan, region, group_name and assignee of each solve; `tickets`: what was read of them, by id."""

        def ids(name: str) -> list[str]:
            found = (solve.value(name, tickets.get(solve.ticket_id)) for solve in solves)
            return [each for each in found if each]

        organizations = await self._found(
            "organizations", self._names.organizations.get_many, ids("organization_id")
        )
        forms = await self._found("forms", self._names.forms.get_many, ids("form_id"))
        groups = await self._found("groups", self._names.groups.get_many, ids("group_id"))
        users = await self._found("users", self._names.users.get_many, ids("assignee_id"))

        def describe(solve: Solve) -> dict[str, str]:
            ticket = tickets.get(solve.ticket_id)
            organization = organizations.get(solve.value("organization_id", ticket) or "")
            material = self._material(solve, ticket, organization)
            return {
                "form": _name(forms, solve.value("form_id", ticket)),
                "plan": value_of(self._policy.plan, material),
                "region": value_of(self._policy.region, material),
                "group_name": _name(groups, solve.value("group_id", ticket)),
                "assignee": _name(users, solve.value("assignee_id", ticket)),
            }

        return [describe(solve) for solve in solves]

    def _wanted(self) -> set[str]:
        """What must be known of a ticket; the event's own words may do."""
        wanted = {"form_id", "group_id", "assignee_id", "organization_id"}
        sources = (self._policy.plan, self._policy.region)
        if any(source.tags for source in sources):
            wanted.add("tags")
        if any(source.ticket_field for source in sources):
            wanted.add("custom_fields")
        return wanted

    def _material(self, solve: Solve, ticket: Ticket | None, organization: Organization | None) -> Material:
        custom = ticket.custom_fields if ticket is not None else ()
        fields = (organization.organization_fields or {}) if organization is not None else {}
        self._look_for_keys(organization)
        return Material(
            {str(each.get("id")): each.get("value") for each in custom},
            fields,
            solve.value("tags", ticket) or (),
        )

    def _look_for_keys(self, organization: Organization | None) -> None:
        """Say once that organizations have no field of the configured name."""
        if organization is None or not organization.organization_fields:
            return
        for what, source in (("plan", self._policy.plan), ("region", self._policy.region)):
            key = source.organization_field
            if key is not None and key not in organization.organization_fields:
                self._say_once("description.no_such_field", f"{what}: {key}")

    async def _found[T](
        self, what: str, read: Callable[[Iterable[str]], Awaitable[Mapping[str, T]]], ids: Sequence[str]
    ) -> Mapping[str, T]:
        """Things by id; none of them where we may not read them at all, which is said once."""
        if not ids:
            return {}
        try:
            return dict(await read(list(dict.fromkeys(ids))))  # what cannot be read describes nothing
        except Permanent as error:
            self._say_once("description.not_readable", f"{what}: {error}")
            return {}

    def _say_once(self, event: str, reason: str) -> None:
        if reason not in self._logged:
            self._logged.add(reason)
            log.warning(event, reason=reason)


def _name(found: Mapping[str, Named] | Mapping[str, User], key: str | None) -> str:
    thing = found.get(key or "")
    return fitting(thing.name) if thing is not None else ""


def _outcome(solve: Solve, names: dict[str, str]) -> Outcome:
    async def then(tx: Transaction) -> None:
        await ticket_facts.note_described(tx, solve.ticket_id, solve.solved_at, names)

    return Done(then=then, reads=((tables.ticket_facts, solve.ticket_id),))
