"""REST of the org: describe, upsert by external id, collections, query, limits (docs/vendors/salesforce.md#writing)."""

from urllib.parse import quote, quote_plus

from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.salesforce.collections import Collections
from sandbox.salesforce.composite import composite
from sandbox.salesforce.cursors import Cursor, cursor_of
from sandbox.salesforce.errors import Refused, SeveralMatch
from sandbox.salesforce.org import Org, Table
from sandbox.salesforce.query import Reader
from sandbox.salesforce.recycle_bin import RecycleBin
from sandbox.salesforce.sessions import Sessions, Usage, User
from sandbox.settings import Settings
from sandbox.web import BadBody, Call, Handler, Json, Reply, RouteRow, routes

MAX_URI = 16_384
OLDEST, NEWEST = 31, 68  # REST API versions; what is older is retired
_DATA = "/services/data/v{version}"


class SalesforceApi:
    def __init__(self, settings: Settings, clock: Clock, org: Org) -> None:
        self.sessions = Sessions(settings, clock)
        self.bin = RecycleBin(org)
        self.collections = Collections(org, self.bin)
        self.usage = Usage()
        self.page_size = 2000
        self._org = org

    def routes(self) -> list[Route]:
        rows: list[RouteRow] = [
            ("GET", _DATA, self.resources),
            ("GET", _DATA + "/limits", self.limits),
            ("GET", _DATA + "/limits/recordCount", self.record_count),
            ("GET", _DATA + "/query", self.query),
            ("GET", _DATA + "/query/{cursor}", self.query_more),
            ("GET", _DATA + "/queryAll", self.query_all),
            ("GET", _DATA + "/queryAll/{cursor}", self.query_more),
            ("GET", _DATA + "/sobjects", self.sobjects),
            ("POST", _DATA + "/composite", self.composite),
            ("POST", _DATA + "/composite/sobjects", self.create_many),
            ("PATCH", _DATA + "/composite/sobjects", self.change_many),
            ("DELETE", _DATA + "/composite/sobjects", self.delete_many),
            ("PATCH", _DATA + "/composite/sobjects/{name}/{ext}", self.upsert_many),
            ("GET", _DATA + "/sobjects/{name}/describe", self.describe),
            ("POST", _DATA + "/sobjects/{name}", self.create),
            ("GET", _DATA + "/sobjects/{name}/{id}", self.read),
            ("PATCH", _DATA + "/sobjects/{name}/{id}", self.change),
            ("DELETE", _DATA + "/sobjects/{name}/{id}", self.delete),
            ("GET", _DATA + "/sobjects/{name}/{ext}/{value}", self.read_by),
            ("PATCH", _DATA + "/sobjects/{name}/{ext}/{value}", self.upsert),
        ]
        open_rows: list[RouteRow] = [
            ("POST", "/services/oauth2/token", self.sessions.token),
            ("GET", "/services/data", self.versions),
        ]
        return routes(open_rows, _open_middleware) + routes(rows, self._middleware)

    # --- doors ---

    def _middleware(self, call: Call, handler: Handler) -> Reply:
        try:
            with self._org.eyes.of(self._admit(call).rights):
                reply = handler(call)
        except Refused as refused:
            reply = refused.reply()
        except BadBody as error:
            reply = Refused("JSON_PARSER_ERROR", str(error)).reply()
        except SeveralMatch as several:
            base = call.path.split("/sobjects/")[0].removeprefix("/salesforce")
            name = str(call.params.get("name", ""))
            reply = Reply(300, [f"{base}/sobjects/{name}/{key}" for key in several.ids])
        reply.headers.update(self.usage.header())
        return reply

    def _admit(self, call: Call) -> User:
        given = call.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("OAuth ")
        user = self.sessions.user_of(given)
        if user is None:
            raise Refused("INVALID_SESSION_ID", "Session expired or invalid")
        _refuse_version(str(call.params.get("version", "")))
        self.usage.used += 1
        if self.usage.used > self.usage.ceiling:
            raise Refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if _uri_bytes(call) > MAX_URI:
            raise Refused("URI_TOO_LONG", "URI is over 16,384 bytes", status=414)
        return user

    # --- what there is ---

    def versions(self, _: Call) -> Reply:
        shown = [
            {"version": f"{v}.0", "label": f"v{v}", "url": f"/services/data/v{v}.0"}
            for v in range(OLDEST, NEWEST + 1)
        ]
        return Reply(200, shown)

    def resources(self, call: Call) -> Reply:
        base = _base(call)
        return Reply(200, {name: f"{base}/{name}" for name in ("sobjects", "query", "limits", "composite")})

    def limits(self, _: Call) -> Reply:
        """Needs the permission View Setup and Configuration."""
        if not self._org.eyes.rights.view_setup:
            raise Refused("INSUFFICIENT_ACCESS", "Insufficient rights to view limits")
        left = max(0, self.usage.ceiling - self.usage.used)
        daily = {"Max": self.usage.ceiling, "Remaining": left}
        return Reply(200, {"DailyApiRequests": daily, "DataStorageMB": {"Max": 1024, "Remaining": 1000}})

    def record_count(self, call: Call) -> Reply:
        names = call.query.get("sObjects", "").split(",")
        tables = [self._org.tables[name.lower()] for name in names if name.lower() in self._org.tables]
        return Reply(200, {"sObjects": [{"count": len(t.live()), "name": t.sobject.name} for t in tables]})

    def sobjects(self, call: Call) -> Reply:
        shown = [table.sobject.brief(_base(call)) for table in self._org.tables.values()]
        return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown})

    def describe(self, call: Call) -> Reply:
        sobject = self._table(call).sobject
        children = [
            {"childSObject": child.name, "field": column.name, "relationshipName": column.children}
            for child, column in self._org.children_of(sobject)
        ]
        return Reply(200, sobject.describe(_base(call), children))

    # --- records ---

    def create(self, call: Call) -> Reply:
        key = self._org.create(str(call.params["name"]), call.json())
        return Reply(201, {"id": key, "success": True, "errors": []})

    def read(self, call: Call) -> Reply:
        return self._one(call, self._table(call), str(call.params["id"]))

    def change(self, call: Call) -> Reply:
        """204; an unknown id is 404, this never creates."""
        self._org.change(str(call.params["name"]), str(call.params["id"]), call.json())
        return Reply(204)

    def delete(self, call: Call) -> Reply:
        """204; into the recycle bin."""
        self.bin.delete(str(call.params["name"]), str(call.params["id"]))
        return Reply(204)

    def create_many(self, call: Call) -> Reply:
        """Each record with its `attributes.type`."""
        return Reply(200, self.collections.create(call.json()))

    def change_many(self, call: Call) -> Reply:
        """Update by id: each record has its `id` and `attributes.type`."""
        return Reply(200, self.collections.update(call.json()))

    def delete_many(self, call: Call) -> Reply:
        """`ids`: up to 200, of any object."""
        return Reply(200, self.collections.delete(call.query.get("ids", "").split(",")))

    def read_by(self, call: Call) -> Reply:
        table = self._table(call)
        column = self._org.external_id_field(table, str(call.params["ext"]))
        found = table.matches(column, call.params["value"])
        if len(found) > 1:
            raise SeveralMatch(found)
        return self._one(call, table, found[0] if found else "")

    def upsert(self, call: Call) -> Reply:
        """By external id; the id itself does not belong into the body."""
        table = self._table(call)
        column = self._org.external_id_field(table, str(call.params["ext"]))
        plan = self._org.prepare(table, column, str(call.params["value"]), call.json())
        created = plan.key is None
        key = self._org.write(plan)
        return Reply(201 if created else 200, {"id": key, "success": True, "errors": [], "created": created})

    def upsert_many(self, call: Call) -> Reply:
        name, ext = str(call.params["name"]), str(call.params["ext"])
        return Reply(200, self.collections.upsert(name, ext, call.json()))

    # --- query ---

    def query(self, call: Call) -> Reply:
        return self._page(call, Cursor(0, call.query.get("q", "")))

    def query_all(self, call: Call) -> Reply:
        """Like `query`, the recycle bin included."""
        return self._page(call, Cursor(0, call.query.get("q", ""), deleted=True))

    def query_more(self, call: Call) -> Reply:
        return self._page(call, cursor_of(str(call.params["cursor"])))

    def composite(self, call: Call) -> Reply:
        """Up to 25 parts, of which at most five are queries; here they are queries only. The outer status is 200."""

        def ask(cursor: Cursor) -> Json:
            return Reader(self._org, _base(call), self.page_size).page(cursor)

        return Reply(200, {"compositeResponse": composite(call.json(), ask)})

    def _page(self, call: Call, cursor: Cursor) -> Reply:
        return Reply(200, Reader(self._org, _base(call), self.page_size).page(cursor))

    # --- inside ---

    def _table(self, call: Call) -> Table:
        return self._org.table(str(call.params["name"]))

    def _one(self, call: Call, table: Table, key: str) -> Reply:
        row = self._org.row(table, key)
        name = table.sobject.name
        shown = {c.name: row.get(c.name) for c in table.sobject.seen_fields()}
        return Reply(
            200, {"attributes": {"type": name, "url": f"{_base(call)}/sobjects/{name}/{row['Id']}"}} | shown
        )


def _base(call: Call) -> str:
    return f"/services/data/v{call.params['version']}"


def _refuse_version(version: str) -> None:
    number = int(version.partition(".")[0]) if version.partition(".")[0].isdigit() else 0
    if number < OLDEST:
        raise Refused("GONE", f"API version v{version} has been retired", status=410)
    if number > NEWEST:
        raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)


def _open_middleware(call: Call, handler: Handler) -> Reply:
    return handler(call)


def _uri_bytes(call: Call) -> int:
    """As it came, percent-encoded."""
    return len(quote(call.path)) + sum(
        len(quote_plus(k)) + len(quote_plus(v)) + 2 for k, v in call.query.items()
    )
