"""REST of the org: token, describe, upsert by external id, collections, query, limits (salesforce.md 5, 8, 9)."""

import base64
import binascii
import secrets
from typing import Any

from starlette.routing import Route

from sandbox.clock import Clock
from sandbox.salesforce.errors import Refused, SeveralMatch
from sandbox.salesforce.org import Org, Table, repeated
from sandbox.salesforce.query import run_query
from sandbox.settings import Settings
from sandbox.web import BadBody, Call, Handler, Json, Reply, RouteRow, routes

ORG_ID = "00DS70000000SbxMAE"
MAX_COLLECTION = 200
MAX_URI = 16_384
_DATA = "/services/data/v{version}"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Sessions:
    """Access tokens; a life in seconds may be set, else they last until they are expired on purpose."""

    def __init__(self, clock: Clock) -> None:
        self.life: float | None = None
        self._clock = clock
        self._issued: dict[str, int] = {}

    def issue(self) -> str:
        token = f"{ORG_ID[:15]}!AQ{secrets.token_hex(24)}"
        self._issued[token] = self._clock.now_ns()
        return token

    def valid(self, token: str) -> bool:
        since = self._issued.get(token)
        if since is None:
            return False
        return self.life is None or self._clock.now_ns() - since < self.life * 1e9

    def expire(self) -> int:
        """All of them, now; returns how many there were."""
        count = len(self._issued)
        self._issued.clear()
        return count


class Usage:
    """Requests of the rolling day, for `Sforce-Limit-Info`; over the ceiling everything is refused."""

    def __init__(self) -> None:
        self.used = 0
        self.ceiling = 100_000


class SalesforceApi:
    def __init__(self, settings: Settings, clock: Clock, org: Org) -> None:
        self.sessions = Sessions(clock)
        self.usage = Usage()
        self.page_size = 2000
        self.record_faults: dict[str, int] = {}  # error code: how many records of collections still get it
        self._settings = settings
        self._clock = clock
        self._org = org

    def routes(self) -> list[Route]:
        rows: list[RouteRow] = [
            ("GET", "/services/data", self.versions),
            ("GET", _DATA, self.resources),
            ("GET", _DATA + "/limits", self.limits),
            ("GET", _DATA + "/query", self.query),
            ("GET", _DATA + "/query/{cursor}", self.query_more),
            ("GET", _DATA + "/sobjects", self.sobjects),
            ("PATCH", _DATA + "/composite/sobjects/{name}/{ext}", self.upsert_many),
            ("GET", _DATA + "/sobjects/{name}/describe", self.describe),
            ("POST", _DATA + "/sobjects/{name}", self.create),
            ("GET", _DATA + "/sobjects/{name}/{id}", self.read),
            ("PATCH", _DATA + "/sobjects/{name}/{id}", self.change),
            ("GET", _DATA + "/sobjects/{name}/{ext}/{value}", self.read_by),
            ("PATCH", _DATA + "/sobjects/{name}/{ext}/{value}", self.upsert),
        ]
        open_rows: list[RouteRow] = [("POST", "/services/oauth2/token", self.token)]
        return routes(open_rows, _open_gate) + routes(rows, self._gate)

    # --- doors ---

    def _gate(self, call: Call, handler: Handler) -> Reply:
        try:
            self._admit(call)
            reply = handler(call)
        except Refused as refused:
            reply = refused.reply()
        except BadBody as error:
            reply = Refused("JSON_PARSER_ERROR", str(error)).reply()
        except SeveralMatch as several:
            base = call.path.split("/sobjects/")[0].removeprefix("/salesforce")
            name = str(call.params.get("name", ""))
            reply = Reply(300, [f"{base}/sobjects/{name}/{key}" for key in several.ids])
        usage = f"api-usage={self.usage.used}/{self.usage.ceiling}"
        reply.headers["sforce-limit-info"] = usage
        return reply

    def _admit(self, call: Call) -> None:
        given = call.headers.get("authorization", "").removeprefix("Bearer ").removeprefix("OAuth ")
        if not self.sessions.valid(given):
            raise Refused("INVALID_SESSION_ID", "Session expired or invalid")
        self.usage.used += 1
        if self.usage.used > self.usage.ceiling:
            raise Refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if len(call.path) + sum(len(k) + len(v) for k, v in call.query.items()) > MAX_URI:
            raise Refused("URI_TOO_LONG", "URI is over 16,384 bytes", status=414)

    def token(self, call: Call) -> Reply:
        """Client credentials in the form or by HTTP Basic; a JWT assertion is accepted for its client id."""
        form = call.form()
        client, secret = _credentials(call, form)
        grant = form.get("grant_type")
        if grant == _JWT:
            if not form.get("assertion"):
                return _oauth_error("invalid_grant", "invalid assertion")
        elif grant != "client_credentials":
            return _oauth_error("unsupported_grant_type", "grant type not supported")
        elif (client, secret) != (self._settings.salesforce_client, self._settings.salesforce_key):
            return _oauth_error("invalid_client", "invalid client credentials")
        issued = str(self._clock.now_ns() // 1_000_000)
        user = f"https://login.salesforce.com/id/{ORG_ID}/0055f000000SbxUAAQ"
        body: Json = {"access_token": self.sessions.issue(), "signature": secrets.token_hex(16)}
        body |= {
            "token_format": "opaque",
            "instance_url": f"{self._settings.public_url}/salesforce",
            "id": user,
        }
        return Reply(200, body | {"token_type": "Bearer", "scope": "api", "issued_at": issued})

    # --- what there is ---

    def versions(self, _: Call) -> Reply:
        shown = [
            {"version": f"{v}.0", "label": f"v{v}", "url": f"/services/data/v{v}.0"} for v in range(46, 69)
        ]
        return Reply(200, shown)

    def resources(self, call: Call) -> Reply:
        base = _base(call)
        return Reply(200, {name: f"{base}/{name}" for name in ("sobjects", "query", "limits", "composite")})

    def limits(self, _: Call) -> Reply:
        left = max(0, self.usage.ceiling - self.usage.used)
        body: Json = {"DailyApiRequests": {"Max": self.usage.ceiling, "Remaining": left}}
        return Reply(200, body | {"DataStorageMB": {"Max": 1024, "Remaining": 1000}})

    def sobjects(self, call: Call) -> Reply:
        shown = [table.sobject.brief(_base(call)) for table in self._org.tables.values()]
        return Reply(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown})

    def describe(self, call: Call) -> Reply:
        return Reply(200, self._table(call).sobject.describe(_base(call)))

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

    def read_by(self, call: Call) -> Reply:
        table = self._table(call)
        column = self._org.external_id_field(table, str(call.params["ext"]))
        found = table.matches(column, call.params["value"])
        if len(found) > 1:
            raise SeveralMatch(found)
        return self._one(call, table, found[0] if found else "")

    def upsert(self, call: Call) -> Reply:
        given = call.params
        written = self._org.upsert(str(given["name"]), str(given["ext"]), str(given["value"]), call.json())
        body = {"id": written.id, "success": True, "errors": [], "created": written.created}
        return Reply(201 if written.created else 200, body)

    def upsert_many(self, call: Call) -> Reply:
        """Always 200 when well formed; results in request order, an error per record."""
        body = call.json()
        records = body.get("records")
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise Refused("JSON_PARSER_ERROR", "records: a list of objects is needed")
        if len(records) > MAX_COLLECTION:
            raise Refused(
                "EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records to this call"
            )
        table = self._table(call)
        column = self._org.external_id_field(table, str(call.params["ext"]))
        twice = repeated(column, [_own_id(r, column.name) for r in records])
        results = [self._upsert_one(table, column.name, record, twice) for record in records]
        if body.get("allOrNone") and not all(r["success"] for r in results):
            rolled = Refused(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid"
            )
            results = [r if not r["success"] else _failed(rolled) for r in results]
        return Reply(200, results)

    def _upsert_one(self, table: Table, ext: str, record: Json, twice: set[str]) -> Json:
        try:
            self._fault_record()
            kind = str((record.get("attributes") or {}).get("type", ""))
            if kind.lower() != table.sobject.name.lower():
                raise Refused("INVALID_TYPE", f"attributes.type must be {table.sobject.name}")
            value = _own_id(record, ext)
            if value in (None, ""):
                raise Refused("MISSING_ARGUMENT", f"{ext} not specified", [ext])
            if str(value).casefold() in twice or str(value) in twice:
                raise Refused("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [ext])
            values = {k: v for k, v in record.items() if k.lower() != ext.lower()}
            written = self._org.upsert(table.sobject.name, ext, str(value), values)
        except Refused as refused:
            return _failed(refused)
        except SeveralMatch as several:
            return _failed(Refused("DUPLICATE_VALUE", f"{ext} matches {len(several.ids)} records", [ext]))
        return {"id": written.id, "success": True, "errors": [], "created": written.created}

    def _fault_record(self) -> None:
        for code, left in self.record_faults.items():
            if left > 0:
                self.record_faults[code] = left - 1
                raise Refused(code, f"injected: {code}")

    # --- query ---

    def query(self, call: Call) -> Reply:
        return Reply(200, run_query(self._org, call.query.get("q", ""), _base(call), 0, self.page_size))

    def query_more(self, call: Call) -> Reply:
        """The cursor carries the query and the offset, so that it needs no memory here."""
        try:
            text = base64.urlsafe_b64decode(str(call.params["cursor"])).decode()
            offset, _, soql = text.partition(":")
            start = int(offset)
        except (binascii.Error, ValueError) as error:
            raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator") from error
        return Reply(200, run_query(self._org, soql, _base(call), start, self.page_size))

    # --- inside ---

    def _table(self, call: Call) -> Table:
        return self._org.table(str(call.params["name"]))

    def _one(self, call: Call, table: Table, key: str) -> Reply:
        row = table.rows.get(key) or table.rows.get(next((k for k in table.rows if k[:15] == key), ""))
        if row is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist")
        name = table.sobject.name
        shown = {c.name: row.get(c.name) for c in table.sobject.fields.values() if c.visible}
        return Reply(
            200, {"attributes": {"type": name, "url": f"{_base(call)}/sobjects/{name}/{row['Id']}"}} | shown
        )


def _base(call: Call) -> str:
    return f"/services/data/v{call.params['version']}"


def _own_id(record: Json, ext: str) -> Any:
    return next((value for key, value in record.items() if key.lower() == ext.lower()), None)


def _failed(refused: Refused) -> Json:
    return {"success": False, "errors": [refused.as_record_error()]}


def _open_gate(call: Call, handler: Handler) -> Reply:
    return handler(call)


def _credentials(call: Call, form: dict[str, str]) -> tuple[str, str]:
    header = call.headers.get("authorization", "")
    if header.startswith("Basic "):
        try:
            client, _, secret = base64.b64decode(header[6:], validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _oauth_error(error: str, description: str) -> Reply:
    return Reply(400, {"error": error, "error_description": description})
