"""The webhooks API for admins: create, change, secrets, invocations and attempts.

See docs/vendors/zendesk.md#webhooks-api.
"""

import base64
import secrets as randomness

from sandbox.clock import Clock, iso_nanos, iso_seconds
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.zendesk.account import Account
from sandbox.zendesk.problems import bad_request, not_found
from sandbox.zendesk.sender import Sender
from sandbox.zendesk.triggers import CONDITIONS
from sandbox.zendesk.webhooks import TRIGGER, Invocation, Webhook, ulid


class WebhooksApi:
    """Webhooks made here get a secret of their own, which `signing_secret` shows."""

    def __init__(self, account: Account, sender: Sender, clock: Clock) -> None:
        self._account = account
        self._sender = sender
        self._clock = clock

    def rows(self) -> list[RouteRow]:
        one = "/webhooks/{id}"
        return [
            ("POST", "/webhooks", self.create),
            ("GET", "/webhooks", self.list),
            ("GET", one, self.show),
            ("PUT", one, self.change),
            ("PATCH", one, self.change),
            ("DELETE", one, self.delete),
            ("GET", one + "/signing_secret", self.secret),
            ("POST", one + "/signing_secret", self.new_secret),
            ("GET", one + "/invocations", self.invocations),
            ("GET", one + "/invocations/{iid}/attempts", self.attempts),
        ]

    def create(self, call: Call) -> Reply:
        values = call.json().get("webhook", {})
        missing = [
            key for key in ("name", "endpoint", "http_method", "request_format") if not values.get(key)
        ]
        if missing:
            raise bad_request("InvalidParameters", f"missing: {', '.join(missing)}")
        now = self._clock.now_ns()
        subscriptions = list(values.get("subscriptions", []))
        triggers = list(CONDITIONS) if TRIGGER in subscriptions else []
        hook = Webhook(
            ulid(now), values["name"], values["endpoint"], _secret(), subscriptions, triggers=triggers
        )
        hook.created_at = now
        self._assign(hook, values)
        self._sender.webhooks[hook.id] = hook
        return Reply(201, {"webhook": self._shown(hook) | {"created_at": iso_nanos(now)}})

    def list(self, call: Call) -> Reply:
        part = call.query.get("filter[name_contains]", "").casefold()
        found = [self._shown(h) for h in self._sender.webhooks.values() if part in h.name.casefold()]
        return Reply(200, {"meta": {"has_more": False}, "webhooks": found})

    def show(self, call: Call) -> Reply:
        return Reply(200, {"webhook": self._shown(self._hook(call))})

    def change(self, call: Call) -> Reply:
        self._assign(self._hook(call), call.json().get("webhook", {}))
        return Reply(204)

    def delete(self, call: Call) -> Reply:
        del self._sender.webhooks[self._hook(call).id]
        return Reply(204)

    def secret(self, call: Call) -> Reply:
        return Reply(200, _shown_secret(self._hook(call)))

    def new_secret(self, call: Call) -> Reply:
        """At once, without an overlap."""
        hook = self._hook(call)
        hook.secret = _secret()
        return Reply(201, _shown_secret(hook))

    def invocations(self, call: Call) -> Reply:
        """Newest first."""
        hook = self._hook(call)
        mine = [i for i in self._sender.invocations.values() if i.webhook_id == hook.id][::-1]
        return Reply(
            200, {"invocations": [_invocation(i) for i in mine[:100]], "meta": {"has_more": len(mine) > 100}}
        )

    def attempts(self, call: Call) -> Reply:
        found = self._sender.invocations.get(str(call.params["iid"]))
        if found is None or found.webhook_id != self._hook(call).id:
            raise not_found()
        shown = [
            {
                "id": f"{found.id}-{n}",
                "invocation_id": found.id,
                "occurred_at": iso_seconds(at),
                "response_status": status,
            }
            for n, (at, status, _) in enumerate(found.attempts, start=1)
        ]
        return Reply(200, {"attempts": shown})

    def _hook(self, call: Call) -> Webhook:
        found = self._sender.webhooks.get(str(call.params["id"]))
        if found is None:
            raise not_found()
        return found

    def _assign(self, hook: Webhook, values: Json) -> None:
        for key in ("name", "endpoint", "status", "http_method"):
            if key in values:
                setattr(hook, key, str(values[key]))
        if "authentication" in values:
            given = values["authentication"]
            hook.authentication = given
            hook.headers = _auth_headers(given)

    def _shown(self, hook: Webhook) -> Json:
        shown: Json = {
            "id": hook.id,
            "name": hook.name,
            "status": hook.status,
            "subscriptions": hook.subscriptions,
        }
        shown |= {"created_at": iso_seconds(hook.created_at), "created_by": str(self._account.integration_id)}
        shown |= {"endpoint": hook.endpoint, "http_method": hook.http_method, "request_format": "json"}
        if hook.authentication:
            shown["authentication"] = _without_secret(hook.authentication)
        return shown


def _auth_headers(given: Json) -> dict[str, str]:
    data = given.get("data", {})
    if given.get("type") == "basic_auth":
        pair = f"{data.get('username', '')}:{data.get('password', '')}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    if given.get("type") == "bearer_token":
        return {"Authorization": f"Bearer {data.get('token', '')}"}
    return {}


def _without_secret(given: Json) -> Json:
    """Reading back never shows a password or token."""
    shown = {key: value for key, value in given.items() if key != "data"}
    if given.get("type") == "basic_auth":
        shown["data"] = {"username": given.get("data", {}).get("username")}
    return shown


def _invocation(invocation: Invocation) -> Json:
    shown: Json = {"id": invocation.id, "status": invocation.status}
    if invocation.attempts:
        at, status, _ = invocation.attempts[-1]
        shown |= {"latest_completed_at": iso_seconds(at)} | ({"status_code": status} if status else {})
    return shown


def _secret() -> str:
    """44 characters that look like base64 and are used as they are."""
    return base64.b64encode(randomness.token_bytes(32)).decode()


def _shown_secret(hook: Webhook) -> Json:
    return {"signing_secret": {"secret": hook.secret, "algorithm": "SHA256"}}
