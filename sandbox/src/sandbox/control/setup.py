"""Control routes for how the Zendesk account is set up: business rules, the rights of our user, its OAuth client."""

from sandbox.web import Call, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.oauth import OAuthTokens

RIGHTS = ("role", "suspended", "ticket_restriction", "custom_role_id")


class SetupControl:
    """What an administrator would change by hand."""

    def __init__(self, account: Account, oauth: OAuthTokens) -> None:
        self._account = account
        self._oauth = oauth

    def rows(self) -> list[RouteRow]:
        return [
            ("POST", "/zendesk/business_rules", self.business_rules),
            ("POST", "/zendesk/integration_user", self.integration_user),
            ("POST", "/zendesk/custom_roles", self.custom_roles),
            ("POST", "/zendesk/sla_roads", self.sla_roads),
            ("POST", "/zendesk/schedules", self.schedules),
            ("POST", "/zendesk/views", self.views),
            ("GET", "/zendesk/oauth", lambda _: Reply(200, self._oauth.state())),
            ("POST", "/zendesk/oauth", lambda call: Reply(200, self._oauth.set(call.json()))),
            ("POST", "/zendesk/oauth/revoke", lambda _: Reply(200, {"revoked": self._oauth.revoke()})),
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

    def sla_roads(self, call: Call) -> Reply:
        """`roads`: on which of policy_metrics, sideload, search the account shows SLA targets."""
        self._account.records.sla_roads = frozenset(call.json()["roads"])
        return Reply(200, {"roads": sorted(self._account.records.sla_roads)})

    def schedules(self, call: Call) -> Reply:
        """`schedules`: as REST shows them, each with its `holidays` beside."""
        self._account.records.schedules = list(call.json()["schedules"])
        return Reply(200, {"schedules": self._account.records.schedules})

    def views(self, call: Call) -> Reply:
        """`views`: `id`, `title`, `query`, and what is odd about a count: `value`, `fresh`, `readable`."""
        self._account.records.views = list(call.json()["views"])
        return Reply(200, {"views": self._account.records.views})

    def integration_user(self, call: Call) -> Reply:
        """`role`, `suspended`, `ticket_restriction`, `custom_role_id` of whoever calls REST."""
        user = self._account.user(self._account.integration_id)
        for name in RIGHTS:
            if name in (values := call.json()):
                setattr(user, name, values[name])
        return Reply(200, {name: getattr(user, name) for name in RIGHTS})

    def custom_roles(self, call: Call) -> Reply:
        """`roles`: as REST shows them (`id`, `name`, `configuration`), instead of those of before."""
        self._account.records.custom_roles = {int(role["id"]): dict(role) for role in call.json()["roles"]}
        return Reply(200, {"roles": list(self._account.records.custom_roles.values())})
