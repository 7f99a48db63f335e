"""REST for users (docs/vendors/zendesk.md#organizations)."""

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import events, render
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening
from sandbox.zendesk.problems import at_most
from sandbox.zendesk.records import User

END_USERS = ("requested", "organization")
_KEYS = ("external_id", "role", "organization_id", "suspended", "ticket_restriction", "tags", "user_fields")


class UsersApi:
    def __init__(self, account: Account, ledger: Ledger) -> None:
        self._account = account
        self._ledger = ledger

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/users/me", self.me),
            ("GET", "/users/show_many", self.users),
            ("GET", "/users/search", self.search_users),
            ("POST", "/users/create_or_update", self.put_user),
            ("GET", "/users/{id}", self.user),
            ("PUT", "/users/{id}", self.update_user),
        ]

    def me(self, _: Call) -> Reply:
        return self._user(self._account.user(self._account.integration_id))

    def user(self, call: Call) -> Reply:
        return self._user(self._account.user(call.number("id")))

    def users(self, call: Call) -> Reply:
        ids = at_most(call.ids(), "ids")
        found = [self._account.records.users[i] for i in ids if i in self._account.records.users]
        return self._users(found)

    def search_users(self, call: Call) -> Reply:
        """`query=` matches a whole e-mail or part of a name; `external_id=` is exact, case-insensitive."""
        everyone = self._account.records.users.values()
        if external := call.query.get("external_id"):
            return self._users(
                [u for u in everyone if (u.external_id or "").casefold() == external.casefold()]
            )
        wanted = call.query.get("query", "").removeprefix("email:").strip('"').casefold()
        return self._users(
            [u for u in everyone if wanted and (u.email == wanted or wanted in u.name.casefold())]
        )

    def put_user(self, call: Call) -> Reply:
        values = call.json().get("user", {})
        found = self._account.user_by_email(str(values.get("email", ""))) or self._by_external_id(values)
        if found is None:
            made = User(
                self._account.ids.next("user"), str(values.get("name", "")), str(values.get("email", ""))
            )
            _assign(made, values)
            self._account.add_user(made)
            self._account.announce("user", made.id, events.user_detail(made), Happening("created"))
            url = f"{self._account.base}/users/{made.id}.json"
            return Reply(201, {"user": render.user(self._account.base, made)}, {"location": url})
        return self._change_user(found, values)

    def update_user(self, call: Call) -> Reply:
        return self._change_user(self._account.user(call.number("id")), call.json().get("user", {}))

    def _change_user(self, user: User, values: Json) -> Reply:
        before = render.user(self._account.base, user)
        user.name = str(values.get("name", user.name))
        _assign(user, values)
        if render.user(self._account.base, user) != before:
            user.updated_at = self._account.clock.now_ns()
            self._ledger.add("zendesk.user.updated", user_id=user.id, fields=values)
        return self._user(user)

    def _by_external_id(self, values: Json) -> User | None:
        wanted = str(values.get("external_id") or "").casefold()
        everyone = self._account.records.users.values()
        return next((u for u in everyone if wanted and (u.external_id or "").casefold() == wanted), None)

    def _user(self, user: User) -> Reply:
        return Reply(200, {"user": render.user(self._account.base, user)})

    def _users(self, found: list[User]) -> Reply:
        shown = [render.user(self._account.base, user) for user in found]
        return Reply(200, {"users": shown, "count": len(shown), "next_page": None, "previous_page": None})


def _assign(user: User, values: Json) -> None:
    for key in _KEYS:
        if key in values:
            setattr(user, key, values[key])
    if not user.is_staff and user.ticket_restriction not in END_USERS:
        user.ticket_restriction = "requested"  # what an end user cannot have becomes that
