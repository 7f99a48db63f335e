"""Forms, groups, brands, fields and SLA policies: small tables that others look names up in."""

from functools import partial
from typing import Any

from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import at_most, not_found


class ReferenceApi:
    """Lists and single records; nothing here is written by REST."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        rows: list[RouteRow] = []
        for kind in ("ticket_forms", "groups", "brands", "ticket_fields"):
            rows.append(("GET", f"/{kind}", partial(self._list, kind)))
            rows.append(("GET", f"/{kind}/show_many", partial(self._many, kind)))
            rows.append(("GET", f"/{kind}/{{id}}", partial(self._one, kind)))
        rows.append(("GET", "/slas/policies", self._policies))
        rows.append(("GET", "/custom_roles", self._custom_roles))
        rows.append(("GET", "/custom_roles/{id}", self._custom_role))
        rows.append(("GET", "/organization_fields", self._organization_fields))
        return rows

    def _table(self, kind: str) -> dict[int, Any]:
        records = self._account.records
        tables = {"ticket_forms": records.forms, "groups": records.groups, "brands": records.brands}
        return dict(tables.get(kind, records.fields))

    def _show(self, kind: str, record: Any) -> Json:
        if kind == "ticket_fields":
            return render.field(self._account.base, record)
        return render.named(self._account.base, kind, record)

    def _list(self, kind: str, call: Call) -> Reply:
        found = list(self._table(kind).values())
        return Reply(
            200, page_of(call, self._account.base, kind, found, lambda record: self._show(kind, record))
        )

    def _many(self, kind: str, call: Call) -> Reply:
        table = self._table(kind)
        shown = [self._show(kind, table[i]) for i in at_most(call.ids(), "ids") if i in table]
        return Reply(200, {kind: shown, "count": len(shown), "next_page": None, "previous_page": None})

    def _one(self, kind: str, call: Call) -> Reply:
        record = self._table(kind).get(call.number("id"))
        if record is None:
            raise not_found()
        return Reply(200, {kind.removesuffix("s"): self._show(kind, record)})

    def _organization_fields(self, call: Call) -> Reply:
        """The custom fields of organizations; a dropdown with its options, whose values are tags."""
        found = list(self._account.records.organization_fields.values())
        return Reply(200, page_of(call, self._account.base, "organization_fields", found, dict))

    def _custom_roles(self, _: Call) -> Reply:
        """All of them in one answer: this list has no pages."""
        found = list(self._account.records.custom_roles.values())
        return Reply(200, {"custom_roles": found, "count": len(found), "next_page": None})

    def _custom_role(self, call: Call) -> Reply:
        """What agents of the role may do."""
        role = self._account.records.custom_roles.get(call.number("id"))
        if role is None:
            raise not_found()
        return Reply(200, {"custom_role": role})

    def _policies(self, _: Call) -> Reply:
        """Targets in minutes; the figures of one plan, enough to read the shape."""
        metric = {"priority": "urgent", "metric": "first_reply_time", "target": 60, "business_hours": False}
        policy = {"id": 36, "title": "Priority support", "position": 1, "policy_metrics": [metric]}
        return Reply(200, {"sla_policies": [policy], "count": 1, "next_page": None, "previous_page": None})
