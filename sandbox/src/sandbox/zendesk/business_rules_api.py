"""REST for business rules: read only, as far as a check of the account's setup needs them."""

from functools import partial

from sandbox.web import Call, Reply, RouteRow
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
        ]

    def _active(self, kind: str, call: Call) -> Reply:
        found = [
            rule for rule in self._account.records.business_rules.get(kind, []) if rule.get("active", True)
        ]
        return Reply(200, page_of(call, self._account.base, kind, found, lambda rule: rule))
