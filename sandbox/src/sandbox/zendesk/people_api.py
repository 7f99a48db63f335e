"""REST for users and organizations (zendesk.md 4.8) and the small reference tables."""

from functools import partial
from typing import Any

from sandbox.ledger import Ledger
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk import events, render
from sandbox.zendesk.account import Account
from sandbox.zendesk.events import Happening
from sandbox.zendesk.paging import page_of
from sandbox.zendesk.problems import bad_request, invalid, not_found, too_many_values
from sandbox.zendesk.records import Organization, Ticket, User

_ORGANIZATION_KEYS = (
    "external_id",
    "domain_names",
    "details",
    "notes",
    "group_id",
    "shared_tickets",
    "shared_comments",
    "tags",
)
_USER_KEYS = (
    "external_id",
    "role",
    "organization_id",
    "suspended",
    "ticket_restriction",
    "tags",
    "user_fields",
)


class PeopleApi:
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
            ("GET", "/organizations", self.organizations),
            ("POST", "/organizations", self.create_organization),
            ("GET", "/organizations/show_many", self.organizations_by_id),
            ("GET", "/organizations/search", self.search_organizations),
            ("GET", "/organizations/autocomplete", self.autocomplete),
            ("POST", "/organizations/create_or_update", self.put_organization),
            ("GET", "/organizations/{id}", self.organization),
            ("PUT", "/organizations/{id}", self.update_organization),
            ("DELETE", "/organizations/{id}", self.delete_organization),
        ]

    # --- users ---

    def me(self, call: Call) -> Reply:  # noqa: ARG002 - every handler takes the call
        return self._user(self._account.user(self._account.integration_id))

    def user(self, call: Call) -> Reply:
        return self._user(self._account.user(call.number("id")))

    def users(self, call: Call) -> Reply:
        ids = _at_most(call.ids(), "ids")
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
            _assign(made, values, _USER_KEYS)
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
        _assign(user, values, _USER_KEYS)
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

    # --- organizations ---

    def organization(self, call: Call) -> Reply:
        return self._organization(self._account.organization(call.number("id")))

    def organizations(self, call: Call) -> Reply:
        found = list(self._account.records.organizations.values())
        return Reply(200, page_of(call, self._account.base, "organizations", found, self._shown))

    def organizations_by_id(self, call: Call) -> Reply:
        known = self._account.records.organizations
        if "external_ids" in call.query:
            wanted = {part.strip().casefold() for part in call.query["external_ids"].split(",")}
            return self._organizations(
                [o for o in known.values() if (o.external_id or "").casefold() in wanted]
            )
        return self._organizations([known[i] for i in _at_most(call.ids(), "ids") if i in known])

    def search_organizations(self, call: Call) -> Reply:
        """By `external_id` or by `name`, exact and case-insensitive, not both."""
        external, name = call.query.get("external_id"), call.query.get("name")
        if (external is None) == (name is None):
            raise bad_request("InvalidQuery", "give one of external_id and name")
        known = self._account.records.organizations.values()
        if external is not None:
            return self._organizations(
                [o for o in known if (o.external_id or "").casefold() == external.casefold()]
            )
        return self._organizations([o for o in known if o.name.casefold() == (name or "").strip().casefold()])

    def autocomplete(self, call: Call) -> Reply:
        prefix = call.query.get("name", "").casefold()
        known = self._account.records.organizations.values()
        return self._organizations([o for o in known if o.name.casefold().startswith(prefix)])

    def create_organization(self, call: Call) -> Reply:
        return self._create(call.json().get("organization", {}))

    def put_organization(self, call: Call) -> Reply:
        """Matches by id or external_id, never by name."""
        values = call.json().get("organization", {})
        known = self._account.records.organizations
        wanted = str(values.get("external_id") or "").casefold()
        found = known.get(int(values.get("id") or 0)) or next(
            (o for o in known.values() if wanted and (o.external_id or "").casefold() == wanted), None
        )
        return self._create(values) if found is None else self._change(found, values)

    def update_organization(self, call: Call) -> Reply:
        found = self._account.organization(call.number("id"))
        return self._change(found, call.json().get("organization", {}))

    def delete_organization(self, call: Call) -> Reply:
        """204; its tickets and users lose the organization."""
        gone = self._account.organization(call.number("id"))
        del self._account.records.organizations[gone.id]
        holders: list[User | Ticket] = [
            *self._account.records.users.values(),
            *self._account.records.tickets.values(),
        ]
        for holder in holders:
            if holder.organization_id == gone.id:
                holder.organization_id = None
        detail = events.organization_detail(gone)
        self._account.announce("organization", gone.id, detail, Happening("deleted"))
        self._ledger.add("zendesk.organization.deleted", organization_id=gone.id)
        return Reply(204)

    def _create(self, values: Json) -> Reply:
        name = str(values.get("name") or "").strip()
        self._check_unique(None, name, values.get("external_id"))
        made = Organization(self._account.ids.next("organization"), name)
        _assign(made, values, _ORGANIZATION_KEYS)
        made.organization_fields = dict(values.get("organization_fields") or {})
        self._account.add_organization(made)
        detail = events.organization_detail(made)
        self._account.announce("organization", made.id, detail, Happening("created"))
        self._ledger.add("zendesk.organization.created", organization_id=made.id, name=name)
        url = f"{self._account.base}/organizations/{made.id}.json"
        return Reply(201, {"organization": self._shown(made)}, {"location": url})

    def _change(self, found: Organization, values: Json) -> Reply:
        name = str(values.get("name", found.name)).strip()
        self._check_unique(found, name, values.get("external_id"))
        before = self._shown(found)
        found.name = name
        _assign(found, values, _ORGANIZATION_KEYS)
        found.organization_fields = found.organization_fields | (values.get("organization_fields") or {})
        after = self._shown(found)
        if after != before:
            found.updated_at = self._account.clock.now_ns()
            fields = {key: after[key] for key in after if after[key] != before[key]}
            self._ledger.add("zendesk.organization.updated", organization_id=found.id, fields=fields)
            for happening in _organization_changes(before, after):
                self._account.announce("organization", found.id, events.organization_detail(found), happening)
        return self._organization(found)

    def _check_unique(self, found: Organization | None, name: str, external_id: str | None) -> None:
        if not name:
            raise invalid("name", "Name: cannot be blank", error="BlankValue")
        for other in self._account.records.organizations.values():
            if other is found:
                continue
            if other.name.casefold() == name.casefold():
                raise invalid("name", "Name: has already been taken", error="DuplicateValue")
            if external_id and (other.external_id or "").casefold() == external_id.casefold():
                raise invalid("external_id", "External: has already been taken", error="DuplicateValue")

    def _shown(self, organization: Organization) -> Json:
        return render.organization(self._account.base, organization)

    def _organization(self, organization: Organization) -> Reply:
        return Reply(200, {"organization": self._shown(organization)})

    def _organizations(self, found: list[Organization]) -> Reply:
        shown = [self._shown(organization) for organization in found]
        return Reply(
            200, {"organizations": shown, "count": len(shown), "next_page": None, "previous_page": None}
        )


class ReferenceApi:
    """Forms, groups, brands and ticket fields: lists and single records."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def rows(self) -> list[RouteRow]:
        rows: list[RouteRow] = []
        for kind in ("ticket_forms", "groups", "brands", "ticket_fields"):
            rows.append(("GET", f"/{kind}", partial(self._list, kind)))
            rows.append(("GET", f"/{kind}/show_many", partial(self._many, kind)))
            rows.append(("GET", f"/{kind}/{{id}}", partial(self._one, kind)))
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
        shown = [self._show(kind, table[i]) for i in _at_most(call.ids(), "ids") if i in table]
        return Reply(200, {kind: shown, "count": len(shown), "next_page": None, "previous_page": None})

    def _one(self, kind: str, call: Call) -> Reply:
        record = self._table(kind).get(call.number("id"))
        if record is None:
            raise not_found()
        return Reply(200, {kind.removesuffix("s"): self._show(kind, record)})


def _assign(record: Organization | User, values: Json, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in values:
            setattr(record, key, values[key])


def _at_most(ids: list[int], name: str) -> list[int]:
    if len(ids) > 100:
        raise too_many_values(name)
    return ids


def _organization_changes(before: Json, after: Json) -> list[Happening]:
    """The events that exist for organizations (2.8): none for domains, notes, group or sharing."""
    happenings = [
        events.changed(key, after[key], before[key])
        for key in ("name", "external_id")
        if after[key] != before[key]
    ]
    for key, value in after["organization_fields"].items():
        previous = before["organization_fields"].get(key)
        if value != previous:
            field = {"id": key, "title": key, "type": "text"}
            happenings.append(
                Happening("custom_field_changed", {"field": field, "current": value, "previous": previous})
            )
    added = [tag for tag in after["tags"] if tag not in before["tags"]]
    removed = [tag for tag in before["tags"] if tag not in after["tags"]]
    if added or removed:
        happenings.append(Happening("tags_changed", {"added": {"tags": added}, "removed": {"tags": removed}}))
    return happenings
