"""Form and plan of a ticket as it is now: for a rating that came before its solve was described."""

from typing import Protocol

from csat.feedback.repository import Names
from csat.kpi.attributes import Material, value_of
from csat.policy.kpi import Source
from supportops.vendors.zendesk import Named, Organization, Ticket


class Lookup[T](Protocol):
    """One thing by id; None when there is none, or it may not be read."""

    async def find(self, key: str) -> T | None: ...


class PresentNames:
    """Looks form and organization up; `plan` says where the plan is found."""

    def __init__(self, forms: Lookup[Named], organizations: Lookup[Organization], plan: Source) -> None:
        self._forms, self._organizations, self._plan = forms, organizations, plan

    async def names(self, ticket: Ticket) -> Names:
        """Form and plan; "" where there is none."""
        form = await self._forms.find(ticket.form_id) if ticket.form_id else None
        organization = (
            await self._organizations.find(ticket.organization_id) if ticket.organization_id else None
        )
        fields = organization.organization_fields if organization is not None else None
        material = Material(
            {str(each.get("id")): each.get("value") for each in ticket.custom_fields},
            fields or {},
            ticket.tags,
        )
        return Names(form.name if form is not None else "", value_of(self._plan, material))
