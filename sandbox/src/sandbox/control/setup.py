"""Control routes for how the Zendesk account is set up: its business rules, and the rights of our user in it."""

from sandbox.web import Call, Reply, RouteRow
from sandbox.zendesk.account import Account

RIGHTS = ("role", "suspended", "ticket_restriction")


class SetupControl:
    """What an administrator would change by hand."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        return [
            ("POST", "/zendesk/business_rules", self.business_rules),
            ("POST", "/zendesk/integration_user", self.integration_user),
        ]

    def business_rules(self, call: Call) -> Reply:
        """`automations`, `triggers`: the rules as REST is to show them, instead of those of before."""
        records = self._account.records
        for kind in ("automations", "triggers"):
            if kind in (values := call.json()):
                records.business_rules[kind] = [
                    {"id": number, "active": True, **rule} for number, rule in enumerate(values[kind], 1)
                ]
        return Reply(200, records.business_rules)

    def integration_user(self, call: Call) -> Reply:
        """`role`, `suspended`, `ticket_restriction` of whoever calls REST."""
        user = self._account.user(self._account.integration_id)
        for name in RIGHTS:
            if name in (values := call.json()):
                setattr(user, name, values[name])
        return Reply(200, {name: getattr(user, name) for name in RIGHTS})
