"""Control routes of Zendesk: webhooks, records and people's actions."""

from sandbox.control.people import People
from sandbox.web import Call, Json, Reply, RouteRow
from sandbox.world import World
from sandbox.zendesk import render
from sandbox.zendesk.events import Happening, organization_detail
from sandbox.zendesk.lifecycle import Lifecycle
from sandbox.zendesk.records import Named, Ticket, TicketField
from sandbox.zendesk.ticket_editor import EditResult
from sandbox.zendesk.triggers import CONDITIONS
from sandbox.zendesk.webhooks import TRIGGER, Webhook, ulid


class TicketControl:
    def __init__(self, world: World, people: People) -> None:
        self._world = world
        self._zendesk = world.zendesk
        self._people = people
        self._life = Lifecycle(world.zendesk.account, world.zendesk.editor)

    def rows(self) -> list[RouteRow]:
        tickets = "/zendesk/tickets/{id}"
        return [
            ("POST", "/zendesk/webhooks", self.add_webhook),
            ("GET", "/zendesk/webhooks", self.webhooks),
            ("PATCH", "/zendesk/webhooks/{id}", self.change_webhook),
            ("DELETE", "/zendesk/webhooks/{id}", self.drop_webhook),
            ("GET", "/zendesk/invocations", self.invocations),
            ("POST", "/zendesk/invocations/{id}/replay", self.replay),
            ("POST", "/zendesk/organizations", self.add_organization),
            ("POST", "/zendesk/users", self.add_user),
            ("POST", "/zendesk/forms", self.add_form),
            ("POST", "/zendesk/fields", self.add_field),
            ("POST", "/zendesk/tickets", self.create),
            ("GET", tickets, self.show),
            ("POST", tickets + "/actions", self.act),
            ("POST", tickets + "/comments", self.comment),
            ("POST", tickets + "/comments/{comment}/private", self.make_private),
            ("POST", tickets + "/status", self.act),
            ("POST", tickets + "/tags", self.act),
            ("POST", tickets + "/solve", self.solve),
            ("POST", tickets + "/reopen", self.reopen),
            ("POST", tickets + "/close", self.close),
            ("POST", tickets + "/rating", self.rate),
            ("POST", tickets + "/sla", self.breach),
            ("POST", tickets + "/merge", self.merge),
            ("POST", tickets + "/delete", self.delete),
            ("POST", tickets + "/undelete", self.undelete),
        ]

    # --- webhooks ---

    def add_webhook(self, call: Call) -> Reply:
        """`endpoint` (or `url`), `secret`, `kind` native|trigger, `subscriptions`, `triggers`, `modes`, …"""
        values = call.json()
        trigger = values.get("kind") == "trigger"
        made = Webhook(
            ulid(self._world.clock.now_ns()),
            str(values.get("name", "sandbox")),
            str(values.get("endpoint") or values["url"]),
            str(values.get("secret") or self._world.settings.webhook_key),
            [TRIGGER] if trigger else list(values.get("subscriptions", ["*"])),
            triggers=list(values.get("triggers", list(CONDITIONS) if trigger else [])),
            created_at=self._world.clock.now_ns(),
        )
        if unknown := [name for name in made.triggers if name not in CONDITIONS]:
            raise ValueError(f"unknown triggers {unknown}; known: {', '.join(CONDITIONS)}")
        _change(made, values)
        self._zendesk.sender.webhooks[made.id] = made
        return Reply(201, _shown(made))

    def webhooks(self, _: Call) -> Reply:
        return Reply(
            200, {"webhooks": [_shown(w)["webhook"] for w in self._zendesk.sender.webhooks.values()]}
        )

    def change_webhook(self, call: Call) -> Reply:
        """Any of `secret`, `endpoint`, `status`, `timeout`, `retry_spacing`, `headers`, `modes`; id or `all`."""
        wanted = str(call.params["id"])
        hooks = self._zendesk.sender.webhooks
        chosen = list(hooks.values()) if wanted == "all" else [hooks[wanted]]
        values = call.json()
        for hook in chosen:
            _change(hook, values)
        return Reply(200, {"webhooks": [_shown(hook)["webhook"] for hook in chosen]})

    def drop_webhook(self, call: Call) -> Reply:
        self._zendesk.sender.webhooks.pop(str(call.params["id"]), None)
        return Reply(204)

    def invocations(self, call: Call) -> Reply:
        """All invocations, or those with `status` or of `ticket_id`."""
        status, ticket = call.query.get("status"), call.query.get("ticket_id")
        found = [
            invocation.as_json()
            for invocation in self._zendesk.sender.invocations.values()
            if (status is None or invocation.status == status)
            and (ticket is None or str(invocation.record_id) == ticket)
        ]
        return Reply(200, {"invocations": found, "count": len(found)})

    def replay(self, call: Call) -> Reply:
        """`age`: seconds by which the signature's timestamp lies in the past."""
        found = self._zendesk.sender.invocations[str(call.params["id"])]
        again = self._zendesk.sender.replay(found, float(call.json().get("age", 0)))
        return Reply(202, {"invocation": again.as_json()})

    # --- records ---

    def add_organization(self, call: Call) -> Reply:
        made = self._people.add_organization(call.json())
        detail = organization_detail(made)
        self._zendesk.account.announce("organization", made.id, detail, Happening("created"))
        return Reply(201, {"organization": render.organization(self._zendesk.account.base, made)})

    def add_user(self, call: Call) -> Reply:
        made = self._people.add_user(call.json())
        return Reply(201, {"user": render.user(self._zendesk.account.base, made)})

    def add_form(self, call: Call) -> Reply:
        key = self._zendesk.account.ids.next("named")
        self._zendesk.account.records.forms[key] = Named(key, str(call.json()["name"]))
        return Reply(201, {"ticket_form": {"id": key, "name": call.json()["name"]}})

    def add_field(self, call: Call) -> Reply:
        """`title`, `type`, `required` (needed when solving)."""
        values = call.json()
        key = int(values.get("id") or self._zendesk.account.ids.next("field"))
        kind, required = str(values.get("type", "text")), bool(values.get("required", False))
        self._zendesk.account.records.fields[key] = TicketField(key, str(values["title"]), kind, required)
        return Reply(201, {"ticket_field": {"id": key, "title": values["title"]}})

    # --- people's actions ---

    def create(self, call: Call) -> Reply:
        return self._done(self._people.create(call.json()), 201)

    def show(self, call: Call) -> Reply:
        ticket = self._ticket(call)
        comments = [render.comment(c) for c in ticket.comments]
        return Reply(200, {"ticket": render.ticket(self._zendesk.account.base, ticket), "comments": comments})

    def act(self, call: Call) -> Reply:
        return self._done(self._people.act(self._ticket(call), call.json()))

    def comment(self, call: Call) -> Reply:
        """`body`, `public` (default true), `as`, and whatever else `actions` takes."""
        values = call.json()
        said = {"body": str(values.pop("body", "…")), "public": bool(values.pop("public", True))}
        return self._done(self._people.act(self._ticket(call), values | {"comment": said}))

    def make_private(self, call: Call) -> Reply:
        """As an agent who makes a public comment private; there is no way back."""
        for comment in self._ticket(call).comments:
            if comment.id == call.number("comment"):
                comment.public = False
        return Reply(200, {"public": False})

    def solve(self, call: Call) -> Reply:
        """Reply and solve as one action; `comment` may be left out."""
        return self._done(self._people.act(self._ticket(call), {"status": "solved"} | call.json()))

    def reopen(self, call: Call) -> Reply:
        values = {"as": "requester", "status": "open"} | call.json()
        return self._done(self._people.act(self._ticket(call), values))

    def close(self, call: Call) -> Reply:
        values = {"as": "system", "status": "closed"} | call.json()
        return self._done(self._people.act(self._ticket(call), values))

    def rate(self, call: Call) -> Reply:
        return self._done(self._people.rate(self._ticket(call), call.json()))

    def breach(self, call: Call) -> Reply:
        return self._done(self._people.breach(self._ticket(call), call.json()))

    def merge(self, call: Call) -> Reply:
        """This ticket is merged into `into`."""
        values = call.json()
        target = self._zendesk.account.ticket(int(values["into"]))
        actor = self._people.actor(values.get("as"))
        return self._done(self._life.merge(self._ticket(call), target, values, actor))

    def delete(self, call: Call) -> Reply:
        """`permanently` leaves nothing to bring back."""
        values = call.json()
        actor = self._people.actor(values.get("as"))
        return self._done(
            self._life.delete(self._ticket(call), actor, forever=bool(values.get("permanently")))
        )

    def undelete(self, call: Call) -> Reply:
        actor = self._people.actor(call.json().get("as"))
        return self._done(self._life.undelete(self._ticket(call), actor))

    def _ticket(self, call: Call) -> Ticket:
        """Deleted ones too: people may bring them back."""
        found = self._zendesk.account.records.tickets.get(call.number("id"))
        return found or self._zendesk.account.ticket(call.number("id"))

    def _done(self, done: EditResult, status: int = 200) -> Reply:
        actions = self._zendesk.actions
        last = actions[-1] if done.moved and actions else None
        events = [{"id": e.id, "type": e.type} for e in last.events] if last else []
        shown = render.ticket(self._zendesk.account.base, done.ticket)
        comment = done.ticket.comments[-1].id if done.ticket.comments else None
        return Reply(status, {"ticket": shown, "events": events, "comment_id": comment, "moved": done.moved})


def _change(hook: Webhook, values: Json) -> None:
    for name in ("secret", "endpoint", "status", "name", "http_method"):
        if name in values:
            setattr(hook, name, str(values[name]))
    for name in ("timeout", "retry_spacing"):
        if name in values:
            setattr(hook, name, float(values[name]))
    if "headers" in values:
        hook.headers = {str(k): str(v) for k, v in values["headers"].items()}
    hook.modes.change(values.get("modes", {}))


def _shown(hook: Webhook) -> Json:
    modes = {name: getattr(hook.modes, name) for name in hook.modes.__slots__}
    shown: Json = {
        "id": hook.id,
        "name": hook.name,
        "endpoint": hook.endpoint,
        "subscriptions": hook.subscriptions,
    }
    shown |= {"triggers": hook.triggers, "status": hook.status, "timeout": hook.timeout}
    return {"webhook": shown | {"retry_spacing": hook.retry_spacing, "modes": modes}}
