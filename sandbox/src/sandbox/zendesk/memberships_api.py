"""REST for organization memberships: a user's default organization, and further ones."""

from collections.abc import Iterable

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import render
from sandbox.zendesk.account import Account
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import invalid, not_found
from sandbox.zendesk.records import User

_APART = 10**14
"""A membership has no record of its own: its id is made of the user's and the organization's."""


class MembershipsApi:
    def __init__(self, account: Account, ledger: Ledger) -> None:
        self._account, self._ledger = account, ledger

    def rows(self) -> list[RouteRow]:
        return [
            ("GET", "/organization_memberships", self.index),
            ("POST", "/organization_memberships", self.join),
            ("GET", "/organization_memberships/{id}", self.show),
            ("DELETE", "/organization_memberships/{id}", self.leave),
            ("GET", "/users/{id}/organization_memberships", self.of_user),
            ("GET", "/organizations/{id}/organization_memberships", self.of_organization),
            ("GET", "/organizations/{id}/users", self.users),
        ]

    def index(self, call: Call) -> Reply:
        return self._page(call, self._account.records.users.values())

    def of_user(self, call: Call) -> Reply:
        return self._page(call, [self._account.user(call.number("id"))])

    def of_organization(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        return self._page(call, self._members(found.id), only=found.id)

    def users(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        shown = page_of(
            call,
            self._account.base,
            "users",
            self._members(found.id),
            lambda user: render.user(self._account.base, user),
        )
        return Reply(200, shown)

    def show(self, call: Call) -> Reply:
        user, key = self._found(call)
        return Reply(200, {"organization_membership": self._shown(user, key)})

    def join(self, call: Call) -> Reply:
        """The first organization becomes the default one."""
        values = call.json().get("organization_membership", {})
        user = self._account.user(int(values.get("user_id") or 0))
        key = self._account.organization(int(values.get("organization_id") or 0)).id
        if key in user.memberships:
            raise invalid("user_id", "User has already been taken", error="DuplicateValue")
        if user.organization_id is None:
            user.organization_id = key
        else:
            user.organization_ids.append(key)
        self._ledger.add("zendesk.membership.created", user_id=user.id, organization_id=key)
        return Reply(201, {"organization_membership": self._shown(user, key)})

    def leave(self, call: Call) -> Reply:
        """204; where it was the default one, the next one is."""
        user, key = self._found(call)
        rest = [each for each in user.memberships if each != key]
        user.organization_id, user.organization_ids = (rest[0] if rest else None), rest[1:]
        self._ledger.add("zendesk.membership.deleted", user_id=user.id, organization_id=key)
        return Reply(204)

    def _members(self, organization_id: int) -> list[User]:
        everyone = self._account.records.users.values()
        return [user for user in everyone if organization_id in user.memberships]

    def _page(self, call: Call, users: Iterable[User], only: int | None = None) -> Reply:
        pairs = [(user, key) for user in users for key in user.memberships if only in (None, key)]
        shown = page_of(
            call, self._account.base, "organization_memberships", pairs, lambda pair: self._shown(*pair)
        )
        return Reply(200, shown)

    def _found(self, call: Call) -> tuple[User, int]:
        wanted = call.number("id")
        for user in self._account.records.users.values():
            for key in user.memberships:
                if _id(user, key) == wanted:
                    return user, key
        raise not_found()

    def _shown(self, user: User, key: int) -> Json:
        found = self._account.records.organizations.get(key)
        return {
            "url": f"{self._account.base}/organization_memberships/{_id(user, key)}.json",
            "id": _id(user, key),
            "user_id": user.id,
            "organization_id": key,
            "organization_name": found.name if found else None,
            "default": key == user.organization_id,
            "view_tickets": True,
        }


def _id(user: User, key: int) -> int:
    return (user.id * 31 + key) % _APART
