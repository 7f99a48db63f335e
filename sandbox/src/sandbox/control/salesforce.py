"""Control routes for Salesforce: objects, what people and flows do to records, users and their rights, sessions."""

from dataclasses import asdict

from sandbox.salesforce.api import SalesforceApi
from sandbox.salesforce.org import Org
from sandbox.salesforce.rights import Rights
from sandbox.salesforce.schema import SObject, field_of, system_fields
from sandbox.salesforce.sessions import User
from sandbox.web import Call, Json, Reply, RouteRow


class SalesforceControl:
    """What an administrator, a sales person or time itself would change."""

    def __init__(self, org: Org, api: SalesforceApi) -> None:
        self._org = org
        self._api = api

    def rows(self) -> list[RouteRow]:
        return [
            ("POST", "/salesforce/objects", self.define),
            ("POST", "/salesforce/records", self.insert),
            ("PATCH", "/salesforce/records", self.edit),
            ("GET", "/salesforce/records/{name}", self.records),
            ("POST", "/salesforce/delete", self.delete),
            ("POST", "/salesforce/undelete", self.undelete),
            ("POST", "/salesforce/merge", self.merge),
            ("POST", "/salesforce/empty_bin", self.empty),
            ("POST", "/salesforce/rights", self.rights),
            ("POST", "/salesforce/users", self.user),
            ("POST", "/salesforce/rates", self.rates),
            ("POST", "/salesforce/expire", self.expire),
            ("POST", "/salesforce/login", self.refuse_logins),
        ]

    # --- objects and records ---

    def define(self, call: Call) -> Reply:
        """`{"name": "X__c", "fields": [{"name", "type", "external_id", …}]}`: adds an object, or fields to one."""
        values = call.json()
        known = self._org.tables.get(str(values["name"]).lower())
        fresh = SObject(str(values["name"]), self._org.key_prefix()).add(*system_fields())
        made = known.sobject if known else fresh
        made.add(*(field_of(column) for column in values.get("fields", [])))
        for flag in ("createable", "updateable", "queryable"):
            setattr(made, flag, bool(values.get(flag, getattr(made, flag))))
        self._org.define(made)
        return Reply(201, {"object": made.name, "fields": [column.name for column in made.fields.values()]})

    def insert(self, call: Call) -> Reply:
        """`object` and `fields` of one record, or `records`: a list of such fields; `Id` may be among them."""
        values = call.json()
        name = str(values["object"])
        if "records" in values:
            return Reply(201, {"ids": [self._org.insert(name, each) for each in values["records"]]})
        return Reply(201, {"id": self._org.insert(name, values.get("fields", {}))})

    def edit(self, call: Call) -> Reply:
        """`object`, `id`, `fields`: what a person changes; `SystemModstamp` moves unless it is among the fields."""
        values = call.json()
        self._org.edit(str(values["object"]), str(values["id"]), values["fields"])
        return Reply(200, {"id": values["id"]})

    def records(self, call: Call) -> Reply:
        """Those outside of the recycle bin; with `deleted=1` all of them."""
        table = self._org.table(str(call.params["name"]))
        rows = list(table.rows.values()) if call.query.get("deleted") else table.live()
        return Reply(200, {"records": rows, "count": len(rows)})

    # --- the recycle bin ---

    def delete(self, call: Call) -> Reply:
        """`object`, `id`."""
        values = call.json()
        return Reply(200, {"id": self._api.bin.delete(str(values["object"]), str(values["id"]))})

    def undelete(self, call: Call) -> Reply:
        """`object`, `id`."""
        values = call.json()
        self._api.bin.undelete(str(values["object"]), str(values["id"]))
        return Reply(200, {"id": values["id"]})

    def merge(self, call: Call) -> Reply:
        """`object`, `winner`, `losers`."""
        values = call.json()
        self._api.bin.merge(
            str(values["object"]), str(values["winner"]), [str(key) for key in values["losers"]]
        )
        return Reply(200, {"winner": values["winner"]})

    def empty(self, _: Call) -> Reply:
        return Reply(200, {"gone": self._api.bin.empty()})

    # --- users ---

    def user(self, call: Call) -> Reply:
        """`client`, `secret`, and rights as `rights` takes them: one more app with a user of its own."""
        values = call.json()
        made = User(str(values["client"]), str(values["secret"]), _rights(values, Rights()))
        self._api.sessions.users[made.client] = made
        return Reply(201, {"client": made.client})

    def rights(self, call: Call) -> Reply:
        """`client` (the integration user unless named); `hidden` and `read_only`: `["Account.Type"]`, `hidden_rows`:
        ids, `view_setup`. What is not named is left alone.
        """
        values = call.json()
        users = self._api.sessions.users
        user = users[str(values.get("client", next(iter(users))))]
        user.rights = _rights(values, user.rights)
        return Reply(200, {name: _listed(value) for name, value in asdict(user.rights).items()})

    def rates(self, call: Call) -> Reply:
        """What one unit of the first currency is worth in the others; the users' own is the first."""
        self._org.rates = {str(name): float(rate) for name, rate in call.json().items()}
        return Reply(200, self._org.rates)

    # --- sessions ---

    def expire(self, _: Call) -> Reply:
        return Reply(200, {"expired": self._api.sessions.expire()})

    def refuse_logins(self, call: Call) -> Reply:
        """`status`, `body`, `headers`: what every login is answered from now on; nothing at all: as usual again."""
        given = call.json()
        self._api.sessions.refusal = Reply(**given) if given else None
        return Reply(200, given)


def _rights(given: Json, before: Rights) -> Rights:
    return Rights(
        {str(name).lower() for name in given.get("hidden", before.hidden)},
        {str(name).lower() for name in given.get("read_only", before.read_only)},
        {str(key) for key in given.get("hidden_rows", before.hidden_rows)},
        bool(given.get("view_setup", before.view_setup)),
    )


def _listed(value: object) -> object:
    return sorted(value) if isinstance(value, set) else value
