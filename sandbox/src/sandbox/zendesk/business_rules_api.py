"""REST for business rules and organization fields: read only, as far as a check of the account's setup needs them."""

from functools import partial

from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.paging import page_of


class BusinessRulesApi:
    """Rules are shown as the control API was given them; they do nothing here."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/automations/active", partial(self._active, "automations")),
            ("GET", "/triggers/active", partial(self._active, "triggers")),
            ("GET", "/organization_fields", self._organization_fields),
        ]

    def _active(self, kind: str, call: Call) -> Reply:
        found = [
            rule for rule in self._account.records.business_rules.get(kind, []) if rule.get("active", True)
        ]
        return Reply(200, page_of(call, self._account.base, kind, found, lambda rule: rule))

    def _organization_fields(self, call: Call) -> Reply:
        """The keys that organizations have a value for; a real account keeps a list of its own."""
        organizations = self._account.records.organizations.values()
        keys = sorted({key for organization in organizations for key in organization.organization_fields})
        fields: list[Json] = [
            {"id": number, "key": key, "title": key, "type": "text", "active": True}
            for number, key in enumerate(keys, 1)
        ]
        return Reply(200, page_of(call, self._account.base, "organization_fields", fields, lambda each: each))
